"""Foreign mail programs against a running server: `make interop`, or `python -m interop --help` with tests/ on the path."""
