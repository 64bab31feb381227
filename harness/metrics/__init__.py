"""One metric a file; every file here is discovered."""
