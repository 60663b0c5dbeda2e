"""Message events of any JSON, or none, give tokens and at most one error, never half a message."""

from __future__ import annotations

from fuzz.answers import check_answers, stream_and_document


def one_input(data: bytes) -> None:
    """Check the wire format with lines of JSON: as events each, and together as a document."""
    check_answers("anthropic", stream_and_document(data))
