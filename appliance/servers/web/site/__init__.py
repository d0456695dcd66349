"""Web sites of the operator: files, redirects, other web servers behind this one; each may leave it to the next."""
