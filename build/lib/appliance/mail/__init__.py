"""mail: a message as a value: parse, compose, report formats (pure)."""
