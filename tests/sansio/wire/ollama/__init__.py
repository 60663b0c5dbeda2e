"""Tests of the wire format `ollama`."""
