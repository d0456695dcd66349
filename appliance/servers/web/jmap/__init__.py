"""JMAP (RFC 8620, RFC 8621): the door for programs and for our own webmail, below the webmail application's path."""
