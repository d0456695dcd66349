"""protocol: conversations without sockets: octets in, events out (pure)."""
