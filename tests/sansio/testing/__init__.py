"""Tests of the kit for wire formats of others, and of ours by it."""
