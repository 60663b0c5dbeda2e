"""One connection: whose each message is, and what becomes of it when something goes wrong."""

from __future__ import annotations

import attrs
import pytest

from tests.sansio.wire.openai_responses_ws.conversations import (
    NOT_HELD,
    answered,
    asked,
    completed,
    created,
    delta,
    flat_error,
    message,
    nested_error,
    new_session,
)
from tests.sansio.wire.socket_peers import CONFIG, HELLO, events_of, received, sent
from tokenwire.endpoint import Limits
from tokenwire.errors import (
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.exchange import Exchange, State
from tokenwire.messages import Message, Reasoning
from tokenwire.session import SentRequest
from tokenwire.tokens import End, TextDelta

LOST = NetworkError(phase="body", message="lost", retryable=True)
MORE = Message.user("More")


def test_a_request_goes_out_as_one_message() -> None:
    """What a POST would carry, with a type and without ``stream``."""
    session = new_session()
    asked(session)
    (request,) = sent(session)
    assert request == {
        "type": "response.create",
        "model": "some-model",
        "input": [{"type": "message", "role": "user", "content": "Hello"}],
    }
    assert sent(session) == []


def test_an_answer_comes_as_tokens_and_one_end() -> None:
    """Each message is delivered at once; the first only says that the answer has begun."""
    session = new_session()
    answer = asked(session)
    deliveries = received(session, created("r1"), delta("Hi"), delta("."), completed("r1"))
    assert [each.events for each in deliveries[:3]] == [[], [TextDelta("Hi")], [TextDelta(".")]]
    (end,) = deliveries[3].events
    assert isinstance(end, End)
    assert end.response_id == "r1"
    assert session.idle
    assert not answer.continues


def test_headers_of_the_upgrade_belong_to_each_answer() -> None:
    """The request id is what a provider's support asks for."""
    session = new_session(headers=(("X-Request-Id", "req_1"),))
    answer = asked(session)
    received(session, created("r1"))
    assert answer.exchange.response.request_id == "req_1"


# Lanes


def test_answers_side_by_side_do_not_mix() -> None:
    """Each has a lane, and a message goes where it says."""
    session = new_session()
    one, two = asked(session), asked(session, Message.user("Other"))
    first, second = sent(session)
    assert "stream_id" not in first
    lane = second["stream_id"]
    deliveries = received(
        session,
        created("r2", lane),
        created("r1"),
        delta("b", lane),
        delta("a"),
        completed("r1"),
        completed("r2", lane),
    )
    assert events_of(one, deliveries)[0] == TextDelta("a")
    assert events_of(two, deliveries)[0] == TextDelta("b")
    assert all(isinstance(events_of(each, deliveries)[-1], End) for each in (one, two))


def test_sixteen_answers_are_the_most() -> None:
    """More would wait at the server, unseen."""
    session = new_session()
    for _ in range(16):
        assert session.has_room(0)
        asked(session)
    assert not session.has_room(0)
    with pytest.raises(LocalProtocolError, match="has_room"):
        asked(session)


def test_a_quirk_says_that_there_is_one_lane() -> None:
    """For servers that keep none apart."""
    session = new_session(quirks={"lanes": 1})
    asked(session)
    assert not session.has_room(0)


def test_no_more_than_32_names_are_used() -> None:
    """The server never forgets one; lanes are used again instead, the oldest first."""
    session = new_session()
    for number in range(40):
        answer = asked(session, Message.user(str(number)))
        answered(session, answer, f"r{number}")
    names = [request.get("stream_id") for request in sent(session)]
    assert len(set(names)) == 33
    assert names[33:] == names[:7]


def test_messages_of_an_unknown_lane_reach_nobody() -> None:
    """Whatever they are."""
    session = new_session()
    asked(session)
    assert received(session, created("r1", "other"), delta("x", "other")) == []
    assert received(session, nested_error("invalid_prompt", "other")) == []


def test_late_messages_of_a_lane_reach_nobody() -> None:
    """Neither when it is free, nor when the next answer uses it."""
    session = new_session()
    answered(session, asked(session), "r1")
    late = (delta("late"), completed("r1"), created("r1"))
    assert received(session, *late) == []
    answer = asked(session)
    assert received(session, *late) == []
    assert events_of(answer, received(session, created("r2"), delta("new"))) == [TextDelta("new")]
    assert received(session, completed("r1")) == []


def test_an_empty_name_is_the_default_lanes() -> None:
    """No lane can be called so."""
    session = new_session()
    answer = asked(session)
    deliveries = received(session, created("r1", ""), delta("Hi", ""), completed("r1", ""))
    assert isinstance(events_of(answer, deliveries)[-1], End)
    answer = asked(session)
    assert isinstance(events_of(answer, received(session, nested_error("x", "")))[0], OtherError)


def test_two_conversations_that_go_on_from_one_answer_do_not_meet() -> None:
    """The first goes on in its lane; the other is sent whole, in another."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    asked(session, *HELLO, reply, MORE)
    asked(session, *HELLO, reply, Message.user("Less"))
    _, first, second = sent(session)
    assert first["previous_response_id"] == "r1"
    assert "previous_response_id" not in second
    assert (first.get("stream_id"), second.get("stream_id")) == (None, "lane-1")
    assert len(second["input"]) == 3


def test_an_end_without_its_beginning_is_another_answers() -> None:
    """Half of a success is none; a failure may be all that is heard."""
    session = new_session()
    answer = asked(session)
    incomplete = message("response.incomplete", response={"id": "r1"})
    assert received(session, completed("r1"), incomplete, message("response.completed")) == []
    failed = message("response.failed", response={"id": "r1", "error": {"code": "server_error"}})
    assert isinstance(events_of(answer, received(session, failed))[0], OtherError)


def test_events_that_name_no_response_are_taken_as_they_come() -> None:
    """A server that leaves ids out has one response in a lane."""
    session = new_session()
    answer = asked(session)
    deliveries = received(session, message("response.created"), message("response.completed"))
    assert isinstance(events_of(answer, deliveries)[-1], End)


def test_a_server_without_lanes_is_understood_one_answer_at_a_time() -> None:
    """It ignores names; what it begins is the only answer that was asked for."""
    session = new_session()
    answered(session, asked(session), "r1")
    answer = asked(session, Message.user("Other"))
    assert answer.lane.name is not None
    deliveries = received(session, created("r2"), delta("b"), completed("r2"))
    assert events_of(answer, deliveries)[0] == TextDelta("b")
    asked(session)
    assert not session.has_room(0)
    received(session, created("r3"), completed("r3"))
    assert received(session, delta("late")) == []


def test_a_response_too_many_says_nothing_about_lanes() -> None:
    """It is nobody's, and the connection goes on to give answers side by side."""
    session = new_session()
    answer = asked(session)
    assert len(received(session, created("r1"), created("r2"), delta("Hi"))) == 2
    asked(session)
    assert session.has_room(0)
    assert isinstance(events_of(answer, received(session, completed("r1")))[-1], End)


def test_a_server_without_lanes_does_not_begin_what_was_not_sent() -> None:
    """What it begins in the default lane is the other answer, and nobody can tell from now on."""
    session = new_session()
    empty, answer = asked(session), asked(session)
    received(session, created("r1"), completed("r1"))
    assert empty.exchange.state is State.DONE
    waiting = asked(session)
    assert waiting.lane.name is None
    failed, moved = session.receive_message(created("r2"))
    assert failed.answer is answer
    assert isinstance(failed.events[0], MalformedResponseError)
    assert moved.answer is waiting
    assert moved.elsewhere


@pytest.mark.parametrize("before", [0, 1])
def test_a_server_without_lanes_mixes_no_answers(before: int) -> None:
    """Where several are under way nobody can tell whose it is: all fail, with a hint."""
    session = new_session()
    if before:
        answered(session, asked(session), "r1")
    answers = [asked(session, Message.user(str(number))) for number in range(2)]
    if not before:
        received(session, created("r1"))
    deliveries = received(session, created("r2"))
    for answer in answers:
        (error,) = events_of(answer, deliveries)
        assert isinstance(error, MalformedResponseError)
        assert "quirk lanes to 1" in error.message
    assert session.broken
    assert received(session, delta("x")) == []


# Leaving


def test_an_abandoned_answer_keeps_its_lane_until_it_ends() -> None:
    """The server goes on with it, and nobody gets it."""
    session = new_session(quirks={"lanes": 1})
    answer = asked(session)
    received(session, created("r1"))
    session.abandon(answer)
    assert received(session, delta("x")) == []
    assert not session.has_room(0)
    assert received(session, completed("r1")) == []
    assert session.has_room(0)
    asked(session)
    session.abandon(answer)
    assert len(received(session, created("r2"))) == 1


def test_an_abandoned_answer_may_fail() -> None:
    """An error frees its lane, too."""
    session = new_session()
    answer = asked(session)
    sent(session)
    session.abandon(answer)
    assert received(session, nested_error("server_error")) == []
    assert session.idle


def test_what_a_lane_holds_is_held_until_more_is_sent() -> None:
    """A request that never goes out changes nothing at the server."""
    session = new_session()
    longer = (*HELLO, answered(session, asked(session), "r1"), MORE)
    session.abandon(asked(session, *longer))
    assert session.continues(longer, CONFIG)
    answer = asked(session, *longer)
    assert sent(session)[-1]["previous_response_id"] == "r1"
    session.abandon(answer)
    assert not session.continues(longer, CONFIG)


def test_a_request_that_is_made_again_can_be_withdrawn() -> None:
    """The server knows nothing of it then, and keeps nothing."""
    session = new_session()
    longer = (*HELLO, answered(session, asked(session), "r1"), MORE)
    answer = asked(session, *longer)
    received(session, nested_error(NOT_HELD))
    session.abandon(answer)
    assert session.message_to_send() is None
    assert session.idle
    assert not session.continues(longer, CONFIG)


# Continuation


def test_only_what_is_new_is_sent_to_the_connection_that_holds_the_rest() -> None:
    """In the same lane, with the id of the response that is continued."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    answered(session, asked(session, Message.user("Other")), "r2")
    assert session.continues((*HELLO, reply, MORE), CONFIG)
    answer = asked(session, *HELLO, reply, MORE)
    request = sent(session)[-1]
    assert answer.continues
    assert request["previous_response_id"] == "r1"
    assert request["input"] == [{"type": "message", "role": "user", "content": "More"}]
    assert "stream_id" not in request


def test_another_conversation_is_sent_whole() -> None:
    """Also one that differs only in its beginning, or has nothing new."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    for messages in (
        (Message.user("Hallo"), reply, MORE),
        (*HELLO, Message.assistant("Ho."), MORE),
        (*HELLO, reply),
        HELLO,
    ):
        assert not session.continues(messages, CONFIG)


