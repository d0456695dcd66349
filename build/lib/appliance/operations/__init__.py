"""operations: the verbs people and programs may use, each exactly once (holds the MSA)."""
