"""What this API says when it fails: a sentence, and outside of a stream a status.

``{"error": "model 'm' not found"}`` is the body of an HTTP error, or a line of a stream whose
status was a success. Servers that speak this API as well may send an object in its place.

Reference: https://docs.ollama.com/api/errors.
"""

from __future__ import annotations

import re
from typing import Any, Final, final

import attrs

from tokenwire import lenient_json as lenient
from tokenwire.errors import OtherKind, ProviderError
from tokenwire.failures import error_json, failure_by_status, other_error, prose

_CONTEXT_LENGTH: Final = re.compile(
    r"context (length|window|size)|prompt is too long|input (is )?too long", re.IGNORECASE
)
_NOT_FOUND: Final = re.compile(r"model .*not found", re.IGNORECASE)


@final
@attrs.frozen
class Failure:
    """What a server says of a failure; every member may be missing."""

    message: str | None = None
    code: str | None = None


def read_failure(value: object) -> Failure | None:
    """Find a failure in a JSON value that stands where a line or an error body should.

    Returns:
        None if the value does not speak of a failure. An empty or null ``error`` is none.
    """
    error = lenient.as_object(value).get("error")
    if not error:
        return None
    inner: dict[str, Any] = lenient.as_object(error) or {"message": error}
    words = (lenient.as_text(inner.get(name)) for name in ("code", "type"))
    return Failure(lenient.as_text(inner.get("message")), next(filter(None, words), None))


def read_error_body(body: bytes) -> Failure:
    """Find what the body of an HTTP error says: JSON, HTML or plain text."""
    value = error_json(body)
    if value is None:
        return Failure(prose(body))
    return read_failure(value) or Failure()


def classify(failure: Failure, status: int | None) -> ProviderError:
    """Map a failure to one of the five kinds.

    Args:
        failure: What the server said.
        status: HTTP status of a failed request; None inside a successful response.
    """
    message = (failure.message or "").strip() or "the provider reported an error without a message"
    kind = _kind_by_words(message) if status in (None, 400, 404, 413, 500) else None
    if kind is not None:
        return other_error(kind, message, status, failure.code)
    return failure_by_status(status, message, failure.code)


def _kind_by_words(message: str) -> OtherKind | None:
    """Tell the kind by the message: the API has no codes."""
    if _CONTEXT_LENGTH.search(message):
        return "context_length"
    return "not_found" if _NOT_FOUND.search(message) else None
