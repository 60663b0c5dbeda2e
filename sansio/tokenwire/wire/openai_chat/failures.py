"""What servers of this API say when they fail, in all the shapes in which they say it.

`read_failure` finds message, code and type in a JSON value of any known shape; `classify` maps them
to one of the five kinds, before a stream and inside one alike. The same is used for a body of an
HTTP error, a document in place of a stream, and an event.

Reference: https://developers.openai.com/docs/guides/error-codes and, for the compatible servers,
the recordings named beside each shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, final

import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.errors import AuthError, OtherKind, ProviderError, RateLimitError
from tokenwire.failures import error_json, failure_by_status, other_error, prose, quota_error

_QUOTA: Final = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "exceeded_current_quota_error",  # Moonshot
        "insufficient_balance",
    }
)
_RATE_LIMIT: Final = frozenset(
    {
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_reached_error",
        "rate_limited",
        "too_many_requests",
        "slow_down",
    }
)
_AUTH: Final = frozenset(
    {
        "invalid_api_key",
        "incorrect_api_key_provided",
        "authentication_error",
        "permission_error",
        "permission_denied",
        "unauthorized",
        "forbidden",
        "unsupported_country_region_territory",
    }
)
_OTHER: Final[dict[str, OtherKind]] = {
    "context_length_exceeded": "context_length",
    "string_above_max_length": "context_length",
    "exceed_context_size_error": "context_length",  # llama.cpp
    "request_too_large": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "moderation_blocked": "content_filter",
    "model_not_found": "not_found",
    "model_decommissioned": "not_found",
    "deploymentnotfound": "not_found",  # Azure
    "resource_not_found_error": "not_found",
    "not_found_error": "not_found",
    "server_is_overloaded": "overloaded",
    "service_unavailable_error": "overloaded",
    "overloaded_error": "overloaded",
    "engine_overloaded_error": "overloaded",
    "unavailable_error": "overloaded",  # llama.cpp while it loads
    "server_error": "server",
    "internal_server_error": "server",
    "internalservererror": "server",  # vLLM
    "internal_error": "server",
    "timeout": "timeout",
    "invalid_request_error": "rejected",
    "badrequesterror": "rejected",  # vLLM
}

#: Members in which gateways repeat the status of the server behind them.
_STATUS_MEMBERS: Final = ("status_code", "raw_status_code", "status")

#: Context overruns that servers report without a code of their own.
_CONTEXT_LENGTH: Final = re.compile(
    r"maximum context length|context (length|window|size)|too large for model|prompt is too long",
    re.IGNORECASE,
)


@final
class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of a failure; every member may be missing."""

    message: str | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    moderated: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """Code and type in lower case, the code first: it is the more precise."""
        return tuple(word.lower() for word in (self.code, self.type) if word)


def read_failure(value: object) -> Failure | None:
    """Find a failure in a JSON value that stands where a chunk or an error body should.

    Returns:
        None if the value does not speak of a failure. An ``error`` that is null, false or empty
        is none: healthy chunks of some servers have one.
    """
    if wrapped := lenient.as_array(value):  # the compatibility layer of Gemini wraps its errors
        value = wrapped[0]
    members = lenient.as_object(value)
    if error := members.get("error"):
        return _read_error(error, members)
    if error := lenient.as_object(members.get("x_groq")).get("error"):
        return _read_error(error, {})
    if members.get("object") == "error" or members.get("error_code"):
        return _failure(members)  # flat: older vLLM, Mistral, Databricks
    return _read_choice_failure(members)


def _read_error(error: object, beside: Mapping[str, Any]) -> Failure:
    """Read a member ``error`` that says something, with the members beside it."""
    if several := lenient.as_array(error):
        error = several[0]
    if isinstance(error, str) and error:
        # Ollama and xAI: the text itself, with a code beside it.
        return _failure({**beside, "message": beside.get("message") or error})
    if inner := lenient.as_object(error):
        return _failure({name: beside.get(name) for name in _STATUS_MEMBERS} | inner)
    return _failure({"code": error, **beside})  # a number, or true: what went wrong stands beside


def _read_choice_failure(members: Mapping[str, Any]) -> Failure | None:
    """Find a failure in a choice (OpenRouter), or in an object with a message in place of any."""
    choices = lenient.as_array(members.get("choices"))
    for choice in choices:
        choice_members = lenient.as_object(choice)
        if error := choice_members.get("error"):
            return _read_error(error, {})
        if choice_members.get("finish_reason") == "error":
            return Failure(message="the server ended the answer with an error")
    is_flat = isinstance(members.get("message"), str) and ("code" in members or "type" in members)
    return _failure(members) if is_flat and not choices and not members.get("usage") else None


