"""Errors for bytes that are no answer, shared by all wire formats."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.errors import MAX_EXCERPT_BYTES, MalformedResponseError

#: What msgspec raises for bytes that are no JSON of the type that was asked for.
UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def excerpt_of(body: bytes) -> str:
    """Return the beginning of a body as text, bounded."""
    return body[:MAX_EXCERPT_BYTES].decode("utf-8", "replace")


def limit_error(limit: str, bound: int) -> MalformedResponseError:
    """Return the error for a peer that went past a limit, which it names."""
    return MalformedResponseError(
        reason="limit",
        message=f"the response exceeds limits.{limit} ({bound}): raise it if this is expected",
    )


def truncated_error() -> MalformedResponseError:
    """Return the error for a clean end of the body before the end of the answer."""
    return MalformedResponseError(
        reason="truncated",
        message="the stream ended cleanly, but without a finish reason or end marker:"
        " the answer is cut off",
        retryable=True,
    )


def empty_error(message: str) -> MalformedResponseError:
    """Return the error for a body that holds nothing."""
    return MalformedResponseError(reason="empty", message=message, retryable=True)


def no_answer_error(what: str, body: bytes) -> MalformedResponseError:
    """Return the error for a body that no API sends: `what` says what it is not."""
    return MalformedResponseError(
        reason="content_type",
        message=f"the response is {what}: is base_url the API's?",
        excerpt=excerpt_of(body),
    )


def schema_error(message: str, data: bytes) -> MalformedResponseError:
    """Return the error for JSON of a shape that the API does not have."""
    return MalformedResponseError(reason="schema", message=message, excerpt=excerpt_of(data))


def refuse_many_values(data: bytes, limits: Limits) -> None:
    """Refuse a JSON text that would take up many times its own size once it is decoded.

    Raises:
        MalformedResponseError: If ``json_values`` is exceeded.
    """
    if lenient.holds_more_values(data, limits.json_values):
        raise limit_error("json_values", limits.json_values)


def decode_json(data: bytes, limits: Limits) -> object:
    """Decode a JSON text tolerantly.

    Raises:
        MalformedResponseError: If it is none, or nests too deep.
    """
    try:
        return lenient.decode(data, limits.json_depth)
    except lenient.TooDeepError:
        raise limit_error("json_depth", limits.json_depth) from None
    except lenient.NotJSONError as error:
        raise MalformedResponseError(
            reason="json" if error.utf8 else "utf8",
            message=f"the answer holds what is no valid {'JSON' if error.utf8 else 'UTF-8'}:"
            " the server or a proxy damaged it",
            excerpt=excerpt_of(data),
            retryable=True,
        ) from None


def decode_object(data: bytes, limits: Limits) -> dict[str, Any]:
    """Decode a JSON object tolerantly.

    Raises:
        MalformedResponseError: If it is no JSON object, or nests too deep.
    """
    value = decode_json(data, limits)
    if not isinstance(value, dict):
        raise schema_error("an event of the stream is JSON, but no object", data)
    return lenient.as_object(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON


def is_json(data: bytes, limits: Limits) -> bool:
    """Whether these bytes are one whole JSON text."""
    try:
        lenient.decode(data, limits.json_depth)
    except (lenient.NotJSONError, lenient.TooDeepError):
        return False
    return True
