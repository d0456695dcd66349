"""servers.web.inbox: what a server for tests has caught, for scripts: list, wait for, look at, clear, release."""
