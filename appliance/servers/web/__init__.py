"""HTTP: documents that others look for at well-known places, metrics, and later pages and APIs."""
