"""acme: certificates from an authority, asked for and renewed by itself (RFC 8555)."""
