"""The wire format's own facts: address, credential, headers, failed responses."""

from __future__ import annotations

import pytest

from tokenwire.endpoint import Endpoint
from tokenwire.errors import OtherError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.wire import wire_by_kind
from tokenwire.wire.ollama import Ollama

WIRE = Ollama()
URL = "https://host.example/api"


def test_it_is_found_by_its_name() -> None:
    """As configurations write it."""
    assert wire_by_kind("ollama") == WIRE
    assert WIRE.kind == "ollama"


def test_the_request_goes_to_chat_without_a_key() -> None:
    """A server of one's own asks none."""
    request = Exchange(WIRE, Endpoint(base_url=URL)).send([Message.user("Hi")])
    assert request.url == "https://host.example/api/chat"
    headers = dict(request.headers)
    assert headers["accept"] == "application/x-ndjson"
    assert "authorization" not in headers


def test_a_key_is_sent_as_a_bearer_token() -> None:
    """Where there is one, as for the cloud."""
    endpoint = Endpoint(base_url=URL, credential="key-0123456789")
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")])
    assert dict(request.headers)["authorization"] == "Bearer key-0123456789"


def test_there_are_no_quirks() -> None:
    """Whatever is set is a mistake."""
    WIRE.check_quirks({})
    assert dict(WIRE.quirks) == {}
    with pytest.raises(ValueError, match="'version'"):
        WIRE.check_quirks({"version": 1})


def test_a_model_that_is_missing_is_not_found() -> None:
    """The message is the server's, and the hint does not send anybody elsewhere."""
    exchange = Exchange(WIRE, Endpoint(base_url=URL))
    exchange.send([Message.user("Hi")])
    exchange.receive_head(404, [("x-request-id", "req_1")])
    exchange.receive_data(b'{"error":"model \'m\' not found"}')
    [error] = exchange.receive_eof(clean=True)
    assert isinstance(error, OtherError)
    assert (error.kind, error.request_id) == ("not_found", "req_1")
    assert error.message == "model 'm' not found (POST https://host.example/api/chat)"


def test_no_allowances_are_reported() -> None:
    """The API has none."""
    assert WIRE.rate_limits({"x-ratelimit-limit-requests": "9"}) == ()