def test_a_caller_who_keeps_track_is_left_alone() -> None:
    """With a previous response or a conversation of its own in ``extra``."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    for name in ("previous_response_id", "conversation"):
        config = attrs.evolve(CONFIG, extra={name: "mine"})
        assert not session.continues((*HELLO, reply, MORE), config)
        session.send((*HELLO, reply, MORE), config, 0)
        request = sent(session)[-1]
        assert request[name] == "mine"
        assert len(request["input"]) == 3


def test_the_lane_is_the_sessions_to_choose() -> None:
    """A name in ``extra`` would break what keeps answers apart."""
    config = attrs.evolve(CONFIG, extra={"stream_id": "mine"})
    with pytest.raises(LocalProtocolError, match="stream_id"):
        new_session().send(HELLO, config, 0)


@pytest.mark.parametrize("error", [nested_error(NOT_HELD), flat_error(NOT_HELD)])
def test_what_the_server_lost_is_sent_whole_once(error: str) -> None:
    """Nobody but the wire notices."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    answer = asked(session, *HELLO, reply, MORE)
    sent(session)
    assert received(session, error) == []
    (request,) = sent(session)
    assert "previous_response_id" not in request
    assert len(request["input"]) == 3
    assert not answer.continues
    (failure,) = events_of(answer, received(session, error))
    assert isinstance(failure, OtherError)
    assert failure.kind == "not_found"
    assert sent(session) == []


