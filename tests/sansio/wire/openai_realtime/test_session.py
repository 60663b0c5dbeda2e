"""One connection: whose each event is, and what becomes of it when something goes wrong."""

from __future__ import annotations

import attrs
import pytest

from tests.sansio.wire.openai_realtime.conversations import (
    OUT_OF_BAND,
    answered,
    asked,
    created,
    delta,
    done,
    event,
    failure,
    item,
    new_session,
    sent,
)
from tests.sansio.wire.socket_peers import CONFIG, HELLO, events_of, received
from tests.sansio.wire.socket_peers import sent as written
from tokenwire.endpoint import Limits
from tokenwire.errors import (
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
)
from tokenwire.messages import Message
from tokenwire.response import RateLimit
from tokenwire.tokens import End, TextDelta

LOST = NetworkError(phase="body", message="lost", retryable=True)
MORE = Message.user("More")


def test_a_connection_begins_with_its_set_up() -> None:
    """It is for text; nothing else is said before there is something to ask."""
    session = new_session()
    (opening,) = written(session)
    assert opening["type"] == "session.update"
    assert opening["session"] == {"type": "realtime", "output_modalities": ["text"]}
    assert written(session) == []


def test_a_request_is_items_and_what_asks_for_an_answer() -> None:
    """All of them are named, so that errors can be told apart."""
    session = new_session()
    asked(session)
    creating, asking = sent(session)
    assert creating == {
        "type": "conversation.item.create",
        "event_id": "answer-0.0",
        "item": {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hello"}],
        },
    }
    assert asking == {
        "type": "response.create",
        "event_id": "answer-0",
        "response": {"output_modalities": ["text"], "metadata": {"tokenwire": "answer-0"}},
    }
    assert sent(session) == []


def test_an_answer_comes_as_tokens_and_one_end() -> None:
    """Each event is delivered at once; the first only says that the answer has begun."""
    session = new_session(headers=(("X-Request-Id", "req_1"),))
    answer = asked(session)
    assert not session.has_room(0)
    deliveries = received(
        session,
        event("session.created", session={"id": "sess_1"}),
        item("item-1"),
        created("r1", "answer-0"),
        delta("r1", "Hi"),
        delta("r1", "."),
        done("r1"),
    )
    assert [each.events for each in deliveries[:3]] == [[], [TextDelta("Hi")], [TextDelta(".")]]
    (end,) = deliveries[3].events
    assert isinstance(end, End)
    assert end.response_id == "r1"
    assert [each["type"] for each in sent(session)][1:] == ["response.create"]
    assert answer.exchange.response.request_id == "req_1"
    assert session.idle
    assert not answer.continues


def test_more_than_there_is_room_for_is_refused() -> None:
    """A conversation has one answer at a time."""
    session = new_session()
    asked(session)
    with pytest.raises(LocalProtocolError, match="has_room"):
        asked(session)


@pytest.mark.parametrize("name", ["event_id", "metadata"])
def test_names_are_the_sessions_to_give(name: str) -> None:
    """They tell answers apart."""
    config = attrs.evolve(CONFIG, extra={name: {"a": "b"}})
    with pytest.raises(LocalProtocolError, match=name):
        new_session().send(HELLO, config, 0)


# Conversations


def test_only_what_is_new_is_sent_to_the_connection_that_holds_the_rest() -> None:
    """With the instructions, which are no part of the conversation there."""
    session = new_session()
    system = Message.system("Be brief.")
    conversation = [system, *HELLO]
    reply = answered(session, asked(session, *conversation), "r1")
    sent(session)
    longer = [*conversation, reply, MORE]
    assert session.continues(longer, CONFIG)
    assert asked(session, *longer).continues
    creating, asking = sent(session)
    assert creating["item"]["content"] == [{"type": "input_text", "text": "More"}]
    assert asking["response"]["instructions"] == "Be brief."


def test_a_connection_is_for_one_conversation() -> None:
    """What the server keeps would be part of the answer to another one."""
    session = new_session()
    assert session.suits([MORE], CONFIG)
    reply = answered(session, asked(session), "r1")
    assert session.suits([*HELLO, reply, MORE], CONFIG)
    for other in (HELLO, [MORE], [*HELLO, reply], [*HELLO, Message.assistant("Ho."), MORE]):
        assert not session.suits(other, CONFIG)
        with pytest.raises(LocalProtocolError, match="suits"):
            asked(session, *other)
    assert not session.expired(0)


