"""Declarations of commands, a module for each group; appliance.cli.table joins them."""
