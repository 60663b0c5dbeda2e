"""What every session does with requests that are not on the wire yet, whatever the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.sansio.wire.socket_peers import CONFIG, HELLO, write
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import MalformedResponseError, NetworkError, OtherError, RateLimitError
from tokenwire.exchange import Exchange, State
from tokenwire.messages import Message
from tokenwire.response import RateLimit
from tokenwire.session import OpenAnswer, SentRequest, Session
from tokenwire.wire import SOCKET_KINDS, socket_wire_by_kind

LOST: Final = NetworkError(phase="body", message="lost", retryable=True)
OTHER: Final = (Message.user("Other"),)

#: Wire formats and settings with which a connection gives several answers at a time.
_SIDE_BY_SIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "openai-responses-ws": {},
    "openai-realtime": {"out_of_band": True},
}
#: And in every way in which it can be used.
_ALL: Final[list[tuple[str, Mapping[str, Any]]]] = [
    *_SIDE_BY_SIDE.items(),
    ("openai-realtime", {}),
]

several = pytest.mark.parametrize(("kind", "quirks"), _SIDE_BY_SIDE.items())
every = pytest.mark.parametrize(("kind", "quirks"), _ALL)


def new_session(
    kind: str,
    quirks: Mapping[str, Any],
    limits: Limits = Limits(),  # noqa: B008  # a value
) -> Session:
    """Return the session of a connection that is ready for requests."""
    endpoint = Endpoint(base_url="https://host.example/v1", quirks=quirks, limits=limits)
    session = socket_wire_by_kind(kind).session(endpoint, (), 0.0)
    write(session)
    return session


def requests_for(session: Session) -> list[OpenAnswer]:
    """Put on the wire what waits, and return whose requests these were, in order."""
    messages = iter(session.message_to_send, None)
    return [message.asks_for for message in messages if message.asks_for is not None]


@several
def test_requests_go_out_in_the_order_in_which_they_were_made(
    kind: str, quirks: Mapping[str, Any]
) -> None:
    """Each once, and each known by its last message."""
    session = new_session(kind, quirks)
    answers = [session.send(HELLO, CONFIG, 0) for _ in range(3)]
    assert requests_for(session) == answers
    assert requests_for(session) == []


@every
def test_a_session_says_whether_it_wants_to_send(kind: str, quirks: Mapping[str, Any]) -> None:
    """It does from the moment a request is made until its last message is handed out."""
    session = new_session(kind, quirks)
    at_first = session.wants_to_send
    session.send(HELLO, CONFIG, 0)
    when_asked = session.wants_to_send
    write(session)
    assert (at_first, when_asked, session.wants_to_send) == (False, True, False)


@several
def test_a_request_that_is_given_up_before_it_is_sent_is_never_sent(
    kind: str, quirks: Mapping[str, Any]
) -> None:
    """Those before and behind it are."""
    session = new_session(kind, quirks)
    first, given_up, last = (session.send(HELLO, CONFIG, 0) for _ in range(3))
    session.abandon(given_up)
    session.abandon(given_up)
    assert requests_for(session) == [first, last]


@every
def test_the_place_of_a_withdrawn_request_is_free_at_once(
    kind: str, quirks: Mapping[str, Any]
) -> None:
    """The server never heard of it, so that nothing has to end there."""
    session = new_session(kind, quirks)
    for _ in range(40):
        assert session.has_room(0)
        session.abandon(session.send(HELLO, CONFIG, 0))
        assert session.idle
    answer = session.send(OTHER, CONFIG, 0)
    assert requests_for(session) == [answer]


@every
def test_requests_that_were_not_sent_outlive_their_connection(
    kind: str, quirks: Mapping[str, Any]
) -> None:
    """Nothing was asked for: another connection can take them."""
    session = new_session(kind, quirks)
    answer = session.send(HELLO, CONFIG, 0)
    (delivery,) = session.receive_failure(LOST)
    assert delivery.answer is answer
    assert delivery.elsewhere
    assert session.message_to_send() is None
    assert session.idle


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("openai-responses-ws", "websocket_connection_limit_reached"),
        ("openai-realtime", "session_expired"),
    ],
)
def test_requests_that_were_not_sent_leave_a_connection_at_its_end(kind: str, code: str) -> None:
    """They would be refused as well; an idle connection may be told, too."""
    session = new_session(kind, {})
    answer = session.send(HELLO, CONFIG, 0)
    (delivery,) = session.receive_message(f'{{"type":"error","error":{{"code":"{code}"}}}}')
    assert delivery.answer is answer
    assert delivery.elsewhere
    assert session.idle
    assert session.expired(0)
    assert session.message_to_send() is None


@several
def test_a_connection_that_cannot_be_trusted_keeps_no_request(
    kind: str, quirks: Mapping[str, Any]
) -> None:
    """What was asked for fails, and what was not is for another connection."""
    session = new_session(kind, quirks)
    asked = session.send(HELLO, CONFIG, 0)
    write(session)
    waiting = session.send(HELLO, CONFIG, 0)
    failed, moved = session.receive_message(b"binary")
    (error,) = failed.events
    assert failed.answer is asked
    assert isinstance(error, MalformedResponseError)
    assert moved.answer is waiting
    assert moved.elsewhere
    assert requests_for(session) == []


@every
def test_an_error_is_never_about_what_was_not_sent(kind: str, quirks: Mapping[str, Any]) -> None:
    """Even if it says nothing about what it is about."""
    session = new_session(kind, quirks)
    answer = session.send(HELLO, CONFIG, 0)
    assert session.receive_message('{"type":"error","error":{"code":"server_error"}}') == []
    assert not session.broken
    assert requests_for(session) == [answer]


@several
def test_an_error_that_may_be_anybodys_leaves_nobody_waiting(
    kind: str, quirks: Mapping[str, Any]
) -> None:
    """What was asked for fails, and what was not is for another connection."""
    session = new_session(kind, quirks)
    for _ in range(2):
        session.send(HELLO, CONFIG, 0)
    write(session)
    waiting = session.send(HELLO, CONFIG, 0)
    *failed, moved = session.receive_message('{"type":"error","code":"server_error"}')
    assert [len(each.events) for each in failed] == [1, 1]
    assert moved.answer is waiting
    assert moved.elsewhere
    assert session.broken
    assert session.idle


@pytest.mark.parametrize("kind", SOCKET_KINDS)
def test_no_answer_begins_before_it_is_asked_for(kind: str) -> None:
    """What begins then is of somebody else."""
    session = new_session(kind, {})
    session.send(HELLO, CONFIG, 0)
    created = '{"type":"response.created","response":{"id":"r1"}}'
    assert session.receive_message(created) == []
    write(session)
    (delivery,) = session.receive_message(created)
    assert delivery.events == []


def test_nothing_that_is_said_shows_in_a_message() -> None:
    """Its size does."""
    session = new_session("openai-responses-ws", {})
    session.send([Message.user("a secret thought")], CONFIG, 0)
    message = session.message_to_send()
    assert message is not None
    assert repr(message) == f"OutgoingMessage(text=<{len(message.text)} characters>)"


# The end


@pytest.mark.parametrize("kind", SOCKET_KINDS)
def test_a_refused_connection_is_a_failed_request(kind: str) -> None:
    """With the API's own codes, headers and ids."""
    exchange = Exchange(socket_wire_by_kind(kind), Endpoint(base_url="https://host.example/v1"))
    exchange.send(HELLO, CONFIG)
    headers = (("x-request-id", "req_1"), ("retry-after", "2"), ("x-ratelimit-limit-requests", "5"))
    exchange.receive_head(429, headers)
    exchange.receive_data(b'{"error":{"code":"rate_limit_exceeded","message":"Slow."}}')
    (error,) = exchange.receive_eof(clean=True)
    assert isinstance(error, RateLimitError)
    assert (error.request_id, error.retry_after) == ("req_1", 2)
    assert exchange.response.rate_limits == (RateLimit(name="requests", limit=5),)


