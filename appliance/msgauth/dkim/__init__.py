"""dkim: signatures of domains over messages, made and verified (RFC 6376)."""
