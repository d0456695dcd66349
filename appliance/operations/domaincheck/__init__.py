"""The checks of a domain: what the world sees of it, beside what we need it to see."""
