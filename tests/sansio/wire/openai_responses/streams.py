"""Builds streams of the Responses API, and reads them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from fuzz.exchanges import Event, Outcome, Response
from tests.recordings import outcome_of

JSON: TypeAlias = dict[str, Any]

COMPLETED: JSON = {"type": "response.completed", "response": {"status": "completed"}}
SUMMARY = {"type": "summary_text", "text": "I see."}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look"}


def delta(kind: str, text: str, **members: Any) -> JSON:
    """Return an event with a piece of text."""
    return {"type": f"response.{kind}.delta", "delta": text, **members}


def added(item: JSON, **members: Any) -> JSON:
    """Return the event that announces an item."""
    return {"type": "response.output_item.added", "item": item, **members}


def done(item: JSON, **members: Any) -> JSON:
    """Return the event that repeats an item whole."""
    return {"type": "response.output_item.done", "item": item, **members}


def message(*content: JSON) -> JSON:
    """Return a message item."""
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": list(content)}


def output_text(text: str) -> JSON:
    """Return a part of a message."""
    return {"type": "output_text", "text": text}


def stream(*events: JSON) -> bytes:
    """Write events as the API does."""
    return b"".join(
        f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events
    )


def read_body(body: bytes) -> Outcome:
    """Read a body."""
    return outcome_of("openai-responses", Response(body))


def read(*events: JSON) -> list[Event]:
    """Read a stream."""
    return list(read_body(stream(*events)).events)
