"""moxpy: a whole mail server in one executable."""

__version__ = "0.1.0"
