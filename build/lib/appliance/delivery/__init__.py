"""delivery: incoming mail: gather facts, decide, place in a mailbox (RFC 5598: MDA)."""
