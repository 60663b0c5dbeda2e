"""Tests of the kit for providers of others, and of ours by it."""
