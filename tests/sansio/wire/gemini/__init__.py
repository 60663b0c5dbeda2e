"""Tests of the wire format `gemini`."""
