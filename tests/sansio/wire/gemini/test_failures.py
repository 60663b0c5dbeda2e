"""Google's failures tell their kind by words, reasons and quotas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sansio.wire.gemini.streams import read_body
from tokenwire.errors import AuthError, OtherError, ProviderError, RateLimitError
from tokenwire.wire.gemini import Gemini


def failure(status: int, error: Any) -> ProviderError:
    """Read a failed request."""
    return Gemini().failure(status, {}, json.dumps({"error": error}).encode())


def quota(quota_id: str) -> dict[str, Any]:
    """Return the details of a used-up quota."""
    return {
        "code": 429,
        "message": "Quota exceeded.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "x/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]},
            {"@type": "x/google.rpc.RetryInfo", "retryDelay": "14s"},
        ],
    }


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "INVALID_ARGUMENT", "rejected"),
        (400, "FAILED_PRECONDITION", "rejected"),
        (404, "NOT_FOUND", "not_found"),
        (409, "ABORTED", "conflict"),
        (500, "INTERNAL", "server"),
        (503, "UNAVAILABLE", "overloaded"),
        (504, "DEADLINE_EXCEEDED", "timeout"),
        (501, "UNIMPLEMENTED", "server"),
    ],
)
def test_words_have_their_kind(status: int, word: str, kind: str) -> None:
    """Where there is none, the status decides."""
    error = failure(status, {"code": status, "message": "Because.", "status": word})
    assert isinstance(error, OtherError)
    assert (error.kind, error.code, error.message) == (kind, word, "Because.")


@pytest.mark.parametrize(
    "error",
    [
        {"code": 401, "status": "UNAUTHENTICATED"},
        {"code": 403, "status": "PERMISSION_DENIED"},
        {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "x/ErrorInfo"}, {"reason": "API_KEY_INVALID"}],
        },
    ],
)
def test_a_bad_key_is_an_auth_error(error: dict[str, Any]) -> None:
    """Although its status may be 400."""
    assert isinstance(failure(error["code"], error), AuthError)


def test_a_quota_by_the_minute_passes() -> None:
    """The server says when."""
    error = failure(429, quota("GenerateRequestsPerMinutePerProjectPerModel"))
    assert isinstance(error, RateLimitError)
    assert (error.scope, error.retryable, error.retry_after) == ("requests", True, 14.0)


def test_a_quota_of_tokens_says_so() -> None:
    """By the name of the quota."""
    error = failure(429, quota("GenerateContentInputTokensPerModelPerMinute"))
    assert isinstance(error, RateLimitError)
    assert error.scope == "tokens"


def test_a_quota_by_the_day_does_not_pass() -> None:
    """Whatever delay the server asks for."""
    error = failure(429, quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"))
    assert isinstance(error, RateLimitError)
    assert (error.scope, error.retryable, error.retry_after) == ("quota", False, 14.0)


def test_a_prompt_that_is_too_long_says_so() -> None:
    """By its message alone."""
    message = "The input token count exceeds the maximum number of tokens allowed (1048576)."
    error = failure(400, {"code": 400, "message": message, "status": "INVALID_ARGUMENT"})
    assert isinstance(error, OtherError)
    assert error.kind == "context_length"


def test_the_delay_of_an_overload_is_kept() -> None:
    """It is told in the body."""
    details = [{"retryDelay": "2.5s"}, {"violations": [{"quotaMetric": "x"}, None]}]
    error = failure(503, {"code": 503, "status": "UNAVAILABLE", "details": details})
    assert (error.retry_after, error.retryable) == (2.5, True)


def test_an_error_may_be_wrapped_in_an_array() -> None:
    """As where a stream was asked for."""
    error = Gemini().failure(404, {}, b'[{"error":{"code":404,"status":"NOT_FOUND"}}]')
    assert isinstance(error, OtherError)
    assert error.kind == "not_found"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<title>Error 404</title>", "Error 404"),
        (b'{"error":"No such path."}', "No such path."),
        (b'{"message":"No such path."}', "No such path."),
        (b"", "the provider reported an error without a message"),
        (b"[]", "the provider reported an error without a message"),
        (b"[" * 100, "[" * 100),
    ],
)
def test_other_bodies_are_read_as_well_as_can_be(body: bytes, message: str) -> None:
    """Proxies have shapes of their own."""
    error = Gemini().failure(404, {}, body)
    assert isinstance(error, OtherError)
    assert (error.kind, error.message) == ("not_found", message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"upstream is gone", "upstream is gone"),
        (b'{"code":500}', "the provider reported an error without a message"),
        (b'{"message":"Busy.","code":503}', "Busy."),
    ],
)
def test_an_event_named_error_fails_whatever_its_shape(data: bytes, message: str) -> None:
    """Its name says enough."""
    [error] = read_body(b"event: error\ndata: " + data + b"\n\n").events
    assert isinstance(error, OtherError)
    assert (error.kind == "overloaded") == (b"503" in data)
    assert error.message == message


def test_an_event_named_error_may_be_empty() -> None:
    """It failed all the same."""
    [error] = read_body(b"event: error\ndata:\n\n").events
    assert isinstance(error, OtherError)
    assert error.kind == "server"
