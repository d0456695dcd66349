"""queue: outgoing work: messages and webhooks, retried to an end (RFC 5598: MTA)."""
