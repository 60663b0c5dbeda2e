"""Messages of a socket, whatever they say: JSON in text, and each of them a line for its answer."""

from __future__ import annotations

import attrs

from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.wire.malformed import limit_error
from tokenwire.wire.ndjson_answer import LineReader, NDJSONAnswer


def message_bytes(message: str | bytes, limits: Limits) -> bytes:
    """Return the bytes of a message.

    Raises:
        MalformedResponseError: If it is binary, or exceeds ``event_bytes``.
    """
    if isinstance(message, bytes):
        raise MalformedResponseError(
            reason="schema", message="the server sent a binary message, which this API has not"
        )
    data = message.encode("utf-8", "surrogatepass")
    if len(data) > limits.event_bytes:
        raise limit_error("event_bytes", limits.event_bytes)
    return data


def as_line(message: bytes) -> bytes:
    """Return a message as a line of an answer's body."""
    # Outside of strings a line feed is white space, and inside of them JSON has none.
    return message.replace(b"\n", b" ") + b"\n"


def messages_answer(reader: LineReader, limits: Limits) -> NDJSONAnswer:
    """Begin to read the messages of one answer, one a line."""
    return NDJSONAnswer(reader, attrs.evolve(limits, line_bytes=limits.event_bytes))
