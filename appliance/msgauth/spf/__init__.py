"""spf: whether a domain lets a host use its name (RFC 7208)."""
