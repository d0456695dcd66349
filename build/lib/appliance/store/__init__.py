"""store: what is kept: one LMDB environment; records, bodies, changes."""
