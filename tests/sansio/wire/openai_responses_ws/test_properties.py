"""Whatever is interleaved, delayed, foreign or broken: each answer is its own."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from fuzz.fuzz_responses_session import one_input
from tests.sansio.wire.openai_responses_ws.conversations import (
    CONFIG,
    HELLO,
    completed,
    created,
    delta,
    flat_error,
    message,
    nested_error,
    new_session,
)
from tests.strategies import few_examples, some_text, texts
from tokenwire.messages import Message
from tokenwire.tokens import End, TextDelta

Script: TypeAlias = list[tuple[int, str]]

_LANES = (None, "lane-1", "lane-2", "other")

# Lanes


def _messages_of(number: int, pieces: list[str]) -> list[str]:
    """Return all messages of one answer."""
    lane = f"lane-{number}" if number else None
    response_id = f"r{number}"
    return [
        created(response_id, lane),
        message("response.in_progress", lane, response={"id": response_id}),
        *(delta(piece, lane) for piece in pieces),
        completed(response_id, lane),
    ]


@st.composite
def _interleaved(draw: st.DrawFn) -> tuple[list[list[str]], Script]:
    """Make up answers, and mix their messages in any order that each lane allows."""
    answers = draw(st.lists(st.lists(some_text, max_size=4), min_size=1, max_size=6))
    queues = [_messages_of(number, pieces) for number, pieces in enumerate(answers)]
    script: Script = []
    while any(queues):
        number = draw(st.sampled_from([each for each, queue in enumerate(queues) if queue]))
        script.append((number, queues[number].pop(0)))
        if draw(st.booleans()):
            foreign = draw(st.sampled_from(_messages_of(99, ["foreign"])))
            script.append((99, foreign))
    return answers, script


@few_examples
@given(_interleaved(), st.sets(st.integers(0, 5)))
def test_interleaved_lanes_never_mix(drawn: tuple[list[list[str]], Script], left: set[int]) -> None:
    """Each answer gets its own tokens, in order, and nobody gets what is nobody's."""
    answers, script = drawn
    session = new_session()
    asked = [session.send([Message.user(str(each))], CONFIG, 0) for each in range(len(answers))]
    for number in left & set(range(len(answers))):
        session.abandon(asked[number])
    for number, text in script:
        for delivery in session.receive_message(text):
            assert delivery.answer is asked[number]
            assert number not in left
            for event in delivery.events:
                assert isinstance(event, End | TextDelta)
                assert event.text in ("", *answers[number])
    for number, pieces in enumerate(answers):
        expected = "" if number in left else "".join(pieces)
        assert asked[number].exchange.partial().text == expected
    assert session.idle


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
        (request,) = map(json.loads, session.data_to_send())
        if forgets and "previous_response_id" in request:
            assert session.receive_message(nested_error("previous_response_not_found")) == []
            (request,) = map(json.loads, session.data_to_send())
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
_json = st.recursive(
    st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)
_server_messages = (
    st.builds(created, _ids, _lanes)
    | st.builds(delta, texts, _lanes)
    | st.builds(completed, _ids, _lanes)
    | st.builds(nested_error, _codes, _lanes)
    | st.builds(flat_error, _codes)
    | st.builds(message, st.sampled_from(["response.created", "error", "x"]), error=_json)
    | _json.map(json.dumps)
)
_lines = st.sampled_from(["ask", "ask", "more", "leave", "lost"]) | _server_messages


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
    session.receive_message(created("r1"))
    (delivery,) = session.receive_message(completed("r1"))
    assert isinstance(delivery.events[0], End)
    assert TextDelta("") not in delivery.events
    assert answer.exchange.partial().text == ""
