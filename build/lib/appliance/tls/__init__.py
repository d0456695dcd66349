"""tls: who we are on a connection, what we believe of the far end."""
