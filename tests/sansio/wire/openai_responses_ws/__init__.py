"""Tests of the wire format `openai-responses-ws`."""
