"""Tests of the wire format `anthropic`."""
