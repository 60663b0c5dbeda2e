"""Whatever is interleaved, delayed, foreign or broken: each answer is its own."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from fuzz.fuzz_realtime_session import one_input
from tests.sansio.wire.openai_realtime.conversations import (
    CONFIG,
    HELLO,
    OUT_OF_BAND,
    created,
    delta,
    done,
    event,
    failure,
    item,
    new_session,
)
from tests.strategies import few_examples, some_text, texts
from tokenwire.messages import Message
from tokenwire.tokens import End, TextDelta

Script: TypeAlias = list[tuple[int, str]]

# Out of band


def _events_of(number: int, pieces: list[str]) -> list[str]:
    """Return all events of one answer."""
    response_id = f"r{number}"
    return [
        created(response_id, f"answer-{number}"),
        *(delta(response_id, piece) for piece in pieces),
        done(response_id),
    ]


@st.composite
def _interleaved(draw: st.DrawFn) -> tuple[list[list[str]], Script]:
    """Make up answers, and mix their events in any order that each answer allows."""
    answers = draw(st.lists(st.lists(some_text, max_size=4), min_size=1, max_size=6))
    queues = [_events_of(number, pieces) for number, pieces in enumerate(answers)]
    script: Script = []
    while any(queues):
        number = draw(st.sampled_from([each for each, queue in enumerate(queues) if queue]))
        script.append((number, queues[number].pop(0)))
        if draw(st.booleans()):
            foreign = draw(st.sampled_from(_events_of(99, ["foreign"])))
            script.append((99, foreign))
    return answers, script


@few_examples
@given(_interleaved(), st.sets(st.integers(0, 5)))
def test_interleaved_responses_never_mix(
    drawn: tuple[list[list[str]], Script], left: set[int]
) -> None:
    """Each answer gets its own tokens, in order, and nobody gets what is nobody's."""
    answers, script = drawn
    session = new_session(quirks=OUT_OF_BAND)
    asked = [session.send([Message.user(str(each))], CONFIG, 0) for each in range(len(answers))]
    for number in left & set(range(len(answers))):
        session.abandon(asked[number])
    for number, text in script:
        for delivery in session.receive_message(text):
            assert delivery.answer is asked[number]
            assert number not in left
            for each in delivery.events:
                assert isinstance(each, End | TextDelta)
    for number, pieces in enumerate(answers):
        expected = "" if number in left else "".join(pieces)
        assert asked[number].exchange.partial().text == expected
    assert session.idle


# Conversations


@few_examples
@given(st.lists(st.tuples(some_text, some_text, st.sampled_from(["go on", "anew", "leave"]))))
def test_the_server_always_holds_the_conversation_that_it_answers(
    turns: list[tuple[str, str, str]],
) -> None:
    """Whether it goes on, another one begins, or an answer was left."""
    session = new_session()
    conversation: list[Message] = [*HELLO]
    held: dict[str, tuple[str, str]] = {}
    for number, (reply, question, then) in enumerate(turns):
        answer = session.send(conversation, CONFIG, 0)
        for request in map(json.loads, session.data_to_send()):
            _play(request, held)
        for item_id in held:
            session.receive_message(item(item_id))
        assert list(held.values()) == [(m.role, m.text) for m in conversation]
        response_id, item_id = f"r{number}", f"reply-{number}"
        for text in (created(response_id), item(item_id), delta(response_id, reply)):
            session.receive_message(text)
        held[item_id] = ("assistant", reply)
        if then == "leave":
            session.abandon(answer)
        session.receive_message(done(response_id, "cancelled" if then == "leave" else "completed"))
        conversation = [*conversation, Message.assistant(reply)] if then == "go on" else []
        conversation.append(Message.user(question))


def _play(request: dict[str, Any], held: dict[str, tuple[str, str]]) -> None:
    """Do on the server what an event asks for."""
    match request:
        case {"type": "conversation.item.create", "event_id": item_id, "item": created_item}:
            held[item_id] = (created_item["role"], created_item["content"][0]["text"])
        case {"type": "conversation.item.delete", "item_id": item_id}:
            del held[item_id]
        case _:
            pass


# Anything


def _odd_event(kind: str, name: str, value: object) -> str:
    return event(kind, **{name: value})


_ids = st.sampled_from(["r1", "r2"])
_names = st.sampled_from([None, "answer-0", "answer-1", "answer-0.0", "set-up", "cancel"])
_codes = st.sampled_from(["session_expired", "response_cancel_not_active", "server_error", ""])
_statuses = st.sampled_from(["completed", "cancelled", "incomplete", "failed", "in_progress", ""])
_json = st.recursive(
    st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)
_kinds = st.sampled_from(["response.created", "response.done", "rate_limits.updated", "error", "x"])
_members = st.sampled_from(["response", "error", "item", "rate_limits"])
_server_messages = (
    st.builds(created, _ids, _names)
    | st.builds(delta, _ids, texts)
    | st.builds(done, _ids, _statuses)
    | st.builds(failure, _codes, _names)
    | st.builds(item, _ids)
    | st.builds(_odd_event, _kinds, _members, _json)
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
