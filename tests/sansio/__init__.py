"""Tests of the core, one module for each of its modules; together they cover all of it."""
