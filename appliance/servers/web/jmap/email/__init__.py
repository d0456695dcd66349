"""Email and SearchSnippet (RFC 8621 §4, §5)."""
