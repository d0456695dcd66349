"""The webmail: logging in, and documents for its frames; all else is JMAP (`servers.web.jmap`)."""
