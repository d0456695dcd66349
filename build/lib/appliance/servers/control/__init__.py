"""The control socket: the running side of the command line."""