def test_a_request_that_cannot_be_sent_changes_nothing() -> None:
    """The conversation is still there to go on."""
    session = new_session()
    longer = [*HELLO, answered(session, asked(session), "r1"), MORE]
    sent(session)
    with pytest.raises(LocalProtocolError):
        session.send(HELLO, attrs.evolve(CONFIG, seed=1), 0)
    assert sent(session) == []
    assert session.continues(longer, CONFIG)


@pytest.mark.parametrize("status", ["incomplete", "cancelled", "failed"])
def test_a_conversation_whose_answer_broke_off_ends_its_connection(status: str) -> None:
    """What the server keeps of it is not known, so that nothing can go on from there."""
    session = new_session()
    answer = asked(session)
    received(session, created("r1"), delta("r1", "Hi."))
    assert not session.expired(0)
    received(session, done("r1", status))
    longer = [*HELLO, answer.exchange.partial().message, MORE]
    assert not session.suits(longer, CONFIG)
    assert session.expired(0)
    assert not session.broken


def test_a_response_that_is_begun_again_is_none_of_the_next_answers() -> None:
    """It is known by its id, also where the server repeats no metadata."""
    session = new_session()
    conversation = list(HELLO)
    for response_id in ("r1", "r2"):
        conversation += [answered(session, asked(session, *conversation), response_id), MORE]
    answer = asked(session, *conversation)
    assert received(session, created("r1"), created("r2")) == []
    assert events_of(answer, received(session, created("r3"), delta("r3", "Yes.")))


# Out of band


def test_answers_out_of_band_come_side_by_side() -> None:
    """Each request brings its conversation, and each event names its response."""
    session = new_session(quirks=OUT_OF_BAND)
    one, two = asked(session), asked(session, MORE)
    first, second = sent(session)
    assert first["response"]["conversation"] == "none"
    assert second["response"]["input"][0]["content"] == [{"type": "input_text", "text": "More"}]
    deliveries = received(
        session,
        created("r2", two.name),
        created("r1", one.name),
        delta("r2", "b"),
        delta("r1", "a"),
        done("r1"),
        done("r2"),
    )
    assert events_of(one, deliveries)[0] == TextDelta("a")
    assert events_of(two, deliveries)[0] == TextDelta("b")
    assert all(isinstance(events_of(each, deliveries)[-1], End) for each in (one, two))


def test_nothing_is_held_out_of_band() -> None:
    """There is no conversation, so that any other may be next, also after one that broke off."""
    session = new_session(quirks=OUT_OF_BAND)
    longer = [*HELLO, answered(session, asked(session), "r1"), MORE]
    sent(session)
    assert not session.continues(longer, CONFIG)
    answer = asked(session, *longer)
    (asking,) = sent(session)
    assert len(asking["response"]["input"]) == 3
    received(session, created("r2", answer.name), done("r2", "incomplete"))
    assert session.suits([MORE], CONFIG)
    assert session.has_room(0)


def test_sixteen_answers_are_the_most() -> None:
    """More open another connection."""
    session = new_session(quirks=OUT_OF_BAND)
    for _ in range(16):
        assert session.has_room(0)
        asked(session)
    assert not session.has_room(0)


@pytest.mark.parametrize("number", [1, 2])
def test_a_server_that_repeats_no_metadata_is_not_trusted_out_of_band(number: int) -> None:
    """It may know nothing of it, and answer what was asked before; the error says what to do."""
    session = new_session(quirks=OUT_OF_BAND)
    assert received(session, created("r0")) == []
    answers = [asked(session) for _ in range(number)]
    deliveries = received(session, created("r1"), delta("r1", "Hi"))
    for each in answers:
        (error,) = events_of(each, deliveries)
        assert isinstance(error, MalformedResponseError)
        assert "out_of_band" in error.message
    assert session.broken


# What reaches nobody


