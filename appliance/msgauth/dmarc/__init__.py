"""dmarc: what the owner of a domain wants done with mail that only claims to be theirs (RFC 7489)."""
