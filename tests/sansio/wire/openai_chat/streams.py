"""Chat completion streams in a few words."""

import json
from typing import Any

DONE = "[DONE]"


def choice(delta: Any = None, finish: Any = None, index: int = 0, **members: Any) -> dict[str, Any]:
    """Return one choice of a chunk."""
    return {"index": index, "delta": delta, "finish_reason": finish, **members}


def chunk(delta: Any = None, finish: Any = None, **members: Any) -> dict[str, Any]:
    """Return a chunk with one choice."""
    return {"choices": [choice(delta, finish)], **members}


def text(content: str) -> dict[str, Any]:
    """Return a chunk with text."""
    return chunk({"content": content})


def body(*events: dict[str, Any] | str) -> bytes:
    """Return an event stream; a string is the data of an event as it is."""
    return "".join(
        f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events
    ).encode("utf-8", "surrogatepass")