def test_a_response_that_nobody_asked_for_reaches_nobody() -> None:
    """Neither one of an unknown request, nor one that begins a second time, nor a late event."""
    session = new_session()
    answer = asked(session)
    deliveries = received(
        session,
        delta("r0", "early"),
        created("r0", "answer-9"),
        delta("r0", "foreign"),
        created("r1", "answer-0"),
        created("r1", "answer-0"),
        delta("r1", "Hi"),
        event("response.output_text.delta", delta="whose?"),
        done("r1"),
        delta("r1", "late"),
        done("r1"),
    )
    assert events_of(answer, deliveries)[0] == TextDelta("Hi")
    assert len(deliveries) == 3
    asked(session, *HELLO, answer.exchange.partial().message, MORE)
    assert received(session, created("r1"), delta("r1", "late")) == []


def test_a_response_without_an_id_is_none() -> None:
    """Nothing could be told to be of it."""
    session = new_session()
    assert received(session, created(None)) == []
    answer = asked(session)
    (error,) = events_of(answer, received(session, created(None)))
    assert isinstance(error, MalformedResponseError)
    assert session.broken


# Leaving


def test_an_abandoned_answer_is_cancelled() -> None:
    """Its place is free again when the server says so."""
    session = new_session()
    answer = asked(session)
    received(session, created("r1"))
    sent(session)
    session.abandon(answer)
    session.abandon(answer)
    (cancelling,) = sent(session)
    assert (cancelling["type"], cancelling["response_id"]) == ("response.cancel", "r1")
    assert not session.idle
    assert received(session, delta("r1", "late"), done("r1", "cancelled")) == []
    assert session.idle


def test_an_answer_abandoned_before_it_begins_is_cancelled_when_it_does() -> None:
    """Before that there is nothing to name."""
    session = new_session()
    answer = asked(session)
    sent(session)
    session.abandon(answer)
    assert sent(session) == []
    assert received(session, created("r1")) == []
    assert [each["type"] for each in sent(session)] == ["response.cancel"]


def test_an_answer_that_is_over_cannot_be_abandoned() -> None:
    """There is nothing to cancel."""
    session = new_session()
    answer = asked(session)
    answered(session, answer, "r1")
    sent(session)
    session.abandon(answer)
    assert sent(session) == []


def test_what_exceeds_an_answers_limit_is_cancelled() -> None:
    """The answer failed here, and the server is told."""
    session = new_session(limits=Limits(answer_bytes=1030))
    answer = asked(session)
    sent(session)
    texts = [created("r1"), delta("r1", "x"), delta("r1", "y" * 20), delta("r1", "z")]
    (_, error) = events_of(answer, received(session, *texts))
    assert isinstance(error, MalformedResponseError)
    assert [each["type"] for each in sent(session)] == ["response.cancel"]
    received(session, done("r1", "cancelled"))
    assert session.idle


def test_a_request_that_was_not_sent_leaves_the_conversation_as_it_was() -> None:
    """An empty one is free for any other, a longer one goes on."""
    session = new_session()
    sent(session)
    session.abandon(asked(session, MORE))
    assert session.suits(HELLO, CONFIG)
    longer = [*HELLO, answered(session, asked(session), "r1"), MORE]
    session.abandon(asked(session, *longer))
    assert session.continues(longer, CONFIG)
    assert not session.expired(0)


def test_a_request_of_which_half_was_sent_is_not_completed() -> None:
    """No answer is asked for; what the server has of it makes the connection useless."""
    session = new_session()
    sent(session)
    answer = asked(session)
    message = session.message_to_send()
    assert message is not None
    assert message.asks_for is None
    session.abandon(answer)
    assert session.message_to_send() is None
    assert session.idle
    assert session.expired(0)


# Rate limits


def test_rate_limits_belong_to_the_answers_under_way() -> None:
    """And to those that come, until others are told."""
    session = new_session(quirks=OUT_OF_BAND)
    tokens = {"name": "tokens", "limit": 50, "remaining": 40, "reset_seconds": 1.5}
    begun, waiting = asked(session), asked(session)
    received(session, created("r1", begun.name))
    odd = [{"limit": 1}, {"name": "requests", "reset_seconds": True}, 7]
    assert received(session, event("rate_limits.updated", rate_limits=[tokens, *odd])) == []
    expected = (
        RateLimit(name="tokens", limit=50, remaining=40, reset_after=1.5),
        RateLimit(name="requests"),
    )
    assert begun.exchange.response.rate_limits == expected
    assert not waiting.exchange.response.rate_limits
    received(session, created("r2", waiting.name))
    assert waiting.exchange.response.rate_limits == expected


