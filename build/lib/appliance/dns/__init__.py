"""dns: answers about names, and whether DNSSEC vouches for them."""
