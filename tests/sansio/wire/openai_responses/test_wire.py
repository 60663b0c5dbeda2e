"""The wire format's own facts: address, credential, headers, failed responses."""

from __future__ import annotations

import json

import pytest

from tests.sansio.wire.openai_responses.streams import COMPLETED, JSON, delta, done, stream
from tokenwire.endpoint import Endpoint
from tokenwire.errors import AuthError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.response import RateLimit
from tokenwire.wire import wire_by_kind
from tokenwire.wire.openai_responses import OpenAIResponses

WIRE = OpenAIResponses()


def test_it_is_found_by_its_name() -> None:
    """As configurations write it."""
    assert wire_by_kind("openai-responses") == WIRE
    assert WIRE.kind == "openai-responses"


def test_the_request_goes_to_responses_with_a_bearer_token() -> None:
    """Unless the endpoint says otherwise."""
    endpoint = Endpoint(base_url="https://host.example/v1", credential="key-0123456789")
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")])
    assert request.url == "https://host.example/v1/responses"
    assert dict(request.headers)["authorization"] == "Bearer key-0123456789"
    assert dict(request.headers)["accept"] == "text/event-stream"


def test_unknown_quirks_are_refused_at_once() -> None:
    """Before any request."""
    with pytest.raises(ValueError, match="known: "):
        WIRE.check_quirks({"zzz": 1})
    assert "system_role" in WIRE.quirks


def test_a_failed_request_is_read_as_in_the_whole_family() -> None:
    """Codes and headers are the same."""
    error = WIRE.failure(401, {}, b'{"error":{"message":"No.","code":"invalid_api_key"}}')
    assert isinstance(error, AuthError)
    assert WIRE.request_id({"x-request-id": "req_1"}) == "req_1"
    headers = {"x-ratelimit-limit-requests": "9", "x-ratelimit-remaining-requests": "8"}
    assert WIRE.rate_limits(headers) == (RateLimit(name="requests", limit=9, remaining=8),)


def test_reasoning_goes_back_as_it_came() -> None:
    """From one answer into the next request, the encrypted content included."""
    item: JSON = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    first = Exchange(WIRE, Endpoint(base_url="https://host.example/v1"))
    first.send([Message.user("Hi")])
    first.receive_head(200, [])
    first.receive_data(stream(done(item), delta("output_text", "Ho"), COMPLETED))
    request = Exchange(WIRE, Endpoint(base_url="https://host.example/v1")).send(
        [Message.user("Hi"), first.partial().message]
    )
    assert json.loads(request.body)["input"][1:] == [
        item,
        {"type": "message", "role": "assistant", "content": "Ho"},
    ]
