"""Answers: rows, keyed sampling, and the packed engine."""