def test_what_the_server_lost_may_have_begun() -> None:
    """As long as no token came; the answer then begins again, and who watches it is told."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    watched: list[SentRequest] = []

    def tap(exchange: Exchange, request: SentRequest) -> Exchange:
        watched.append(request)
        return exchange

    answer = session.send((*HELLO, reply, MORE), CONFIG, 0, tap)
    sent(session)
    received(session, created("r2"), nested_error(NOT_HELD))
    deliveries = received(session, created("r3"), delta("Hi"), completed("r3"))
    assert events_of(answer, deliveries)[0] == TextDelta("Hi")
    assert isinstance(events_of(answer, deliveries)[-1], End)
    assert [each.continued for each in watched] == [True, False]


def test_what_the_server_lost_is_known_by_what_was_continued() -> None:
    """Where the error names no lane; the answers beside it go on."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    beside = asked(session, Message.user("Other"))
    answer = asked(session, *HELLO, reply, MORE)
    sent(session)
    assert received(session, flat_error(NOT_HELD)) == []
    (request,) = sent(session)
    assert len(request["input"]) == 3
    assert not answer.continues
    received(session, created("r2", "lane-1"), completed("r2", "lane-1"))
    assert beside.exchange.state is State.DONE


def test_what_the_server_lost_is_not_guessed() -> None:
    """Where it may be either of two: both fail, and nothing is sent again."""
    session = new_session()
    first = asked(session)
    second = asked(session, Message.user("Other"))
    replies = answered(session, first, "r1"), answered(session, second, "r2")
    answers = [
        asked(session, *each.messages, reply, MORE)
        for each, reply in zip((first, second), replies, strict=True)
    ]
    assert all(each.continues for each in answers)
    sent(session)
    deliveries = received(session, flat_error(NOT_HELD))
    assert all(isinstance(events_of(each, deliveries)[0], OtherError) for each in answers)
    assert session.broken
    assert session.idle