# Errors


def test_a_refused_request_fails_its_answer_only() -> None:
    """The connection goes on."""
    session = new_session(quirks=OUT_OF_BAND)
    one, two = asked(session), asked(session)
    deliveries = received(session, failure("invalid_api_key", one.name))
    (error,) = events_of(one, deliveries)
    assert isinstance(error, AuthError)
    assert not events_of(two, deliveries)
    assert not session.broken
    assert len(received(session, created("r1", two.name), done("r1"))) == 2


@pytest.mark.parametrize("about", ["answer-0.0", "set-up", None])
def test_an_error_that_leaves_the_rest_unclear_fails_everything(about: str | None) -> None:
    """An answer without one of its items is none."""
    session = new_session()
    answer = asked(session)
    (error,) = events_of(answer, received(session, failure("invalid_value", about)))
    assert isinstance(error, OtherError)
    assert session.broken
    assert session.idle


def test_an_error_in_a_response_under_way_fails_everything() -> None:
    """Whether it goes on is not said."""
    session = new_session()
    answer = asked(session)
    deliveries = received(session, created("r1"), failure("server_error", "answer-0"))
    assert isinstance(events_of(answer, deliveries)[-1], OtherError)
    assert session.broken


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("response_cancel_not_active", None),
        ("invalid_value", "cancel"),
        ("invalid_value", "answer-9"),
    ],
)
def test_an_error_about_what_only_tidied_up_is_nobodys(code: str, about: str | None) -> None:
    """Or about a request that is over."""
    session = new_session()
    answer = asked(session)
    assert received(session, failure(code, about)) == []
    assert answered(session, answer, "r1").text == "Hi."


def test_an_error_while_nobody_waits_does_no_harm() -> None:
    """If the connection is at its end, it will be closed."""
    session = new_session()
    assert received(session, failure("server_error")) == []
    assert session.has_room(0)


def test_a_refused_set_up_ends_the_connection_before_anything_is_asked() -> None:
    """Its answers would be speech."""
    session = new_session()
    assert received(session, failure("invalid_value", "set-up")) == []
    assert session.broken
    assert not session.has_room(0)


def test_an_abandoned_answer_may_fail() -> None:
    """Nobody hears of it."""
    session = new_session()
    session.abandon(asked(session))
    assert received(session, failure("server_error", "answer-0")) == []
    assert session.idle
    assert not session.broken


def test_a_request_to_a_connection_at_its_end_goes_elsewhere() -> None:
    """What has begun may still end well."""
    session = new_session(quirks=OUT_OF_BAND)
    begun, waiting, left = (asked(session) for _ in range(3))
    received(session, created("r1", begun.name))
    session.abandon(left)
    (delivery,) = received(session, failure("session_expired"))
    assert delivery.answer is waiting
    assert delivery.elsewhere
    assert session.expired(0)
    assert isinstance(received(session, done("r1"))[0].events[-1], End)
    assert session.idle


def test_odd_json_is_read_tolerantly() -> None:
    """Half characters and members of other types: servers that count in UTF-16 send them."""
    session = new_session()
    answer = asked(session)
    deliveries = received(
        session,
        '{"type":"response.created","response":{"id":"r1","metadata":5}}',
        '{"type":"response.output_text.delta","response_id":"r1","delta":"\\ud83d"}',
        '{"type":"response.output_text.delta","response_id":"r1",\n"delta":"\\ude00"}',
        '{"type":7,"response":8}',
        done("r1"),
    )
    assert events_of(answer, deliveries)[0] == TextDelta("😀")


def test_an_end_in_disguise_is_one() -> None:
    """JSON may write a type in more ways than one; no answer waits for ever because of it."""
    session = new_session()
    answer = asked(session)
    deliveries = received(session, created("r1"), done("r1").replace("done", "d\\u006fne"))
    (error,) = events_of(answer, deliveries)
    assert isinstance(error, MalformedResponseError)
    assert session.idle


def test_a_lost_connection_fails_every_answer() -> None:
    """One after its end is whole all the same."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    cut = asked(session, *HELLO, reply, MORE)
    received(session, created("r2"))
    (delivery,) = session.receive_failure(LOST)
    (error,) = events_of(cut, [delivery])
    assert isinstance(error, NetworkError)
    assert session.expired(0)
