"""servers.web.webmail: the mail page: its login, and messages as documents for its frames, to print, to download."""
