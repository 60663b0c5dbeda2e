"""What servers say when they fail becomes one of the five kinds."""

from __future__ import annotations

import json

import pytest

from tokenwire.errors import AuthError, OtherError, RateLimitError
from tokenwire.wire.ollama.failures import Failure, classify, read_error_body


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "model 'm' not found", "not_found"),
        (400, "registry/m does not support tools", "rejected"),
        (400, "the input length exceeds the context length", "context_length"),
        (500, "model requires more system memory", "server"),
        (503, "server busy, please try again", "overloaded"),
        (502, "upstream", "server"),
        (None, "model 'm' not found, try pulling it first", "not_found"),
        (None, "llama runner process has terminated", "server"),
    ],
)
def test_status_and_message_decide(status: int | None, message: str, kind: str) -> None:
    """There are no codes."""
    error = classify(Failure(message), status)
    assert isinstance(error, OtherError)
    assert (error.kind, error.status, error.message) == (kind, status, message)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthError), (402, RateLimitError), (429, RateLimitError)]
)
def test_the_cloud_refuses_by_status(status: int, kind: type) -> None:
    """Keys, credit and haste."""
    assert type(classify(Failure("No."), status)) is kind


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b'{"error":"No."}', Failure("No.")),
        (b'{"error":{"message":"No.","type":"t","code":"c"}}', Failure("No.", "c")),
        (b'{"error":{"message":"No.","type":"t","code":null}}', Failure("No.", "t")),
        (b'{"error":""}', Failure()),
        (b"[]", Failure()),
        (b"404 page not found", Failure("404 page not found")),
        (b"<title>502 Bad Gateway</title>", Failure("502 Bad Gateway")),
        (json.dumps({"error": " "}).encode(), Failure(" ")),
    ],
)
def test_every_body_says_what_it_can(body: bytes, failure: Failure) -> None:
    """A sentence, or an object from servers that speak this API as well."""
    assert read_error_body(body) == failure


@pytest.mark.parametrize("message", [None, "", " "])
def test_an_error_may_say_nothing(message: str | None) -> None:
    """Its own message says so."""
    assert "without a message" in classify(Failure(message), 500).message