def test_what_was_left_is_not_sent_again() -> None:
    """Nobody waits for it."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    answer = asked(session, *HELLO, reply, MORE)
    sent(session)
    session.abandon(answer)
    assert received(session, nested_error(NOT_HELD)) == []
    assert sent(session) == []
    assert session.idle


def test_nothing_is_sent_again_after_the_first_token() -> None:
    """The caller has it already."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    answer = asked(session, *HELLO, reply, MORE)
    sent(session)
    deliveries = received(session, created("r2"), delta("x"), nested_error(NOT_HELD))
    assert isinstance(events_of(answer, deliveries)[-1], OtherError)
    assert sent(session) == []


def test_what_cannot_be_sent_whole_fails_as_the_server_says() -> None:
    """Reasoning that only the server has proof of."""
    session = new_session()
    answer = asked(session)
    thought = message("response.reasoning_text.delta", delta="Hm.")
    received(session, created("r1"), thought, delta("Hi."), completed("r1"))
    reply = answer.exchange.partial().message
    assert isinstance(reply.parts[0], Reasoning)
    answer = asked(session, *HELLO, reply, MORE)
    assert answer.continues
    (failure,) = events_of(answer, received(session, nested_error(NOT_HELD)))
    assert isinstance(failure, OtherError)


def test_a_lane_that_failed_holds_nothing() -> None:
    """The server evicts a response whose continuation fails."""
    session = new_session()
    reply = answered(session, asked(session), "r1")
    conversation = (*HELLO, reply, MORE)
    asked(session, *conversation)
    received(session, nested_error("invalid_prompt"))
    assert not session.continues(conversation, CONFIG)


