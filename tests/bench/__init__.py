"""Measures a running server by its own raw clients: `make bench`, or `python -m bench --help` with tests/ on the path."""
