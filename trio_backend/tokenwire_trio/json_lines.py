"""Tokens and errors as JSON, one object a line: what ``ask --json`` and ``decode`` print.

UTF-8 whatever the locale, and a line each, so that any program can read them as they come.
"""

import sys
from collections.abc import Iterable
from typing import Final, TypeAlias, assert_never, final

import msgspec

from tokenwire.errors import ProviderError
from tokenwire.tokens import (
    Durations,
    End,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

JSONObject: TypeAlias = dict[str, object]

_ENCODER: Final = msgspec.json.Encoder()

#: Counts that are always there, null where the provider did not say; the others only if it did.
_MAIN_COUNTS: Final = ("input_tokens", "output_tokens", "total_tokens")


@final
class JSONLines:
    """Writes events to standard output at once."""

    def __init__(self) -> None:
        # Bytes: neither the locale's encoding nor Windows' line ends have a say in JSON.
        self._output = sys.stdout.buffer

    def write(self, events: Iterable[Token | ProviderError]) -> None:
        """Print each event on its line, now."""
        # A list: msgspec 0.22 leaks some bytes for each other iterable that it encodes.
        self.write_objects([event_object(event) for event in events])

    def write_objects(self, objects: list[JSONObject]) -> None:
        """Print each object on its line, now."""
        if objects:
            self._output.write(_ENCODER.encode_lines(objects))
            self._output.flush()

    def show(self, token: Token) -> None:
        """Print a token."""
        self.write((token,))

    def fail(self, error: ProviderError) -> None:
        """Print an error."""
        self.write((error,))

    def close(self) -> None:
        """Do nothing: each line has its end."""


def event_object(event: Token | ProviderError) -> JSONObject:
    """Return what stands for an event in JSON; ``type`` says which kind it is."""
    match event:
        case TextDelta():
            return {**_text("text", event), **_logprobs(event.logprobs)}
        case ReasoningDelta():
            return {**_text("reasoning", event), **_signature(event.signature)}
        case RefusalDelta():
            return _text("refusal", event)
        case ToolCallDelta():
            return _tool_call(event)
        case End():
            return _end(event)
        case ProviderError():
            return {"type": "error", **event.facts()}
        case _:
            assert_never(event)


def _text(kind: str, token: TextDelta | ReasoningDelta | RefusalDelta) -> JSONObject:
    return {"type": kind, "choice": token.choice, "text": token.text}


def _signature(signature: str | None) -> JSONObject:
    return {} if signature is None else {"signature": signature}


def _logprobs(logprobs: tuple[TokenLogprob, ...] | None) -> JSONObject:
    if logprobs is None:
        return {}
    return {"logprobs": [msgspec.structs.asdict(entry) for entry in logprobs]}


def _tool_call(token: ToolCallDelta) -> JSONObject:
    return {
        "type": "tool_call",
        "choice": token.choice,
        "index": token.index,
        "id": token.id,
        "name": token.name,
        "arguments": token.arguments,
        **_signature(token.signature),
    }


def _end(end: End) -> JSONObject:
    return {
        "type": "end",
        "finish": end.finish,
        "raw_finish": end.raw_finish,
        "usage": None if end.usage is None else _usage(end.usage),
        "model": end.model,
        "id": end.response_id,
        **_durations(end.durations),
        **_finishes(end),
    }


def _usage(usage: Usage) -> JSONObject:
    counts = msgspec.structs.asdict(usage)
    return {
        name: count for name, count in counts.items() if count is not None or name in _MAIN_COUNTS
    }


def _durations(durations: Durations | None) -> JSONObject:
    """Say how long it took, where the provider told."""
    if durations is None:
        return {}
    told = msgspec.structs.asdict(durations).items()
    return {"durations": {name: seconds for name, seconds in told if seconds is not None}}


def _finishes(end: End) -> JSONObject:
    """Say of several choices how each ended."""
    if len(end.finishes) <= 1:
        return {}
    return {
        "finishes": {
            str(choice): {"finish": finish.reason, "raw_finish": finish.raw}
            for choice, finish in end.finishes.items()
        }
    }