# Age


@pytest.mark.parametrize(
    "code", ["websocket_connection_limit_reached", "websocket_stream_limit_reached"]
)
@pytest.mark.parametrize("lane", [None, "lane-1"])
def test_a_request_to_a_connection_at_its_end_goes_elsewhere(code: str, lane: str | None) -> None:
    """The server did nothing with it; what had begun goes on."""
    session = new_session()
    begun, refused = asked(session), asked(session, Message.user("Other"))
    received(session, created("r1"))
    (delivery,) = received(session, nested_error(code, lane))
    assert delivery.answer is refused
    assert delivery.elsewhere
    assert not session.broken
    assert session.expired(0)
    assert isinstance(events_of(begun, received(session, completed("r1")))[-1], End)


def test_several_requests_may_go_elsewhere_at_once() -> None:
    """What had begun goes on all the same."""
    session = new_session()
    begun = asked(session)
    received(session, created("r1"))
    refused = [asked(session, Message.user(str(number))) for number in range(2)]
    deliveries = received(session, flat_error("websocket_connection_limit_reached"))
    assert [each.answer for each in deliveries] == refused
    assert all(each.elsewhere for each in deliveries)
    assert not session.broken
    assert isinstance(events_of(begun, received(session, completed("r1")))[-1], End)


@pytest.mark.parametrize("lane", [None, "lane-1"])
def test_a_request_that_was_not_sent_to_a_connection_at_its_end_goes_elsewhere(
    lane: str | None,
) -> None:
    """It would be refused as well."""
    session = new_session()
    asked(session)
    received(session, created("r1"))
    waiting = asked(session, Message.user("Other"))
    (delivery,) = session.receive_message(nested_error("websocket_connection_limit_reached", lane))
    assert delivery.answer is waiting
    assert delivery.elsewhere
    assert session.message_to_send() is None


def test_an_idle_connection_may_be_told_that_it_is_at_its_end() -> None:
    """Nobody is concerned."""
    session = new_session()
    assert received(session, nested_error("websocket_connection_limit_reached")) == []
    assert session.expired(0)


def test_an_answer_that_has_begun_fails_with_its_connection() -> None:
    """Making it again would repeat tokens."""
    session = new_session()
    answer = asked(session)
    code = "websocket_stream_limit_reached"
    deliveries = received(session, created("r1"), delta("x", None))
    deliveries += received(session, message("error", "", code=code, message="No."))
    assert len(events_of(answer, deliveries)) == 1
    session = new_session()
    asked(session)
    answer = asked(session)
    deliveries = received(session, created("r1", "lane-1"), delta("x", "lane-1"))
    deliveries += received(session, nested_error(code, "lane-1"))
    assert isinstance(events_of(answer, deliveries)[-1], ProviderError)


def test_an_answer_without_a_token_has_begun_as_well() -> None:
    """Its caller was told so, and waits for tokens that would come nowhere else."""
    session = new_session()
    asked(session)
    answer = asked(session)
    received(session, created("r1", "lane-1"))
    (delivery,) = received(session, nested_error("websocket_connection_limit_reached", "lane-1"))
    assert not delivery.elsewhere
    assert isinstance(events_of(answer, [delivery])[-1], ProviderError)


# Errors


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (nested_error("rate_limit_exceeded", status=429), RateLimitError, 429),
        (
            message("error", status_code=429, error={"code": "x", "message": "m"}),
            RateLimitError,
            429,
        ),
        (flat_error("rate_limit_exceeded"), RateLimitError, 200),
        (nested_error("invalid_api_key", status=401), AuthError, 401),
        (message("error"), OtherError, 200),
    ],
)
def test_each_shape_of_error_is_understood(
    error: str, kind: type[ProviderError], status: int
) -> None:
    """Nested, with the status under another name, flat, and saying nothing."""
    session = new_session()
    answer = asked(session)
    (failure,) = events_of(answer, received(session, error))
    assert type(failure) is kind
    assert isinstance(failure, ProviderError)
    assert failure.status == status
    assert session.idle
    assert not session.broken


