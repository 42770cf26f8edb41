"""Target tasks and benchmarks in one canonical form."""
