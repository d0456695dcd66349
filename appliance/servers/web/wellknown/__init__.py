"""Documents that programs look for at fixed places: policies, settings of mail programs, metrics."""
