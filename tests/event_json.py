"""Events as JSON, in the words of ``tokenwire ask --json``: what *.events.json files hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec

from tokenwire.errors import MalformedResponseError, NetworkError, ProviderError
from tokenwire.tokens import (
    End,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
)

#: Facts of an error that belong to the endpoint or are the same for every stream.
_LEFT_OUT = ("provider", "request_id", "sent", "in_stream")


def events_as_json(events: Sequence[Token | ProviderError]) -> list[dict[str, Any]]:
    """Return events as JSON objects; what is unset, empty or choice 0 is left out."""
    return [
        {name: value for name, value in _members(event).items() if value not in (None, "", 0)}
        for event in events
    ]


def _members(event: Token | ProviderError) -> dict[str, Any]:
    match event:
        case TextDelta(text, choice, logprobs):
            entries = [_logprob(entry) for entry in logprobs] if logprobs else None
            return {"type": "text", "choice": choice, "text": text, "logprobs": entries}
        case ReasoningDelta(text, choice, signature):
            return {"type": "reasoning", "choice": choice, "text": text, "signature": signature}
        case RefusalDelta(text, choice):
            return {"type": "refusal", "choice": choice, "text": text}
        case ToolCallDelta():
            call = f"{event.choice}.{event.index}"
            return {"type": "tool_call", "call": call, **_call(event)}
        case End():
            return {"type": "end", **_end(event)}
        case ProviderError():
            return {"type": "error", **_error(event)}
        case _:
            assert_never(event)


def _error(error: ProviderError) -> dict[str, Any]:
    """Return its facts, with the message where that is the server's and not our own prose."""
    ours = ("message",) if isinstance(error, MalformedResponseError | NetworkError) else ()
    facts = error.facts().items()
    return {name: value for name, value in facts if name not in (*_LEFT_OUT, *ours)}


def _logprob(entry: TokenLogprob) -> dict[str, Any]:
    return msgspec.structs.asdict(entry) | {"top": [list(pair) for pair in entry.top]}


def _call(event: ToolCallDelta) -> dict[str, Any]:
    names = ("id", "name", "arguments", "signature")
    return {name: getattr(event, name) for name in names}


def _end(event: End) -> dict[str, Any]:
    usage = msgspec.structs.asdict(event.usage) if event.usage else None
    counts = usage and {name: count for name, count in usage.items() if count is not None}
    others = {str(i): msgspec.structs.astuple(finish) for i, finish in event.finishes.items() if i}
    return {
        "finish": event.finish,
        "raw_finish": event.raw_finish,
        "other_choices": {i: list(finish) for i, finish in others.items()} or None,
        "usage": counts,
        "model": event.model,
        "id": event.response_id,
    }
