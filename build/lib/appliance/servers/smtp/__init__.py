"""The SMTP door: mail exchange and submission."""
