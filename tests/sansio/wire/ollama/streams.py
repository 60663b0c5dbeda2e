"""Chat streams of lines in a few words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fuzz.exchanges import Response, single_bytes
from fuzz.invariants import check_same_events
from tests.recordings import check_promises, outcome_of
from tokenwire.endpoint import Limits
from tokenwire.errors import ProviderError
from tokenwire.tokens import End, Finish, Token

Line = dict[str, Any] | str

STOP: Line = {"message": {"content": ""}, "done": True, "done_reason": "stop"}
STOPPED = End("stop", "stop", {0: Finish("stop", "stop")})


def message(**members: Any) -> Line:
    """Return a line with a message."""
    return {"model": "m", "message": {"role": "assistant", **members}, "done": False}


def text(content: str) -> Line:
    """Return a line with text."""
    return message(content=content)


def call(name: Any = "look", arguments: Any = None, **members: Any) -> dict[str, Any]:
    """Return a tool call."""
    return {"function": {"name": name, "arguments": arguments}, **members}


def calls(*tool_calls: Any, created_at: str | None = None) -> Line:
    """Return a line with tool calls."""
    line = message(content="", tool_calls=list(tool_calls))
    assert isinstance(line, dict)
    return {**line, "created_at": created_at}


def body(*lines: Line) -> bytes:
    """Return a stream; a string is a line as it is."""
    return "".join(
        (line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines
    ).encode()


def read(*lines: Line, **settings: Any) -> Sequence[Token | ProviderError]:
    """Return what comes of a stream, having checked that single bytes give the same."""
    return read_body(body(*lines), **settings)


def read_body(
    data: bytes, *, ending: Any = "clean", limits: Limits | None = None
) -> Sequence[Token | ProviderError]:
    """Return what comes of a body, having checked that single bytes give the same."""
    response = Response(data, ending=ending)
    outcome = outcome_of("ollama", response, limits=limits)
    single = outcome_of("ollama", response, single_bytes(data), limits)
    check_same_events(single.events, outcome.events)
    check_promises(outcome, response)
    return outcome.events
