"""Azure's failures have the family's kinds, and say which filter a prompt set off."""

from __future__ import annotations

import json

import pytest

from tokenwire.errors import AuthError, OtherError, RateLimitError
from tokenwire.wire.azure_chat import AzureChat

WIRE = AzureChat()


@pytest.mark.parametrize("code", ["content_filter", "400"])
def test_a_filtered_prompt_names_the_filters(code: str) -> None:
    """Whichever of the two codes says that it was one."""
    inner = {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {
            "hate": {"filtered": True, "severity": "high"},
            "jailbreak": {"filtered": True, "detected": True},
            "violence": {"filtered": False, "severity": "safe"},
        },
    }
    body = {"error": {"message": "Was filtered.", "code": code, "innererror": inner}}
    error = WIRE.failure(400, {}, json.dumps(body).encode())
    assert isinstance(error, OtherError)
    assert error.kind == "content_filter"
    assert error.message == "Was filtered. (filtered: hate, jailbreak)"
    assert (error.code, error.status, error.retryable) == (code, 400, False)


def test_a_prompt_filtered_by_the_api_of_today_names_the_filters_too() -> None:
    """They stand in a list, one entry for the prompt and one for the answer."""
    results = {"violence": {"filtered": True}, "hate": {"filtered": False}, "x": None}
    filters = [{"blocked": True, "content_filter_results": results}, {"blocked": False}, None]
    body = {"error": {"message": "No.", "code": "content_filter", "content_filters": filters}}
    error = WIRE.failure(400, {}, json.dumps(body).encode())
    assert isinstance(error, OtherError)
    assert (error.kind, error.message) == ("content_filter", "No. (filtered: violence)")


def test_a_gateways_refusal_is_an_auth_error() -> None:
    """It has a shape of its own."""
    error = WIRE.failure(401, {}, b'{"statusCode":401,"message":"Access denied."}')
    assert isinstance(error, AuthError)
    assert error.message == "Access denied."


def test_a_code_may_be_a_status_in_quotes() -> None:
    """Then it is no word."""
    error = WIRE.failure(401, {}, b'{"error":{"code":"401","message":"Access denied."}}')
    assert isinstance(error, AuthError)
    assert error.code == "401"


def test_a_missing_deployment_is_not_found() -> None:
    """As a missing model is elsewhere."""
    error = WIRE.failure(404, {}, b'{"error":{"code":"DeploymentNotFound","message":"None."}}')
    assert isinstance(error, OtherError)
    assert error.kind == "not_found"


def test_too_many_requests_are_a_rate_limit() -> None:
    """With a type that only Azure has."""
    error = WIRE.failure(429, {}, b'{"error":{"type":"too_many_requests","message":"Wait."}}')
    assert isinstance(error, RateLimitError)
    assert error.retryable


@pytest.mark.parametrize("body", [b"<title>502 Bad Gateway</title>", b"[" * 100])
def test_what_is_no_json_is_read_as_prose(body: bytes) -> None:
    """A proxy in between wrote it."""
    error = WIRE.failure(502, {}, body)
    assert isinstance(error, OtherError)
    assert error.kind == "server"