def failed_response(status: int, body: bytes) -> ProviderError:
    """Read the response of a failed request. See `Wire.failure`."""
    return classify(read_error_body(body), status)


def read_error_body(body: bytes) -> Failure:
    """Find what the body of an HTTP error says: JSON in any shape, HTML or plain text."""
    value = error_json(body)
    if value is None:
        return Failure(message=prose(body))
    failure = read_failure(value)
    if failure is not None:
        return failure
    if isinstance(value, str):
        return Failure(message=lenient.repaired(value))
    members = lenient.as_object(value)
    if isinstance(page := members.get("html-message"), str):  # Portkey: JSON or HTML inside JSON
        return read_error_body(lenient.repaired(page).encode())
    return _failure(members)  # "message" or "detail" alone: FastAPI, gateways


def error_event(data: bytes, max_depth: int) -> ProviderError:
    """Read an event named "error", whatever its shape."""
    try:
        value = lenient.decode(data, max_depth)
    except (lenient.NotJSONError, lenient.TooDeepError):
        value = data.decode("utf-8", "replace").strip()
    failure = read_failure(value) or read_failure({"error": value})
    return classify(failure or Failure(), None)


def classify(failure: Failure, status: int | None) -> ProviderError:
    """Map a failure to one of the five kinds.

    Args:
        failure: What the server said.
        status: HTTP status of a failed request; None inside a successful response, where the
            failure's own status or code takes its place.
    """
    status = status if status is not None else failure.status
    message = failure.message or "the provider reported an error without a message"
    if failure.param and failure.param not in message:
        message = f"{message} (parameter {failure.param})"
    code = failure.code or failure.type
    words = failure.words
    if any(word in _QUOTA for word in words):
        return quota_error(message, status, code)
    if failure.moderated:
        return other_error("content_filter", message, status, code)
    if any(word in _AUTH for word in words) and status in (None, 400, 401, 403):
        return AuthError(message=message, status=status, code=code)
    if status == 429 or (status is None and any(word in _RATE_LIMIT for word in words)):
        return _rate_limit(failure, message, status, code)
    kind = _kind_by_words(failure, status)
    if kind is not None and status in (None, 400, 404, 413, 422, 503):
        return other_error(kind, message, status, code)
    return failure_by_status(status, message, code)


def _kind_by_words(failure: Failure, status: int | None) -> OtherKind | None:
    kind: OtherKind | None = next((_OTHER[word] for word in failure.words if word in _OTHER), None)
    if kind in (None, "rejected") and _CONTEXT_LENGTH.search(failure.message or ""):
        return "context_length"
    if kind == "rejected" and status is not None:
        return None  # the word only refines a status: a 404 of that type is "not found"
    return kind


def _rate_limit(
    failure: Failure, message: str, status: int | None, code: str | None
) -> ProviderError:
    by_tokens = "tokens" in failure.words or "tokens per" in message
    return RateLimitError(
        scope="tokens" if by_tokens else "requests",
        message=message,
        status=status,
        code=code,
        retryable=True,
    )


def _failure(members: Mapping[str, Any]) -> Failure:
    code = _word(members.get("code")) or _word(members.get("error_code"))
    metadata = lenient.as_object(members.get("metadata"))
    return Failure(
        message=_message(members),
        code=code,
        type=_word(members.get("type")),
        param=lenient.as_text(members.get("param")),
        status=_status(members, code),
        # OpenRouter: a 403 for what the prompt says, not for who asks.
        moderated="flagged_input" in metadata or "reasons" in metadata,
    )


def _message(members: Mapping[str, Any]) -> str | None:
    for name in ("message", "detail", "msg", "title", "error", "errors"):
        value = members.get(name)
        if isinstance(value, str) and value:
            return lenient.repaired(value)
        if isinstance(value, dict | list) and value:  # Mistral: what is wrong with which field
            return lenient.compact(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return None


def _word(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return lenient.as_text(value) or None


def _status(members: Mapping[str, Any], code: str | None) -> int | None:
    """Find the status that a failure inside a stream would have had outside of it."""
    for value in (*(members.get(name) for name in _STATUS_MEMBERS), code):
        word = _word(value)
        if word is not None and len(word) == 3 and word.isascii() and word.isdigit():
            status = int(word)
            if 300 <= status <= 599:
                return status
    return None
