"""Failures inside a stream have five shapes, and each has its kind."""

from __future__ import annotations

import pytest

from tests.sansio.wire.openai_responses.streams import JSON, read, read_body
from tokenwire.errors import AuthError, OtherError, RateLimitError

NESTED: JSON = {
    "type": "error",
    "status": 429,
    "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "Too many."},
}


@pytest.mark.parametrize(
    "event",
    [
        NESTED,
        {"type": "error", "code": "rate_limit_exceeded", "message": "Too many.", "param": None},
        {"error": NESTED["error"]},
        {"type": "response.failed", "response": {"error": NESTED["error"]}},
    ],
    ids=["nested", "flat", "bare", "failed response"],
)
def test_every_shape_of_an_error_is_understood(event: JSON) -> None:
    """The same failure in each."""
    [error] = read(event)
    assert isinstance(error, RateLimitError)
    assert (error.code, error.message) == ("rate_limit_exceeded", "Too many.")


def test_a_status_beside_the_error_counts() -> None:
    """The newer nested shape has it."""
    [error] = read({"type": "error", "status": 401, "error": {"message": "Who are you?"}})
    assert isinstance(error, AuthError)
    assert error.status == 401


def test_an_event_named_error_may_hold_plain_text() -> None:
    """From a proxy in between."""
    [error] = read_body(b"event: error\ndata: upstream is gone\n\n").events
    assert isinstance(error, OtherError)
    assert (error.kind, error.message) == ("server", "upstream is gone")


def test_an_event_named_error_fails_whatever_its_type() -> None:
    """Its name says enough."""
    [error] = read_body(
        b'event: error\ndata: {"type":"overloaded_error","message":"Busy"}\n\n'
    ).events
    assert isinstance(error, OtherError)
    assert error.kind == "overloaded"


def test_an_error_may_be_text_alone() -> None:
    """Its text is the message."""
    [error] = read({"error": "Busy"})
    assert isinstance(error, OtherError)
    assert error.message == "Busy"


def test_a_failed_response_may_keep_silent() -> None:
    """It failed all the same."""
    [error] = read({"type": "response.failed", "response": {}})
    assert isinstance(error, OtherError)
    assert (error.kind, error.retryable) == ("server", True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_prompt", "rejected"),
        ("bio_policy", "content_filter"),
        ("previous_response_not_found", "not_found"),
        ("invalid_base64_image", "rejected"),
        ("vector_store_timeout", "timeout"),
        ("server_error", "server"),
        ("anything_new", "server"),
    ],
)
def test_codes_of_failed_responses_have_their_kind(code: str, kind: str) -> None:
    """What the caller sent wrong is not to be tried again."""
    response = {"status": "failed", "error": {"code": code, "message": "Because."}}
    [error] = read({"type": "response.failed", "response": response})
    assert isinstance(error, OtherError)
    assert (error.kind, error.code) == (kind, code)
    assert error.retryable == (kind in ("server", "timeout"))
