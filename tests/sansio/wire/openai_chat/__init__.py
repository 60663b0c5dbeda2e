"""Tests of the wire format `openai-chat`."""
