"""Messages of the socket: which lane one is for, and what stands in an error.

A message is one event of a response as JSON, and names its lane unless that is the default one.
Errors come in three shapes: nested with a lane (the reference), nested with status or headers
beside the error, and flat as in event streams, which names no lane.

Reference: https://developers.openai.com/api/docs/guides/websocket-mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, final

import attrs
import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.errors import ProviderError
from tokenwire.retry_delay import retry_delay
from tokenwire.sse import ServerSentEvent
from tokenwire.tokens import Token
from tokenwire.wire.malformed import decode_object
from tokenwire.wire.openai_chat.headers import request_id
from tokenwire.wire.openai_responses.answer import ENDS, ResponsesReader
from tokenwire.wire.socket_messages import read_envelope

#: Events with which a response may begin. Of one that fails they may be all.
_BEGINNINGS: Final = frozenset(
    {"response.created", "response.queued", "response.in_progress", "response.failed"}
)


class _Response(msgspec.Struct, gc=False):
    id: str | None = None


class Envelope(msgspec.Struct, gc=False):
    """What a message says besides its content.

    Attributes:
        type: The kind of event.
        stream_id: The lane as the message names it.
        response: The response as far as the event shows it.
    """

    type: str = ""
    stream_id: str | None = None
    response: _Response | None = None

    @property
    def lane(self) -> str | None:
        """The lane's name, None for the default one; no lane has an empty name."""
        return self.stream_id or None

    @property
    def response_id(self) -> str | None:
        """The id of the response that the event shows; None if it shows none."""
        return self.response.id if self.response is not None else None

    @property
    def shows_response(self) -> bool:
        """Whether the event tells where a response stands."""
        return self.type in _BEGINNINGS or self.type in ENDS

    @property
    def may_be_first(self) -> bool:
        """Whether a response may begin with it; an end whose beginning is missing is another's."""
        return self.type in _BEGINNINGS

    @property
    def ends_response(self) -> bool:
        """Whether nothing of the response follows."""
        return self.type in ENDS


_decode: Callable[[bytes], Envelope] = msgspec.json.Decoder(Envelope).decode


def envelope_of(message: bytes, limits: Limits) -> Envelope:
    """Read a message as far as routing needs it.

    Raises:
        MalformedResponseError: If it is no JSON object, or exceeds a limit.
    """
    return read_envelope(message, limits, _decode, _tolerantly)


def _tolerantly(members: Mapping[str, Any]) -> Envelope:
    response = lenient.as_object(members.get("response"))
    return Envelope(
        type=lenient.as_text(members.get("type")) or "",
        stream_id=lenient.as_text(members.get("stream_id")),
        response=_Response(lenient.as_text(response.get("id"))),
    )


@final
@attrs.frozen
class ErrorFrame:
    """An error that a server reports.

    Attributes:
        code: Its code, None if it has none.
        flat: It has the shape that has no place for a lane.
    """

    code: str | None
    flat: bool


def read_error_frame(message: bytes, limits: Limits) -> ErrorFrame:
    """Read an error as far as the connection is concerned.

    Raises:
        MalformedResponseError: If it is no JSON object, or exceeds a limit.
    """
    value = decode_object(message, limits)
    error = lenient.as_object(value.get("error"))
    return ErrorFrame(lenient.as_text((error or value).get("code")), flat=not error)


class FrameReader:
    """Reads the messages of one response. See `LineReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader = ResponsesReader(limits)

    @property
    def complete(self) -> bool:
        """Whether the terminal event has come."""
        return self._reader.complete

    def receive_line(self, line: bytes, tokens: list[Token]) -> None:
        """Take one message."""
        try:
            self._reader.receive_event(ServerSentEvent(line), tokens)
        except ProviderError as error:
            failure = error
        else:
            return
        raise self._with_headers(failure, line)

    def finish(self, tokens: list[Token]) -> None:
        """Append what was held back and the `End`."""
        self._reader.finish(tokens)

    def _with_headers(self, failure: ProviderError, line: bytes) -> ProviderError:
        """Complete a failure with the headers that an HTTP response would have had."""
        value = lenient.as_object(_json_or_none(line, self._limits))
        headers = _headers(lenient.as_object(value.get("error"))) | _headers(value)
        return attrs.evolve(
            failure, retry_after=retry_delay(headers), request_id=request_id(headers)
        )


def _json_or_none(line: bytes, limits: Limits) -> object:
    try:
        return lenient.decode(line, limits.json_depth)
    except (lenient.NotJSONError, lenient.TooDeepError):
        return None


def _headers(members: Mapping[str, Any]) -> dict[str, str]:
    headers = lenient.as_object(members.get("headers"))
    words = ((name.lower(), _word(value)) for name, value in headers.items())
    return {name: word for name, word in words if word}


def _word(value: object) -> str | None:
    """Return a header's value, which JSON may hold as a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return lenient.as_text(value)
