"""Lines of any JSON, or none, give tokens and at most one error, and never half an answer."""

from __future__ import annotations

from fuzz.answers import check_answers


def one_input(data: bytes) -> None:
    """Check the wire format with a body, which is lines of JSON already."""
    check_answers("ollama", [data])
