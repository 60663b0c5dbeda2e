"""Tests of the wire format `openai-realtime`."""
