"""net: streams: listen, dial, limit, supervise."""
