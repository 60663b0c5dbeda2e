"""Messages of a socket, whatever they say: JSON in text, and each of them a line for its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.wire.malformed import UNDECODABLE, decode_object, limit_error, refuse_many_values
from tokenwire.wire.ndjson_answer import LineReader, NDJSONAnswer

T = TypeVar("T")


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


def read_envelope(
    message: bytes,
    limits: Limits,
    decode: Callable[[bytes], T],
    convert: Callable[[dict[str, Any]], T],
) -> T:
    """Read a message as far as routing needs it.

    Args:
        message: JSON.
        limits: What it must keep to.
        decode: Reads a message whose members have the types that they should have.
        convert: Makes the same of any other object.

    Raises:
        MalformedResponseError: If it is no JSON object, or exceeds a limit.
    """
    refuse_many_values(message, limits)
    try:
        return decode(message)
    except UNDECODABLE:
        return convert(decode_object(message, limits))


def as_line(message: bytes) -> bytes:
    """Return a message as a line of an answer's body."""
    # Outside of strings a line feed is white space, and inside of them JSON has none.
    return message.replace(b"\n", b" ") + b"\n"


def messages_answer(reader: LineReader, limits: Limits) -> NDJSONAnswer:
    """Begin to read the messages of one answer, one a line."""
    return NDJSONAnswer(reader, attrs.evolve(limits, line_bytes=limits.event_bytes))
