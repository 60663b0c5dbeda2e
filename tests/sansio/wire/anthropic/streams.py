"""Message streams in a few words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fuzz.exchanges import Response, single_bytes
from fuzz.invariants import check_same_events
from tests.recordings import check_promises, outcome_of
from tokenwire.endpoint import Limits
from tokenwire.errors import ProviderError
from tokenwire.tokens import Token

Event = dict[str, Any] | str

STOP: Event = {"type": "message_stop"}


def start(**message: Any) -> Event:
    """Return the event with which a message begins."""
    return {"type": "message_start", "message": message}


def begin(block: Any, index: int = 0) -> Event:
    """Return the event with which a block begins."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: str, index: int = 0, **members: Any) -> Event:
    """Return a delta of a block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **members}}


def text(content: str, index: int = 0) -> Event:
    """Return a delta of text."""
    return delta("text_delta", index, text=content)


def arguments(fragment: str, index: int = 0) -> Event:
    """Return a delta of a tool's arguments."""
    return delta("input_json_delta", index, partial_json=fragment)


def end(index: int = 0) -> Event:
    """Return the event with which a block ends."""
    return {"type": "content_block_stop", "index": index}


def reason(stop_reason: Any, **members: Any) -> Event:
    """Return the event that says why the message ends."""
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason}, **members}


def call(index: int = 0, call_id: str = "t1", **members: Any) -> Event:
    """Return the event with which a tool call begins."""
    return begin({"type": "tool_use", "id": call_id, "name": "look", **members}, index)


def body(*events: Event) -> bytes:
    """Return an event stream; a string is a block of it as it is."""
    return b"".join(_block(event) for event in events)


def _block(event: Event) -> bytes:
    if isinstance(event, str):
        return f"{event}\n\n".encode()
    return f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n".encode()


def read(
    *events: Event, ending: Any = "clean", limits: Limits | None = None
) -> Sequence[Token | ProviderError]:
    """Return what comes of a stream, having checked that single bytes give the same."""
    return read_body(body(*events), ending=ending, limits=limits)


def read_body(
    data: bytes, *, ending: Any = "clean", limits: Limits | None = None
) -> Sequence[Token | ProviderError]:
    """Return what comes of a body, having checked that single bytes give the same."""
    response = Response(data, ending=ending)
    outcome = outcome_of("anthropic", response, limits=limits)
    single = outcome_of("anthropic", response, single_bytes(data), limits)
    check_same_events(single.events, outcome.events)
    check_promises(outcome, response)
    return outcome.events


def failure(*events: Event, **settings: Any) -> ProviderError:
    """Return the error in which a stream ends."""
    error = read(*events, **settings)[-1]
    assert isinstance(error, ProviderError)
    return error
