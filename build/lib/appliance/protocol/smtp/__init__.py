"""SMTP, both sides (RFC 5321)."""
