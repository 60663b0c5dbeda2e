"""The wire format's own facts: address, credential, headers."""

from __future__ import annotations

import pytest

from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire import wire_by_kind
from tokenwire.wire.gemini import Gemini

WIRE = Gemini()
BASE_URL = "https://host.example/v1beta"


def test_it_is_found_by_its_name() -> None:
    """As configurations write it."""
    assert wire_by_kind("gemini") == WIRE
    assert WIRE.kind == "gemini"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("some-model", "/models/some-model"),
        ("some model?", "/models/some%20model%3F"),
        ("tunedModels/mine", "/tunedModels/mine"),
    ],
)
def test_the_model_is_part_of_the_address(model: str, path: str) -> None:
    """A resource name is taken as it is."""
    endpoint = Endpoint(base_url=BASE_URL)
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")], ProviderConfig(model=model))
    assert request.url == f"{BASE_URL}{path}:streamGenerateContent?alt=sse"


def test_a_model_is_required() -> None:
    """Without it the address is not complete."""
    with pytest.raises(LocalProtocolError, match=r"^model: .*in its address"):
        Exchange(WIRE, Endpoint(base_url=BASE_URL)).send([Message.user("Hi")])


def test_a_key_goes_in_its_own_header() -> None:
    """Never in the URL, which ends up in logs."""
    endpoint = Endpoint(base_url=BASE_URL, credential="key-0123456789")
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")], ProviderConfig(model="m"))
    assert dict(request.headers)["x-goog-api-key"] == "key-0123456789"
    assert "key-0123456789" not in request.url


def test_vertex_takes_a_bearer_token() -> None:
    """At an address of its own, with the same path behind it."""
    base_url = "https://host.example/v1/projects/p/locations/l/publishers/google"
    endpoint = Endpoint(base_url=base_url, credential="token-0123456789", auth="bearer")
    request = Exchange(WIRE, endpoint).send([Message.user("Hi")], ProviderConfig(model="m"))
    assert request.url == f"{base_url}/models/m:streamGenerateContent?alt=sse"
    assert dict(request.headers)["authorization"] == "Bearer token-0123456789"


def test_unknown_quirks_are_refused_at_once() -> None:
    """Before any request."""
    with pytest.raises(ValueError, match="known: "):
        WIRE.check_quirks({"zzz": 1})
    assert "include_thoughts" in WIRE.quirks


def test_headers_say_little() -> None:
    """A request id, where a gateway gives one, and no allowances."""
    assert WIRE.request_id({"x-request-id": "r"}) == "r"
    assert WIRE.request_id({}) is None
    assert WIRE.rate_limits({"x-ratelimit-limit-requests": "9"}) == ()
