"""Passkeys: what authenticators say, taken apart and verified (Web Authentication, Level 3)."""
