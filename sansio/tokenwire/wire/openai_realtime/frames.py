"""Events of the server: whose one is, and what it says.

A response is told in the events of `tokenwire.wire.openai_responses`, and read there. Only its end
has another shape, and older servers call the texts otherwise.

Reference: https://developers.openai.com/api/reference/resources/realtime (server events).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import attrs
import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.response import RateLimit
from tokenwire.tokens import Token
from tokenwire.wire.malformed import decode_object
from tokenwire.wire.openai_responses_ws.frames import FrameReader
from tokenwire.wire.socket_messages import read_envelope

#: The metadata of a response by which it is told apart; the server repeats it.
ANSWER: Final = "tokenwire"

#: Most allowances that are kept, and the longest name of one. The reference has two.
_MAX_RATE_LIMITS: Final = 16
_MAX_NAME_LENGTH: Final = 100

#: What servers called the texts before the API was released, and Azure's Voice Live still does.
_OLD_NAMES: Final = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}


class _Metadata(msgspec.Struct, gc=False):
    tokenwire: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str | None = None
    metadata: _Metadata | None = None


class Envelope(msgspec.Struct, gc=False):
    """What an event says besides its content.

    Attributes:
        type: The kind of event.
        response_id: The response that it belongs to.
        response: The response, where the event shows it.
    """

    type: str = ""
    response_id: str | None = None
    response: _Response | None = None

    @property
    def of_response(self) -> str | None:
        """The id of the response that the event belongs to."""
        return self.response.id if self.response is not None else self.response_id

    @property
    def of_answer(self) -> str | None:
        """What the request for the response was called, as far as the event says it."""
        metadata = self.response.metadata if self.response is not None else None
        return metadata.tokenwire if metadata is not None else None


_decode: Callable[[bytes], Envelope] = msgspec.json.Decoder(Envelope).decode


def envelope_of(event: bytes, limits: Limits) -> Envelope:
    """Read an event as far as routing needs it.

    Raises:
        MalformedResponseError: If it is no JSON object, or exceeds a limit.
    """
    return read_envelope(event, limits, _decode, _tolerantly)


def _tolerantly(members: Mapping[str, Any]) -> Envelope:
    response = lenient.as_object(members.get("response"))
    metadata = lenient.as_object(response.get("metadata"))
    return Envelope(
        type=lenient.as_text(members.get("type")) or "",
        response_id=lenient.as_text(members.get("response_id")),
        response=_Response(
            lenient.as_text(response.get("id")), _Metadata(lenient.as_text(metadata.get(ANSWER)))
        )
        if response
        else None,
    )


@final
@attrs.frozen
class ErrorEvent:
    """An error that a server reports.

    Attributes:
        code: Its code, None if it has none.
        event_id: What we called the event that it is about, None if it does not say.
    """

    code: str | None
    event_id: str | None


def read_error(event: bytes, limits: Limits) -> ErrorEvent:
    """Read an error as far as the connection is concerned.

    Raises:
        MalformedResponseError: If it is no JSON object, or exceeds a limit.
    """
    error = lenient.as_object(decode_object(event, limits).get("error"))
    return ErrorEvent(lenient.as_text(error.get("code")), lenient.as_text(error.get("event_id")))


def read_rate_limits(event: bytes, limits: Limits) -> tuple[RateLimit, ...]:
    """Read the allowances that the server reports.

    Raises:
        MalformedResponseError: If it is no JSON object, or exceeds a limit.
    """
    found = lenient.as_array(decode_object(event, limits).get("rate_limits"))
    rate_limits = map(_rate_limit, map(lenient.as_object, found[:_MAX_RATE_LIMITS]))
    return tuple(rate_limit for rate_limit in rate_limits if rate_limit.name)


def _rate_limit(members: Mapping[str, Any]) -> RateLimit:
    return RateLimit(
        name=(lenient.as_text(members.get("name")) or "")[:_MAX_NAME_LENGTH],
        limit=lenient.as_count(members.get("limit")),
        remaining=lenient.as_count(members.get("remaining")),
        reset_after=_seconds(members.get("reset_seconds")),
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    return None


@final
class EventReader(FrameReader):
    """Reads the events of one response. See `LineReader`."""

    def receive_line(self, line: bytes, tokens: list[Token]) -> None:
        """Take one event."""
        # A look before decoding: nearly all events are deltas, which are the same in both APIs.
        if b'"response.done"' in line or b'"response.text.' in line:
            line = _translated(line, self._limits)
        super().receive_line(line, tokens)


def _translated(event: bytes, limits: Limits) -> bytes:
    """Return an event as the Responses API has it."""
    value = decode_object(event, limits)
    kind = lenient.as_text(value.get("type")) or ""
    if kind == "response.done":
        value = {
            "type": "response.completed",
            "response": _translated_response(lenient.as_object(value.get("response"))),
        }
    elif kind in _OLD_NAMES:
        value["type"] = _OLD_NAMES[kind]
    else:
        return event
    return json.dumps(value).encode()  # which also writes half characters


def _translated_response(response: Mapping[str, Any]) -> dict[str, Any]:
    details = lenient.as_object(response.get("status_details"))
    usage = lenient.as_object(response.get("usage"))
    return {
        "id": response.get("id"),
        "status": response.get("status"),
        "output": response.get("output"),
        "incomplete_details": {"reason": details.get("reason")},
        "error": details.get("error"),
        "usage": usage
        and {
            **usage,
            "input_tokens_details": usage.get("input_token_details"),
            "output_tokens_details": usage.get("output_token_details"),
        },
    }
