"""Fuzzers of the core, and the invariants that they share with the tests. See README.md."""
