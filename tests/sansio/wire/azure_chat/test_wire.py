"""Azure's own facts: two addresses, a credential, request ids."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuzz.exchanges import Response
from tests.recordings import outcome_of
from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError, OtherError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.response import RateLimit
from tokenwire.tokens import End, Finish, TextDelta
from tokenwire.wire import wire_by_kind
from tokenwire.wire.azure_chat import AzureChat

WIRE = AzureChat()
CLASSIC = "https://res.openai.azure.example/openai"


def send(base_url: str, quirks: dict[str, Any], **settings: Any) -> HTTPRequest:
    """Return the request to an endpoint with a key."""
    endpoint = Endpoint(base_url=base_url, credential="key-0123456789", quirks=quirks)
    return Exchange(WIRE, endpoint).send([Message.user("Hi")], ProviderConfig(**settings))


def test_it_is_found_by_its_name() -> None:
    """As configurations write it."""
    assert wire_by_kind("azure-chat") == WIRE
    assert WIRE.kind == "azure-chat"


def test_the_api_of_today_has_the_deployment_as_its_model() -> None:
    """And no version in the query."""
    request = send(f"{CLASSIC}/v1", {}, model="my-gpt")
    assert request.url == f"{CLASSIC}/v1/chat/completions"
    assert json.loads(request.body)["model"] == "my-gpt"


def test_the_classic_api_has_the_deployment_in_its_path() -> None:
    """Quoted, with the version in the query."""
    request = send(CLASSIC, {"api_version": "2024-10-21", "deployment": "my gpt/4"})
    path = "/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"
    assert request.url == CLASSIC + path


def test_the_model_names_the_deployment_where_no_quirk_does() -> None:
    """One endpoint then serves several."""
    request = send(CLASSIC, {"api_version": "2024-10-21"}, model="my-gpt")
    assert request.url.startswith(f"{CLASSIC}/deployments/my-gpt/chat/completions?")


def test_the_classic_api_without_a_deployment_is_refused() -> None:
    """Its address would not be complete."""
    with pytest.raises(LocalProtocolError, match="needs a deployment"):
        send(CLASSIC, {"api_version": "2024-10-21"})


def test_a_key_goes_in_its_own_header() -> None:
    """Not as a bearer token, unless the endpoint says so."""
    headers = dict(send(CLASSIC + "/v1", {}).headers)
    assert headers["api-key"] == "key-0123456789"
    assert "authorization" not in headers


def test_a_token_goes_as_a_bearer_token() -> None:
    """Microsoft Entra ID gives one out."""
    endpoint = Endpoint(base_url=CLASSIC + "/v1", credential="token-0123456789", auth="bearer")
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")])
    assert dict(request.headers)["authorization"] == "Bearer token-0123456789"


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"apim-request-id": "a", "x-request-id": "x"}, "a"),
        ({"x-request-id": "x"}, "x"),
        ({}, None),
    ],
)
def test_the_gateways_id_goes_before_the_models(
    headers: dict[str, str], request_id: str | None
) -> None:
    """It is what the support asks for."""
    assert WIRE.request_id(headers) == request_id


def test_rate_limits_are_those_of_the_whole_family() -> None:
    """By the same headers."""
    assert WIRE.rate_limits({"x-ratelimit-remaining-tokens": "5"}) == (
        RateLimit(name="tokens", remaining=5),
    )


def test_chunks_about_content_filters_bring_no_token() -> None:
    """Neither the first one, without choices, nor those without deltas."""
    chunks: list[dict[str, Any]] = [
        {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]},
        {"choices": [{"index": 0, "delta": None, "content_filter_offsets": {"start_offset": 0}}]},
        {"choices": [{"index": 0, "content_filter_results": {"hate": {"filtered": False}}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    assert outcome_of("azure-chat", Response(body.encode())).events == (
        TextDelta("Hi"),
        End("stop", "stop", {0: Finish("stop", "stop")}, model="m-1", response_id="c1"),
    )


def test_a_filter_may_stop_the_answer() -> None:
    """In mid-stream."""
    body = b'data: {"error":{"code":"content_filter","message":"Filtered."}}\n\n'
    [error] = outcome_of("azure-chat", Response(body)).events
    assert isinstance(error, OtherError)
    assert (error.kind, error.in_stream) == ("content_filter", True)
