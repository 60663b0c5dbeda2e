"""Tests of the wire format `azure-chat`."""
