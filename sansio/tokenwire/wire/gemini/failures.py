"""What servers of this API say when they fail, before a stream and inside one alike.

A failure is ``{"error": {"code", "message", "status", "details"}}``, sometimes alone in an array.
``code`` is the HTTP status, ``status`` a word of Google's RPC codes, and ``details`` holds what
tells the cases apart: the reason of an ``ErrorInfo``, the quotas of a ``QuotaFailure``, the delay
of a ``RetryInfo``.

Reference: https://ai.google.dev/gemini-api/docs/troubleshooting and
https://cloud.google.com/apis/design/errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from tokenwire import lenient_json as lenient
from tokenwire.errors import AuthError, OtherError, OtherKind, ProviderError, RateLimitError
from tokenwire.failures import error_json, failure_by_status, other_error, prose, quota_error
from tokenwire.retry_delay import parse_duration
from tokenwire.wire.gemini.chunks import PromptFeedback

_AUTH_STATUSES: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})

#: Reasons that speak of the key although the HTTP status is 400.
_AUTH_REASONS: Final = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_MISSING"})

_OTHER: Final[dict[str, OtherKind]] = {
    "NOT_FOUND": "not_found",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "ABORTED": "conflict",
    "INTERNAL": "server",
    "UNKNOWN": "server",
    "INVALID_ARGUMENT": "rejected",
    "FAILED_PRECONDITION": "rejected",
    "OUT_OF_RANGE": "rejected",
}

#: Context overruns have no code of their own.
_CONTEXT_LENGTH: Final = re.compile(r"maximum number of tokens|token limit|context (length|window)")


@final
@attrs.frozen(kw_only=True)
class Failure:
    """What a server says of a failure; every member may be missing.

    Attributes:
        message: In its words.
        status: The HTTP status, also inside a stream.
        word: Its word for the kind of failure, for instance ``"RESOURCE_EXHAUSTED"``.
        reason: A closer reason, for instance ``"API_KEY_INVALID"``.
        quotas: Names of the quotas that ran out.
        retry_after: Seconds to wait.
    """

    message: str | None = None
    status: int | None = None
    word: str | None = None
    reason: str | None = None
    quotas: tuple[str, ...] = ()
    retry_after: float | None = None


def read_failure(value: object) -> Failure | None:
    """Find a failure in a JSON value that stands where a chunk or an error body should.

    Returns:
        None if the value does not speak of a failure.
    """
    if wrapped := lenient.as_array(value):
        value = wrapped[0]
    error = lenient.as_object(value).get("error")
    if isinstance(error, str) and error:
        return Failure(message=lenient.repaired(error))
    members = lenient.as_object(error)
    return _failure(members) if members else None


def failed_response(status: int, body: bytes) -> ProviderError:
    """Read the response of a failed request. See `Wire.failure`."""
    value = error_json(body)
    if value is None:
        return classify(Failure(message=prose(body)), status)
    return classify(read_failure(value) or _failure(lenient.as_object(value)), status)


def error_event(data: bytes, max_depth: int) -> ProviderError:
    """Read an event named "error", whatever its shape."""
    try:
        value = lenient.decode(data, max_depth)
    except (lenient.NotJSONError, lenient.TooDeepError):
        value = data.decode("utf-8", "replace").strip()
    failure = read_failure(value) or read_failure({"error": value})
    return classify(failure or Failure(), None)


def blocked_prompt(feedback: PromptFeedback) -> OtherError:
    """Return the error for a prompt that the API refused to answer."""
    said = f": {feedback.block_reason_message}" if feedback.block_reason_message else ""
    message = f"the prompt was blocked ({feedback.block_reason}){said}"
    return other_error("content_filter", message, None, feedback.block_reason)


def classify(failure: Failure, status: int | None) -> ProviderError:
    """Map a failure to one of the five kinds.

    Args:
        failure: What the server said.
        status: HTTP status of a failed request; None inside a successful response, where the
            failure's own takes its place.
    """
    status = status if status is not None else failure.status
    message = failure.message or "the provider reported an error without a message"
    code = failure.reason or failure.word
    if failure.word in _AUTH_STATUSES or failure.reason in _AUTH_REASONS:
        return AuthError(message=message, status=status, code=code)
    if failure.word == "RESOURCE_EXHAUSTED" or status == 429:
        return _rate_limit(failure, message, status, code)
    kind = _OTHER.get(failure.word or "")
    if kind in ("rejected", None) and _CONTEXT_LENGTH.search(message) and status in (None, 400):
        kind = "context_length"
    error = (
        other_error(kind, message, status, code)
        if kind is not None
        else failure_by_status(status, message, code)
    )
    return attrs.evolve(error, retry_after=failure.retry_after)


def _rate_limit(
    failure: Failure, message: str, status: int | None, code: str | None
) -> RateLimitError:
    if any("PerDay" in quota for quota in failure.quotas):
        return attrs.evolve(quota_error(message, status, code), retry_after=failure.retry_after)
    return RateLimitError(
        scope="tokens" if any("Token" in quota for quota in failure.quotas) else "requests",
        message=message,
        status=status,
        code=code,
        retry_after=failure.retry_after,
        retryable=True,
    )


def _failure(members: Mapping[str, Any]) -> Failure:
    details = [lenient.as_object(detail) for detail in lenient.as_array(members.get("details"))]
    reasons = (lenient.as_text(detail.get("reason")) for detail in details)
    delays = (lenient.as_text(detail.get("retryDelay")) for detail in details)
    return Failure(
        message=lenient.as_text(members.get("message")) or None,
        status=_status(members.get("code")),
        word=lenient.as_text(members.get("status")),
        reason=next(filter(None, reasons), None),
        quotas=tuple(quota for detail in details for quota in _quotas(detail)),
        retry_after=next((parse_duration(delay) for delay in delays if delay), None),
    )


def _status(value: object) -> int | None:
    status = lenient.as_count(value)
    return status if status is not None and 300 <= status <= 599 else None


def _quotas(detail: Mapping[str, Any]) -> list[str]:
    violations = [lenient.as_object(item) for item in lenient.as_array(detail.get("violations"))]
    quotas = (lenient.as_text(violation.get("quotaId")) for violation in violations)
    return [quota for quota in quotas if quota]
