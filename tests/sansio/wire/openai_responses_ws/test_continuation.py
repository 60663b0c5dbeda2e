"""What a connection holds, and what a longer conversation adds."""

from __future__ import annotations

import pytest

from tests.sansio.wire.socket_peers import HELLO
from tokenwire.completion import Completion, CompletionBuilder
from tokenwire.messages import Message, Reasoning, Text
from tokenwire.tokens import End, FinishReason, ReasoningDelta, TextDelta, Token
from tokenwire.wire.openai_responses_ws.continuation import held_answer

MORE = Message.user("More")


def completion(*tokens: Token) -> Completion:
    """Put an answer together."""
    builder = CompletionBuilder()
    builder.extend(tokens)
    return builder.completion()


def test_an_answer_may_come_back_without_its_reasoning() -> None:
    """The server has it."""
    held = held_answer(
        HELLO,
        completion(ReasoningDelta("Hm."), TextDelta("Hi.")),
        End("stop", response_id="r1"),
    )
    assert held is not None
    whole = Message.assistant(Reasoning("Hm."), Text("Hi."))
    for reply in (whole, Message.assistant("Hi.")):
        assert held.addition([*HELLO, reply, MORE]) == (MORE,)
    assert held.addition([*HELLO, Message.assistant("Ho."), MORE]) == ()


def test_an_answer_of_nothing_but_reasoning_comes_back_as_it_is() -> None:
    """There is no message without it."""
    held = held_answer(HELLO, completion(ReasoningDelta("Hm.")), End("stop", response_id="r1"))
    assert held is not None
    assert held.addition([*HELLO, Message.assistant(Reasoning("Hm.")), MORE]) == (MORE,)


def test_an_empty_answer_cannot_be_continued() -> None:
    """There is no message of it to go on with."""
    assert held_answer(HELLO, completion(), End("stop", response_id="r1")) is None


@pytest.mark.parametrize("finish", ["length", "content_filter", "other"])
def test_an_answer_that_broke_off_is_not_relied_on(finish: FinishReason) -> None:
    """Whether the server keeps it is not documented."""
    end = End(finish, response_id="r1")
    assert held_answer(HELLO, completion(TextDelta("Hi.")), end) is None


def test_an_answer_without_an_id_cannot_be_continued() -> None:
    """Nothing names it."""
    assert held_answer(HELLO, completion(TextDelta("Hi.")), End("stop")) is None


def test_nothing_of_the_conversation_shows() -> None:
    """In the `repr`."""
    held = held_answer(HELLO, completion(TextDelta("Hi.")), End("stop", response_id="r1"))
    assert repr(held) == "HeldAnswer(response_id='r1')"
