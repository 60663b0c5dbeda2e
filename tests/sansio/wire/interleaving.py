"""Answers side by side over one connection, their messages mixed in every order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from hypothesis import strategies as st

from tests.sansio.wire.socket_peers import CONFIG, write
from tests.strategies import some_text, texts
from tokenwire.messages import Message
from tokenwire.session import OpenAnswer, Session
from tokenwire.tokens import End, TextDelta

#: The pieces of each answer, and messages with the number of the answer that each is of.
Interleaved: TypeAlias = tuple[list[list[str]], list[tuple[int, str]]]

#: What JSON may hold.
json_values = st.recursive(
    st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)

#: What callers do in a script of `fuzz.sessions`.
callers_lines = st.sampled_from(["ask", "ask", "more", "write", "leave", "lost"])


@st.composite
def interleaved(
    draw: st.DrawFn, messages_of: Callable[[int, Sequence[str]], list[str]]
) -> Interleaved:
    """Make up answers, and mix their messages in any order that each answer allows.

    Args:
        draw: Hypothesis' own.
        messages_of: Tells an answer by its number and its pieces; from 99 on it is nobody's.
    """
    answers = draw(st.lists(st.lists(some_text, max_size=4), min_size=1, max_size=6))
    queues = [messages_of(number, pieces) for number, pieces in enumerate(answers)]
    script: list[tuple[int, str]] = []
    while any(queues):
        number = draw(st.sampled_from([each for each, queue in enumerate(queues) if queue]))
        script.append((number, queues[number].pop(0)))
        if draw(st.booleans()):
            script.append((99, draw(st.sampled_from(messages_of(99, ["foreign"])))))
    return answers, script


def check_interleaved(session: Session, drawn: Interleaved, left: set[int]) -> None:
    """Check that each answer gets its own tokens, in order, and nobody gets what is nobody's."""
    answers, script = drawn
    asked: list[OpenAnswer] = [
        session.send([Message.user(str(each))], CONFIG, 0) for each in range(len(answers))
    ]
    write(session)
    for number in left & set(range(len(answers))):
        session.abandon(asked[number])
    for number, text in script:
        for delivery in session.receive_message(text):
            assert delivery.answer is asked[number]
            assert number not in left
            for event in delivery.events:
                assert isinstance(event, End | TextDelta)
    for number, pieces in enumerate(answers):
        expected = "" if number in left else "".join(pieces)
        assert asked[number].exchange.partial().text == expected
    assert session.idle
