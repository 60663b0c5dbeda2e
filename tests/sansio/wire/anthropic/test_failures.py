"""What servers say when they fail becomes one of the five kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenwire.errors import AuthError, OtherError, ProviderError, RateLimitError
from tokenwire.wire.anthropic.failures import Failure, classify, failed_response


def failed(status: int, kind: str | None, message: str = "No.", **members: Any) -> ProviderError:
    """Return the error for a body as the API sends it."""
    error = {"type": kind, "message": message, **members}
    return failed_response(status, json.dumps({"type": "error", "error": error}).encode())


@pytest.mark.parametrize(
    ("status", "kind", "label"),
    [
        (400, "invalid_request_error", "rejected"),
        (404, "not_found_error", "not_found"),
        (409, "conflict_error", "conflict"),
        (413, "request_too_large", "context_length"),
        (500, "api_error", "server"),
        (504, "timeout_error", "timeout"),
        (529, "overloaded_error", "overloaded"),
        (429, "overloaded_error", "overloaded"),
        (503, "api_error", "overloaded"),
        (404, "invalid_request_error", "not_found"),
        (529, None, "overloaded"),
        (502, "something_new", "server"),
    ],
)
def test_type_and_status_decide(status: int, kind: str | None, label: str) -> None:
    """A type that says more than the status goes before it."""
    error = failed(status, kind)
    assert isinstance(error, OtherError)
    assert (error.kind, error.status, error.code, error.message) == (label, status, kind, "No.")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication_error"), (403, "permission_error"), (401, "invalid_request_error")],
)
def test_a_refused_key_is_an_auth_error(status: int, kind: str) -> None:
    """By its type or by the status."""
    assert isinstance(failed(status, kind), AuthError)


@pytest.mark.parametrize(
    ("status", "kind", "message", "scope"),
    [
        (429, "rate_limit_error", "limit of 50 requests per minute", "requests"),
        (429, "rate_limit_error", "limit of 450,000 input tokens per minute", "tokens"),
        (429, None, "slow down", "requests"),
        (400, "rate_limit_error", "slow down", "requests"),
    ],
)
def test_a_rate_limit_passes(status: int, kind: str | None, message: str, scope: str) -> None:
    """Its scope is in the message alone."""
    error = failed(status, kind, message)
    assert isinstance(error, RateLimitError)
    assert (error.scope, error.retryable) == (scope, True)


@pytest.mark.parametrize(
    ("status", "kind", "members"),
    [
        (402, "billing_error", {}),
        (429, "rate_limit_error", {"details": {"error_code": "enforced_spend_limit_reached"}}),
        (400, "invalid_request_error", {"message": "Your credit balance is too low to access"}),
    ],
)
def test_a_quota_does_not_pass(status: int, kind: str, members: dict[str, Any]) -> None:
    """Waiting a moment brings no credit."""
    error = failed(status, kind, **members)
    assert isinstance(error, RateLimitError)
    assert (error.scope, error.retryable) == ("quota", False)


def test_the_finer_code_is_kept() -> None:
    """It is what a program can act on."""
    details = {"error_code": "ramp_limit_exceeded"}
    error = failed(429, "rate_limit_error", details=details)
    assert (error.code, error.retryable) == ("ramp_limit_exceeded", True)


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 3333404 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "request (60020 tokens) exceeds the available context size (8192 tokens)",
    ],
)
def test_a_prompt_that_is_too_long_has_a_kind_of_its_own(message: str) -> None:
    """The API has no type for it."""
    error = failed(400, "invalid_request_error", message)
    assert isinstance(error, OtherError)
    assert error.kind == "context_length"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"No."}', "No."),
        (b'{"detail":"No."}', "No."),
        (b'{"message":"No."}', "No."),
        (b"<html><title>502 Bad Gateway</title><body>x</body></html>", "502 Bad Gateway"),
        (b"no healthy upstream", "no healthy upstream"),
        (b"", "the provider reported an error without a message"),
        (b"[]", "the provider reported an error without a message"),
        (b'{"error":{"message":" "}}', "the provider reported an error without a message"),
        (
            b'{"error":{"message":7,"type":true}}',
            "the provider reported an error without a message",
        ),
    ],
)
def test_every_body_says_what_it_can(body: bytes, message: str) -> None:
    """Gateways have bodies of their own."""
    error = failed_response(502, body)
    assert isinstance(error, OtherError)
    assert (error.kind, error.message) == ("server", message)


def test_the_body_names_the_request() -> None:
    """For the provider's support."""
    assert failed_response(500, b'{"error":{},"type":"error"}').request_id is None
    body = b'{"type":"error","error":{"message":"No."},"request_id":"req_1"}'
    assert failed_response(500, body).request_id == "req_1"


@pytest.mark.parametrize("member", ["type", "code"])
def test_digits_are_the_status_that_a_stream_hides(member: str) -> None:
    """Compatible servers send it as type or code."""
    for digits in ("401", 401):
        body = json.dumps({"error": {"message": "No.", member: digits}}).encode()
        error = failed_response(401, body)
        assert (type(error), error.code) == (AuthError, None)
    assert isinstance(classify(Failure(status=401), None), AuthError)


@pytest.mark.parametrize("digits", ["1113", "200", "x"])
def test_other_words_are_no_status(digits: str) -> None:
    """A code of the server's own decides nothing."""
    body = json.dumps({"error": {"message": "No.", "code": digits}}).encode()
    assert failed_response(418, body).status == 418
