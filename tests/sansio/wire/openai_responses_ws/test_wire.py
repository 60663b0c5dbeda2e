"""The wire format's own facts, and what an exchange makes of recorded messages."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from tests.sansio.wire.openai_responses_ws.conversations import (
    completed,
    created,
    delta,
    message,
    nested_error,
)
from tests.sansio.wire.socket_peers import CONFIG, HELLO
from tokenwire.config import Config, ConfigError
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import LocalProtocolError, MalformedResponseError, RateLimitError
from tokenwire.exchange import Exchange
from tokenwire.tokens import TextDelta, Token
from tokenwire.wire import SOCKET_KINDS, WIRE_KINDS, Wire, socket_wire_by_kind, wire_by_kind
from tokenwire.wire.openai_responses_ws import OpenAIResponsesSocket

WIRE = OpenAIResponsesSocket()
LIMITS = Limits()


def asked_exchange(limits: Limits = LIMITS) -> Exchange:
    """Return an exchange whose request is out."""
    exchange = Exchange(WIRE, Endpoint(base_url="https://host.example/v1", limits=limits))
    exchange.send(HELLO, CONFIG)
    return exchange


def lines(*messages: str) -> bytes:
    """Write messages as a recording has them, one a line."""
    return "".join(f"{each}\n" for each in messages).encode()


def test_it_is_found_by_its_name() -> None:
    """Among all wire formats, and among those that are spoken over a socket."""
    assert wire_by_kind("openai-responses-ws") == WIRE
    assert socket_wire_by_kind("openai-responses-ws") == WIRE
    assert not set(SOCKET_KINDS) & set(WIRE_KINDS)
    for kind in SOCKET_KINDS:
        assert wire_by_kind(kind).kind == kind


@pytest.mark.parametrize("find", [wire_by_kind, socket_wire_by_kind])
def test_an_unknown_name_is_told_the_nearest(find: Callable[[str], Wire]) -> None:
    """Of all wire formats."""
    with pytest.raises(ConfigError, match=r"did you mean 'openai-responses-ws'"):
        find("openai-responses-wss")


def test_a_configuration_may_name_it() -> None:
    """With its quirks, which are checked."""
    document = """
        [provider]
        kind = "openai-responses-ws"
        endpoint.base_url = "https://host.example/v1"
        endpoint.quirks.lanes = """
    assert Config.from_toml(document + "4").provider.kind == WIRE.kind
    with pytest.raises(ConfigError, match=r"lanes must be at most 16"):
        Config.from_toml(document + "17")


def test_every_quirk_is_described() -> None:
    """Those of the same API over HTTP among them."""
    assert {"lanes", "rotate_after", "system_role"} <= set(WIRE.quirks)
    WIRE.check_quirks({"lanes": 1, "rotate_after": 60, "system_role": "developer"})
    assert WIRE.answers_at_once({"lanes": 3}) == 3
    assert WIRE.answers_at_once({}) == 16
    with pytest.raises(ValueError, match="did you mean 'lanes'"):
        WIRE.check_quirks({"lane": 1})


@pytest.mark.parametrize("name", ["stream", "background"])
def test_what_only_http_has_is_refused(name: str) -> None:
    """The API would refuse it as well."""
    config = attrs.evolve(CONFIG, extra={name: True})
    with pytest.raises(LocalProtocolError, match=name):
        WIRE.encode(HELLO, config, {})


def test_a_message_may_be_as_long_as_an_event() -> None:
    """It is one, and a line of a recording only by the way."""
    exchange = asked_exchange(Limits(line_bytes=10, event_bytes=500))
    exchange.receive_head(200, ())
    assert exchange.receive_data(lines(created("r1"), delta("Hi"))) == [TextDelta("Hi")]
    (error,) = exchange.receive_data(lines(delta("x" * 600)))
    assert isinstance(error, MalformedResponseError)


@pytest.mark.parametrize("damage", ['{"type":"error"', "nonsense"])
def test_damage_in_a_recording_is_malformed(damage: str) -> None:
    """Also where it begins like an error."""
    exchange = asked_exchange()
    exchange.receive_head(200, ())
    (error,) = exchange.receive_data(lines(message("response.created"), damage))
    assert isinstance(error, MalformedResponseError)


def test_errors_carry_what_their_headers_say() -> None:
    """Also in a recording."""
    exchange = asked_exchange()
    exchange.receive_head(200, ())
    text = nested_error("rate_limit_exceeded", status=429, headers={"retry-after": "3"})
    (error,) = exchange.receive_data(lines(text))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 3


def test_the_end_of_a_connection_behind_the_end_of_an_answer_does_no_harm() -> None:
    """Whoever reads without an exchange may ask for the end again: it is the same."""
    answer = WIRE.answer(Limits(), {})
    tokens: list[Token] = []
    answer.receive_data(lines(delta("Hi"), completed("r1")), tokens)
    assert answer.complete
    ended_again: list[Token] = []
    answer.receive_cut(ended_again)
    assert ended_again == tokens[1:]