@pytest.mark.parametrize("kind", SOCKET_KINDS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socket_that_is_not_found_is_named_as_one(kind: str, scheme: str) -> None:
    """With what was asked for, and where, without the query."""
    wire = socket_wire_by_kind(kind)
    exchange = Exchange(wire, Endpoint(base_url=f"{scheme}://host.example/v1"))
    assert exchange.send(HELLO, CONFIG).method == "GET"
    exchange.receive_head(404, ())
    (error,) = exchange.receive_eof(clean=True)
    assert isinstance(error, OtherError)
    path = wire.path(CONFIG, {})
    assert error.message.endswith(f"(GET {scheme.replace('http', 'ws')}://host.example/v1{path})")
    read = Exchange(wire, Endpoint(base_url=f"{scheme}://host.example/v1"))
    read.expect(exchange.url, "GET")
    read.receive_head(404, ())
    (again,) = read.receive_eof(clean=True)
    assert isinstance(again, OtherError)
    assert again.message == error.message


@every
def test_an_answer_may_be_watched(kind: str, quirks: Mapping[str, Any]) -> None:
    """By what stands in front of its exchange; it is told what asks for the answer."""
    session = new_session(kind, quirks)
    watched: list[tuple[Exchange, SentRequest]] = []

    def tap(exchange: Exchange, sent: SentRequest) -> Exchange:
        watched.append((exchange, sent))
        return exchange

    answer = session.send(HELLO, CONFIG, 0, tap)
    ((exchange, sent),) = watched
    assert answer.exchange is exchange
    assert (exchange.state, sent.continued) == (State.SENT, False)
    messages = iter(session.message_to_send, None)
    assert tuple(message.text for message in messages) == sent.messages
    assert "Hello" not in repr(sent)


@every
def test_an_old_connection_takes_no_more_requests(kind: str, quirks: Mapping[str, Any]) -> None:
    """Ten minutes before the server ends it, or when the quirk says so."""
    session = new_session(kind, quirks)
    assert session.has_room(2999)
    assert not session.has_room(3000)
    assert session.expired(3000)
    assert not new_session(kind, {**quirks, "rotate_after": 60}).has_room(60)


@several
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"{}", "schema"),
        ("[]", "schema"),
        ("", "json"),
        ("{", "json"),
        ('{"type":"error"', "json"),
        ('{"type":"\ud800"}', "utf8"),
        ('"' + "x" * 2000 + '"', "limit"),
        ("[" * 40 + "]" * 40, "limit"),
        ("[" + "1," * 150 + "1]", "limit"),
    ],
)
def test_a_message_that_is_none_fails_every_answer(
    damage: str | bytes, reason: str, kind: str, quirks: Mapping[str, Any]
) -> None:
    """Nothing on such a connection can be trusted."""
    limits = Limits(event_bytes=1000, json_depth=20, json_values=100)
    session = new_session(kind, quirks, limits)
    one, two, left = (session.send(HELLO, CONFIG, 0) for _ in range(3))
    write(session)
    session.abandon(left)
    deliveries = session.receive_message(damage)
    assert [each.answer for each in deliveries] == [one, two]
    for delivery in deliveries:
        (error,) = delivery.events
        assert isinstance(error, MalformedResponseError)
        assert error.reason == reason
    assert session.broken
    assert session.idle
    assert not session.has_room(0)
    assert session.receive_message("{}") == []
