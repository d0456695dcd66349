"""config: what the operator wrote: checked, frozen, re-readable."""
