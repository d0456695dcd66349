"""Our own capability, `urn:moxpy:mail`: what JMAP lacks for a webmail."""
