"""Builds streams of Gemini, and reads them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from fuzz.exchanges import Event, Outcome, Response
from tests.recordings import outcome_of

JSON: TypeAlias = dict[str, Any]


def chunk(*parts: JSON, finish: str | None = None, index: int | None = None, **more: Any) -> JSON:
    """Return a chunk with one candidate."""
    candidate: JSON = {"content": {"role": "model", "parts": list(parts)}}
    if finish is not None:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return {"candidates": [candidate], **more}


def text(value: str, **more: Any) -> JSON:
    """Return a part with text."""
    return {"text": value, **more}


def thought(value: str, **more: Any) -> JSON:
    """Return a part with a thought."""
    return {"text": value, "thought": True, **more}


def call(name: str, args: JSON | None = None, **more: Any) -> JSON:
    """Return a part with a function call; `more` belongs to the call."""
    return {"functionCall": {"name": name, **({} if args is None else {"args": args}), **more}}


def piece(path: str, *, last: bool = False, **value: Any) -> JSON:
    """Return a part with a piece of a function call's arguments."""
    function: JSON = {"partialArgs": [{"jsonPath": path, **value}]}
    return {"functionCall": function if last else function | {"willContinue": True}}


def stream(*chunks: JSON) -> bytes:
    """Write chunks as the API does."""
    return b"".join(f"data: {json.dumps(item)}\r\n\r\n".encode() for item in chunks)


def read_body(body: bytes) -> Outcome:
    """Read a body."""
    return outcome_of("gemini", Response(body))


def read(*chunks: JSON) -> list[Event]:
    """Read a stream."""
    return list(read_body(stream(*chunks)).events)
