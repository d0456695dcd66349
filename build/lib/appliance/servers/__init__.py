"""servers: doors: smtp, imap, web, control."""
