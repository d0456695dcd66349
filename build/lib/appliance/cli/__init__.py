"""cli: the operator's door: commands, output, exit codes."""