@pytest.mark.parametrize("place", ["message", "error"])
def test_headers_in_an_error_say_how_long_to_wait(place: str) -> None:
    """They are what an HTTP response would have had, numbers among them."""
    headers = {"Retry-After": 7, "x-request-id": "req_9", "x-odd": [1], "x-true": True}
    inner = {"code": "rate_limit_exceeded", "message": "m"}
    error = (
        message("error", error={**inner, "headers": headers})
        if place == "error"
        else message("error", headers=headers, error=inner)
    )
    session = new_session()
    (failure,) = events_of(asked(session), received(session, error))
    assert isinstance(failure, RateLimitError)
    assert failure.retry_after == 7
    assert failure.request_id == "req_9"


def test_an_error_is_for_the_lane_that_it_names() -> None:
    """The nested shape names none for the default lane."""
    session = new_session()
    one, two = asked(session), asked(session)
    deliveries = received(session, nested_error("invalid_prompt", "lane-1"))
    assert not events_of(one, deliveries)
    assert isinstance(events_of(two, deliveries)[0], OtherError)
    two = asked(session)
    deliveries = received(session, nested_error("invalid_prompt"))
    assert isinstance(events_of(one, deliveries)[0], OtherError)
    assert not events_of(two, deliveries)
    assert not session.broken


def test_an_error_that_may_be_anybodys_is_everybodys() -> None:
    """Better than one answer that waits for ever."""
    session = new_session()
    answers = asked(session), asked(session)
    deliveries = received(session, flat_error("server_error"))
    assert all(isinstance(events_of(each, deliveries)[0], OtherError) for each in answers)
    assert session.broken


def test_a_failed_response_fails_its_answer_only() -> None:
    """It ends the response like any other end."""
    session = new_session()
    answer = asked(session)
    failed = message("response.failed", response={"id": "r1", "error": {"code": "server_error"}})
    (failure,) = events_of(answer, received(session, created("r1"), failed))
    assert isinstance(failure, OtherError)
    assert session.idle
    assert not session.broken


def test_what_exceeds_an_answers_limit_keeps_its_lane_until_it_ends() -> None:
    """The answer failed here, but the server does not know."""
    session = new_session(limits=Limits(answer_bytes=1030))
    answer = asked(session)
    deliveries = received(session, created("r1"), delta("x"), delta("y" * 20))
    (_, failure) = events_of(answer, deliveries)
    assert received(session, delta("z")) == []
    assert isinstance(failure, MalformedResponseError)
    assert not session.idle
    received(session, completed("r1"))
    assert session.idle


def test_odd_json_is_read_tolerantly() -> None:
    """Half characters and members of other types: servers that count in UTF-16 send them."""
    session = new_session()
    answer = asked(session)
    deliveries = received(
        session,
        '{"type":"response.created","response":5}',
        '{"type":"response.output_text.delta","delta":"\\ud83d"}',
        '{"type":"response.output_text.delta",\n"delta":"\\ude00"}',
        '{"type":7}',
        completed("r1"),
    )
    assert events_of(answer, deliveries)[0] == TextDelta("😀")


def test_a_lost_connection_fails_every_answer() -> None:
    """One after a terminal event is whole all the same."""
    session = new_session()
    whole, cut, waiting = (asked(session, Message.user(str(number))) for number in range(3))
    received(session, created("r1"), completed("r1"), created("r2", "lane-1"))
    deliveries = session.receive_failure(LOST)
    assert not events_of(whole, deliveries)
    for answer in (cut, waiting):
        (error,) = events_of(answer, deliveries)
        assert isinstance(error, NetworkError)
    assert session.expired(0)
