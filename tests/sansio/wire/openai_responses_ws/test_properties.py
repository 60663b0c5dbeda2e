"""Whatever is interleaved, delayed, foreign or broken: each answer is its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzz.fuzz_responses_session import one_input
from tests.sansio.wire.interleaving import (
    Interleaved,
    callers_lines,
    check_interleaved,
    interleaved,
    json_values,
)
from tests.sansio.wire.openai_responses_ws.conversations import (
    completed,
    created,
    delta,
    flat_error,
    message,
    nested_error,
    new_session,
)
from tests.sansio.wire.socket_peers import CONFIG, HELLO, received, sent
from tests.strategies import few_examples, some_text, texts
from tokenwire.messages import Message
from tokenwire.session import OpenAnswer
from tokenwire.tokens import End, TextDelta

_LANES = (None, "lane-1", "lane-2", "other")

# Lanes


def _messages_of(number: int, pieces: Sequence[str]) -> list[str]:
    """Return all messages of one answer."""
    lane = f"lane-{number}" if number else None
    response_id = f"r{number}"
    return [
        created(response_id, lane),
        message("response.in_progress", lane, response={"id": response_id}),
        *(delta(piece, lane) for piece in pieces),
        completed(response_id, lane),
    ]


@few_examples
@given(interleaved(_messages_of), st.sets(st.integers(0, 5)))
def test_interleaved_lanes_never_mix(drawn: Interleaved, left: set[int]) -> None:
    """Each answer gets its own tokens, in order, and nobody gets what is nobody's."""
    check_interleaved(new_session(), drawn, left)


@few_examples
@given(st.integers(0))
def test_no_limit_of_a_connection_is_ever_exceeded(seed: int) -> None:
    """Of 16 responses in flight, 32 names for life, and one at a time in a lane, first come first.

    What is left unwritten is never written.
    """
    chance = Random(seed)  # noqa: S311  # repeatable, not secret
    session = new_session()
    answers: list[OpenAnswer] = []
    last_written = -1
    working: set[str | None] = set()
    names: set[str | None] = {None}
    for number in range(200):
        match chance.choice(["ask", "ask", "write", "write", "end", "leave"]):
            case "ask" if session.has_room(0):
                answers.append(session.send([Message.user(str(number))], CONFIG, 0))
            case "write" if outgoing := session.message_to_send():
                assert outgoing.asks_for is not None
                assert answers.index(outgoing.asks_for) > last_written
                last_written = answers.index(outgoing.asks_for)
                lane = json.loads(outgoing.text).get("stream_id")
                assert lane not in working
                working.add(lane)
                names.add(lane)
            case "end" if working:
                lane = chance.choice(sorted(working, key=str))
                response_id = f"r{number}"
                for text in (
                    created(response_id, lane),
                    delta("Hi", lane),
                    completed(response_id, lane),
                ):
                    session.receive_message(text)
                working.remove(lane)
            case "leave" if answers:
                session.abandon(chance.choice(answers))
            case _:
                pass
        assert len(working) <= 16
        assert len(names) <= 33


# Continuation


@few_examples
@given(st.lists(st.tuples(some_text, some_text, st.booleans()), max_size=6))
def test_the_server_always_gets_the_whole_conversation(
    turns: list[tuple[str, str, bool]],
) -> None:
    """At once or piece by piece, also where it forgets what it held."""
    session = new_session()
    conversation: list[Message] = [*HELLO]
    held: dict[str, list[Any]] = {}
    for number, (reply, question, forgets) in enumerate(turns):
        session.send(conversation, CONFIG, 0)
        (request,) = sent(session)
        if forgets and "previous_response_id" in request:
            assert session.receive_message(nested_error("previous_response_not_found")) == []
            (request,) = sent(session)
        known = held.get(request.get("previous_response_id", ""), [])
        seen = [*known, *request["input"]]
        roles = [("user", "Hello")] if number == 0 else [(m.role, m.text) for m in conversation]
        assert [(item["role"], item["content"]) for item in seen] == roles
        response_id = f"r{number}"
        for text in (created(response_id), delta(reply), completed(response_id)):
            session.receive_message(text)
        answer = {"type": "message", "role": "assistant", "content": reply}
        held[response_id] = [*seen, answer]
        conversation += [Message.assistant(reply), Message.user(question)]


# Anything


_lanes = st.sampled_from(_LANES)
_ids = st.sampled_from(["r1", "r2"])
_codes = st.sampled_from(
    ["previous_response_not_found", "websocket_connection_limit_reached", "server_error", ""]
)
_server_messages = (
    st.builds(created, _ids, _lanes)
    | st.builds(delta, texts, _lanes)
    | st.builds(completed, _ids, _lanes)
    | st.builds(nested_error, _codes, _lanes)
    | st.builds(flat_error, _codes)
    | st.builds(message, st.sampled_from(["response.created", "error", "x"]), error=json_values)
    | json_values.map(json.dumps)
)
_lines = callers_lines | _server_messages


@few_examples
@given(st.lists(_lines, max_size=20))
def test_no_script_breaks_a_promise(lines: list[str]) -> None:
    """Nothing raises, each answer has one end at most, and nothing leaks."""
    one_input("\n".join(lines).encode())


@few_examples
@given(st.lists(st.binary(max_size=20) | st.just(b"ask"), max_size=6))
def test_no_bytes_break_a_promise(lines: list[bytes]) -> None:
    """Even where they are no messages at all."""
    one_input(b"\n".join(lines))


def test_an_answer_without_text_is_one() -> None:
    """The smallest script that comes to an end."""
    session = new_session()
    answer = session.send(HELLO, CONFIG, 0)
    _, delivery = received(session, created("r1"), completed("r1"))
    assert isinstance(delivery.events[0], End)
    assert TextDelta("") not in delivery.events
    assert answer.exchange.partial().text == ""
