"""IMAP, the server's side (RFC 9051, RFC 3501)."""
