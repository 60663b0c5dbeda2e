"""Chunks of any JSON, or none, give tokens and at most one error, and never half an answer."""

from __future__ import annotations

from fuzz.answers import check_answers, stream_and_document


def one_input(data: bytes) -> None:
    """Check the wire format with lines of JSON: as events each, and together as a document."""
    check_answers("openai-chat", stream_and_document(data))
