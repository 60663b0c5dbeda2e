"""What this API and the servers that speak it say when they fail.

The API names a type, sometimes a finer code in the details, and a message; the servers that speak
it as well have shapes of their own. `read_failure` finds what there is, `classify` maps it to one
of the five kinds, before a stream and inside one alike.

Reference: https://platform.claude.com/docs/en/api/errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from tokenwire import lenient_json as lenient
from tokenwire.errors import AuthError, OtherKind, ProviderError, RateLimitError
from tokenwire.failures import error_json, failure_by_status, other_error, prose, quota_error

_AUTH: Final = frozenset({"authentication_error", "permission_error"})

#: Types that say more than a status does. Those that say less (``invalid_request_error``,
#: ``api_error``) leave it to the status, which servers in between may have set.
_KINDS: Final[dict[str, OtherKind]] = {
    "not_found_error": "not_found",
    "conflict_error": "conflict",
    "request_too_large": "context_length",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}

#: Types that decide where no status does: inside a stream.
_STREAM_KINDS: Final[dict[str, OtherKind]] = {
    "invalid_request_error": "rejected",
    "api_error": "server",
}

#: Codes for what no short wait brings back, for instance ``enforced_spend_limit_reached``.
_QUOTA_CODE: Final = re.compile(r"spend_limit|quota|billing|credit")

#: A balance that is used up comes as an invalid request; only its message tells.
_QUOTA_MESSAGE: Final = re.compile(r"credit balance is too low", re.IGNORECASE)

_CONTEXT_LENGTH: Final = re.compile(
    r"prompt is too long|exceeds? (the )?context limit|context (length|window|size)", re.IGNORECASE
)


@final
@attrs.frozen(kw_only=True)
class Failure:
    """What a server says of a failure; every member may be missing."""

    message: str | None = None
    type: str | None = None
    code: str | None = None
    status: int | None = None
    request_id: str | None = None


def failed_response(status: int, body: bytes) -> ProviderError:
    """Read the response of a failed request. See `Wire.failure`."""
    return classify(_read_error_body(body), status)


def read_failure(value: object) -> Failure | None:
    """Find a failure in a JSON value that stands where an event or an error body should.

    Returns:
        None if the value does not speak of a failure. An empty or null ``error`` is none, unless
        the value's type says so.
    """
    members = lenient.as_object(value)
    error = members.get("error")
    if not error and members.get("type") != "error":
        return None
    inner = lenient.as_object(error) or {"message": error or members.get("message")}
    return _failure({"request_id": members.get("request_id"), **inner})


def classify(failure: Failure, status: int | None) -> ProviderError:
    """Map a failure to one of the five kinds.

    Args:
        failure: What the server said.
        status: HTTP status of a failed request; None inside a successful response, where the
            failure's own status takes its place.
    """
    error = _classify(failure, status if status is not None else failure.status)
    return attrs.evolve(error, request_id=failure.request_id)


def _classify(failure: Failure, status: int | None) -> ProviderError:
    message = failure.message or "the provider reported an error without a message"
    code = failure.code or failure.type
    if _is_quota(failure):
        return quota_error(message, status, code)
    if failure.type in _AUTH:
        return AuthError(message=message, status=status, code=code)
    is_rate_limit = failure.type == "rate_limit_error"
    if is_rate_limit or (status == 429 and failure.type not in _KINDS):
        return RateLimitError(
            scope="tokens" if "tokens per" in message else "requests",
            message=message,
            status=status,
            code=code,
            retryable=True,
        )
    kind = _kind(failure, status)
    if kind is not None:
        return other_error(kind, message, status, code)
    return failure_by_status(status, message, code)


def _is_quota(failure: Failure) -> bool:
    return (
        failure.type == "billing_error"
        or _QUOTA_CODE.search(failure.code or "") is not None
        or _QUOTA_MESSAGE.search(failure.message or "") is not None
    )


def _kind(failure: Failure, status: int | None) -> OtherKind | None:
    if failure.type in _KINDS:
        return _KINDS[failure.type]
    if status in (None, 400, 413) and _CONTEXT_LENGTH.search(failure.message or ""):
        return "context_length"
    return _STREAM_KINDS.get(failure.type or "") if status is None else None


def _read_error_body(body: bytes) -> Failure:
    """Find what the body of an HTTP error says: JSON in any shape, HTML or plain text."""
    value = error_json(body)
    if value is None:
        return Failure(message=prose(body))
    # "message" or "detail" alone: gateways
    return read_failure(value) or _failure(lenient.as_object(value))


def _failure(members: Mapping[str, Any]) -> Failure:
    # Compatible servers send statuses as types and codes, in digits.
    words = [_word(members.get("type")), _word(members.get("code"))]
    names = [word for word in words if word and not word.isdigit()]
    return Failure(
        message=_message(members),
        type=names[0] if names else None,
        code=lenient.as_text(lenient.as_object(members.get("details")).get("error_code")),
        status=next((int(word) for word in words if word and _is_status(word)), None),
        request_id=lenient.as_text(members.get("request_id")),
    )


def _message(members: Mapping[str, Any]) -> str | None:
    texts = (lenient.as_text(members.get(name)) for name in ("message", "detail"))
    return next((text for text in texts if text and not text.isspace()), None)


def _word(value: object) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else lenient.as_text(value)


def _is_status(word: str) -> bool:
    return len(word) == 3 and word.isascii() and word.isdigit() and "300" <= word <= "599"
