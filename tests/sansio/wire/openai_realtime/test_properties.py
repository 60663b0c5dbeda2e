"""Whatever is interleaved, delayed, foreign or broken: each answer is its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from fuzz.fuzz_realtime_session import one_input
from tests.sansio.wire.interleaving import (
    Interleaved,
    callers_lines,
    check_interleaved,
    interleaved,
    json_values,
)
from tests.sansio.wire.openai_realtime.conversations import (
    OUT_OF_BAND,
    created,
    delta,
    done,
    event,
    failure,
    item,
    new_session,
)
from tests.sansio.wire.socket_peers import CONFIG
from tests.strategies import few_examples, some_text, texts
from tokenwire.messages import Message

# Out of band


def _events_of(number: int, pieces: Sequence[str]) -> list[str]:
    """Return all events of one answer."""
    response_id = f"r{number}"
    return [
        created(response_id, f"answer-{number}"),
        *(delta(response_id, piece) for piece in pieces),
        done(response_id),
    ]


@few_examples
@given(interleaved(_events_of), st.sets(st.integers(0, 5)))
def test_interleaved_responses_never_mix(drawn: Interleaved, left: set[int]) -> None:
    """Each answer gets its own tokens, in order, and nobody gets what is nobody's."""
    check_interleaved(new_session(quirks=OUT_OF_BAND), drawn, left)


# Conversations


class _Connection:
    """A session and its server, which keeps every item and says what it was asked to answer."""

    def __init__(self) -> None:
        self.session = new_session()
        self.items: list[tuple[str, str]] = []
        self.asked_to_answer: list[list[tuple[str, str]]] = []

    def write(self, most: int | None = None) -> None:
        """Let the server have all that waits for it, or the beginning."""
        for message in islice(iter(self.session.message_to_send, None), most):
            request = json.loads(message.text)
            match request["type"]:
                case "conversation.item.create":
                    (content,) = request["item"]["content"]
                    self.items.append((request["item"]["role"], content["text"]))
                case "response.create":
                    self.asked_to_answer.append([*self.items])
                case kind:
                    assert kind in ("session.update", "response.cancel")

    def reply(self, response_id: str, text: str, status: str) -> None:
        """Let the server answer."""
        self.items.append(("assistant", text))
        for message in (created(response_id), delta(response_id, text), done(response_id, status)):
            self.session.receive_message(message)


_ENDS = ("whole", "whole", "whole", "incomplete", "refused", "left", "left early", "unsent")
_steps = st.tuples(
    st.integers(0, 2), st.integers(0, 9), st.sampled_from(_ENDS), some_text, some_text
)


def _connection_for(
    messages: list[Message], connections: list[_Connection], choice: int
) -> _Connection:
    """Return any connection that takes a conversation, an additional one if none does."""
    taking = [
        each
        for each in connections
        if each.session.has_room(0) and each.session.suits(messages, CONFIG)
    ]
    if taking and choice:
        return taking[choice % len(taking)]
    connections.append(_Connection())
    return connections[-1]


@few_examples
@given(st.lists(_steps, max_size=12))
def test_a_server_answers_the_conversation_that_was_asked_and_nothing_else(
    steps: list[tuple[int, int, str, str, str]],
) -> None:
    """In whatever order conversations come over however many connections, and however they end."""
    conversations = [[Message.user(f"Hello {number}")] for number in range(3)]
    connections: list[_Connection] = []
    for number, (which, choice, end, reply, question) in enumerate(steps):
        conversation = conversations[which]
        connection = _connection_for(conversation, connections, choice)
        session = connection.session
        answer = session.send(conversation, CONFIG, 0)
        connection.write({"unsent": 0, "left early": 2}.get(end))
        if "left" in end or end == "unsent":
            session.abandon(answer)
            connection.write()
        whole = [(each.role, each.text) for each in conversation]
        assert connection.asked_to_answer == ([whole] if answer.is_asked_for else [])
        assert answer.is_asked_for or end in ("left early", "unsent")
        connection.asked_to_answer.clear()
        if end == "refused":
            session.receive_message(failure("server_error", answer.name))
        elif answer.is_asked_for:
            connection.reply(f"r{number}", reply, "completed" if end == "whole" else "incomplete")
        assert session.idle
        if end == "whole":
            conversation += [Message.assistant(reply), Message.user(question)]


# Anything


def _odd_event(kind: str, name: str, value: object) -> str:
    return event(kind, **{name: value})


_ids = st.sampled_from(["r1", "r2"])
_names = st.sampled_from([None, "answer-0", "answer-1", "answer-0.0", "set-up", "cancel"])
_codes = st.sampled_from(["session_expired", "response_cancel_not_active", "server_error", ""])
_statuses = st.sampled_from(["completed", "cancelled", "incomplete", "failed", "in_progress", ""])
_kinds = st.sampled_from(["response.created", "response.done", "rate_limits.updated", "error", "x"])
_members = st.sampled_from(["response", "error", "item", "rate_limits"])
_server_messages = (
    st.builds(created, _ids, _names)
    | st.builds(delta, _ids, texts)
    | st.builds(done, _ids, _statuses)
    | st.builds(failure, _codes, _names)
    | st.builds(item, _ids)
    | st.builds(_odd_event, _kinds, _members, json_values)
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
