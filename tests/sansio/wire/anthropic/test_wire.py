"""The wire format's own facts: address, credential, headers, failed responses."""

from __future__ import annotations

import json

import pytest

from tests.sansio.wire.anthropic.streams import STOP, begin, body, call, delta, end, text
from tokenwire.endpoint import Endpoint
from tokenwire.errors import OtherError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message, Reasoning, Text, ToolCall
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.wire import wire_by_kind
from tokenwire.wire.anthropic import Anthropic

WIRE = Anthropic()
URL = "https://host.example/v1"
CONFIG = ProviderConfig(max_output_tokens=9)


def test_it_is_found_by_its_name() -> None:
    """As configurations write it."""
    assert wire_by_kind("anthropic") == WIRE
    assert WIRE.kind == "anthropic"


def test_the_request_goes_to_messages_with_key_and_version() -> None:
    """Unless the endpoint says otherwise."""
    endpoint = Endpoint(base_url=URL, credential="key-0123456789")
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")], CONFIG)
    assert request.url == "https://host.example/v1/messages"
    headers = dict(request.headers)
    assert headers["x-api-key"] == "key-0123456789"
    assert headers["anthropic-version"] == "2026-10-21"
    assert headers["accept"] == "text/event-stream"


def test_the_version_is_a_quirk() -> None:
    """For servers that lag behind."""
    endpoint = Endpoint(base_url=URL, quirks={"version": "2023-06-01"})
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")], CONFIG)
    assert dict(request.headers)["anthropic-version"] == "2023-06-01"


def test_unknown_quirks_are_refused_at_once() -> None:
    """Before any request."""
    with pytest.raises(ValueError, match="did you mean 'version'"):
        WIRE.check_quirks({"versions": 1})
    assert "version" in WIRE.quirks


def test_responses_are_read_with_their_headers() -> None:
    """The failed ones too."""
    body_ = b'{"type":"error","error":{"type":"overloaded_error","message":"No."}}'
    error = WIRE.failure(529, {}, body_)
    assert isinstance(error, OtherError)
    assert (error.kind, error.retryable) == ("overloaded", True)
    assert WIRE.request_id({"request-id": "req_1"}) == "req_1"
    headers = {"anthropic-ratelimit-requests-limit": "9"}
    assert WIRE.rate_limits(headers) == (RateLimit(name="requests", limit=9),)


def test_thinking_goes_back_as_it_came() -> None:
    """From one answer into the next request, each block with its own signature."""
    blocks = [
        begin({"type": "thinking", "thinking": "", "signature": ""}),
        delta("thinking_delta", thinking="I see."),
        delta("signature_delta", signature="c2ln"),
        end(),
        begin({"type": "redacted_thinking", "data": "eA=="}, 1),
        end(1),
        begin({"type": "thinking", "thinking": "", "signature": ""}, 2),
        delta("signature_delta", 2, signature="aGlkZGVu"),
        end(2),
        begin({"type": "text", "text": ""}, 3),
        text("Hm.", 3),
        end(3),
        call(4),
        end(4),
    ]
    first = Exchange(WIRE, Endpoint(base_url=URL))
    first.send([Message.user("Hi")], CONFIG)
    first.receive_head(200, [])
    first.receive_data(body(*blocks, STOP))
    reply = first.partial().message
    assert reply.parts == (
        Reasoning("I see.", "c2ln"),
        Reasoning("", "redacted_thinking:eA=="),
        Reasoning("", "aGlkZGVu"),
        Text("Hm."),
        ToolCall(id="t1", name="look", arguments="{}"),
    )
    request = Exchange(WIRE, Endpoint(base_url=URL)).send([Message.user("Hi"), reply], CONFIG)
    assert json.loads(request.body)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "I see.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
        {"type": "thinking", "thinking": "", "signature": "aGlkZGVu"},
        {"type": "text", "text": "Hm."},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
    ]
