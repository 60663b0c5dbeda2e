"""`tokenwire_trio.bulk.ask_all`: many questions, side by side, answered as values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.patience import HANGS_S
from tests.trio_backend.test_limited import most_open
from tokenwire import LocalProtocolError, Message, NetworkError, Provider, ProviderConfig
from tokenwire_trio import Retrying
from tokenwire_trio.bulk import Answered, Answers, Failed, Question, ask_all
from tokenwire_trio.testing import ScriptedAnswer, ScriptedProvider

HELLO = ScriptedAnswer.of("Hel", "lo")
SLOW = ScriptedAnswer.of(1.0, "Hello")
ALONE_OR_GROUPED = (KeyError, BaseExceptionGroup)
REFUSED = NetworkError(message="refused", phase="tcp", sent="nothing", retryable=True)


def questions(count: int) -> list[Question]:
    """Make so many, numbered from 0."""
    return [Question(id=number, messages=[Message.user(f"{number}")]) for number in range(count)]


async def ids(answers: Answers) -> list[object]:
    """Read all results."""
    return [result.id async for result in answers]


def leave_with(error: Exception, provider: Provider) -> BaseException:
    """Leave a block with an exception, in mid-answer and however it ends; return what comes out."""

    async def main() -> None:
        async with ask_all(provider, questions(2), concurrency=2):
            try:
                await wait_all_tasks_blocked()
            finally:
                raise error

    with pytest.raises(ALONE_OR_GROUPED) as caught:
        trio.run(main)
    return caught.value


def exceptions_in(group: BaseException) -> list[BaseException]:
    """Return what is in an exception group."""
    assert isinstance(group, BaseExceptionGroup)
    return list(cast("BaseExceptionGroup[BaseException]", group).exceptions)


async def test_every_question_gets_its_answer() -> None:
    """With its id, its text, and how many pieces it came in."""
    async with ask_all(ScriptedProvider(HELLO, repeat=True), questions(20)) as answers:
        results = [result async for result in answers]
    assert sorted(str(result.id) for result in results) == sorted(map(str, range(20)))
    for result in results:
        assert isinstance(result, Answered)
        assert (result.completion.text, result.deltas) == ("Hello", 2)
    assert (answers.deltas, answers.under_way) == (40, 0)


async def test_a_question_brings_its_own_settings() -> None:
    """What it leaves unset is the provider's."""
    provider = ScriptedProvider(HELLO)
    config = ProviderConfig(model="m")
    question = Question(id="a", messages=[Message.user("Hi")], config=config)
    async with ask_all(provider, [question]) as answers:
        await ids(answers)
    assert provider.calls[0].config == config


async def test_no_more_are_under_way_than_allowed(autojump_clock: MockClock) -> None:
    """Ten answers of a second each, three at a time, take four seconds."""
    provider = ScriptedProvider(SLOW, repeat=True)
    began = trio.current_time()
    async with ask_all(provider, questions(10), concurrency=3) as answers:
        await wait_all_tasks_blocked()
        assert answers.under_way == 3
        await ids(answers)
    assert (trio.current_time() - began, most_open(provider)) == (4, 3)


async def test_results_come_as_they_are_complete(autojump_clock: MockClock) -> None:
    """A slow answer holds up none of the others."""
    provider = ScriptedProvider(SLOW, HELLO, HELLO)
    async with ask_all(provider, questions(3), concurrency=2) as answers:
        assert (await ids(answers))[-1] == 0


async def test_a_failure_is_a_value() -> None:
    """With what had come before it; the other questions are asked all the same."""
    torn = NetworkError(message="cut", phase="body", in_stream=True)
    provider = ScriptedProvider(ScriptedAnswer(stream=("Hel", torn)), HELLO)
    async with ask_all(provider, questions(2), concurrency=1) as answers:
        first, second = [result async for result in answers]
    assert isinstance(first, Failed)
    assert (first.error, first.partial.text) == (torn, "Hel")
    assert first.error.__traceback__ is None
    assert isinstance(second, Answered)


async def test_a_failure_before_there_is_a_stream_is_a_value() -> None:
    """As is a question that the wire format cannot carry."""
    failures = [REFUSED, LocalProtocolError("no images")]
    provider = ScriptedProvider(*map(ScriptedAnswer.failing, failures))
    async with ask_all(provider, questions(2), concurrency=1) as answers:
        results = [result async for result in answers]
    assert [result.error for result in results if isinstance(result, Failed)] == failures


async def test_what_is_tried_again_is_one_result(autojump_clock: MockClock) -> None:
    """The provider that is asked decides about attempts."""
    provider = ScriptedProvider(ScriptedAnswer.failing(REFUSED), HELLO)
    async with ask_all(Retrying(provider), questions(1)) as answers:
        [result] = [result async for result in answers]
    assert isinstance(result, Answered)
    assert len(provider.calls) == 2


async def test_what_holds_for_every_question_is_raised() -> None:
    """As it was raised, and once, although every task met it."""
    provider = ScriptedProvider(ScriptedAnswer.failing(ValueError("no such CA")), repeat=True)
    with pytest.raises(ValueError, match="no such CA"):
        async with ask_all(provider, questions(100)) as answers:
            await ids(answers)
    assert provider.open_calls == 0


async def test_questions_that_cannot_be_had_are_an_error() -> None:
    """What the iterable raises is raised to whoever reads."""

    def broken() -> Iterator[Question]:
        yield from questions(1)
        raise OSError("no such file")

    async with ask_all(ScriptedProvider(HELLO), broken(), concurrency=1) as answers:
        with pytest.raises(OSError, match="no such file"):
            await ids(answers)


async def test_questions_may_come_from_a_channel() -> None:
    """And so while others are answered; the end of the channel is the end of the results."""
    send, receive = trio.open_memory_channel[Question](0)

    async def produce() -> None:
        async with send:
            for question in questions(5):
                await send.send(question)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        async with receive, ask_all(ScriptedProvider(HELLO, repeat=True), receive) as answers:
            assert sorted(map(str, await ids(answers))) == list("01234")


async def test_questions_are_taken_no_further_ahead_than_one(autojump_clock: MockClock) -> None:
    """A million lines are never in memory, and nor are the results that nobody has read."""
    taken = 0

    def endless() -> Iterator[Question]:
        nonlocal taken
        for taken in range(1, 10**9):
            yield Question(id=taken, messages=[Message.user("Hi")])

    async with ask_all(ScriptedProvider(HELLO, repeat=True), endless(), concurrency=4) as answers:
        for read in range(50):
            await wait_all_tasks_blocked()
            assert taken <= read + 4 + 1
            await anext(answers)


async def test_stopping_waits_for_what_is_under_way(autojump_clock: MockClock) -> None:
    """Nothing new is asked, and no answer that was begun is lost."""
    provider = ScriptedProvider(SLOW, repeat=True)
    async with ask_all(provider, questions(100), concurrency=3) as answers:
        await wait_all_tasks_blocked()
        answers.stop_asking()
        assert sorted(map(str, await ids(answers))) == ["0", "1", "2"]
    assert len(provider.calls) == 3


async def test_stopping_need_not_wait_for_the_next_question() -> None:
    """A channel that brings nothing is left at once."""
    _send, receive = trio.open_memory_channel[Question](0)
    with trio.fail_after(HANGS_S):
        async with ask_all(ScriptedProvider(), receive) as answers:
            await wait_all_tasks_blocked()
            answers.stop_asking()
            assert await ids(answers) == []


async def test_leaving_early_gives_up_what_is_under_way(autojump_clock: MockClock) -> None:
    """Every block is left before this one is."""
    provider = ScriptedProvider(HELLO, SLOW, SLOW, SLOW, repeat=True)
    async with ask_all(provider, questions(100), concurrency=3) as answers:
        async for _ in answers:
            break
    assert provider.open_calls == 0
    with pytest.raises(trio.ClosedResourceError):
        await anext(answers)


def test_an_exception_comes_out_of_the_block_as_it_was_raised() -> None:
    """In no exception group, whatever is under way."""
    provider = ScriptedProvider(SLOW, repeat=True)
    mine = KeyError("mine")
    assert leave_with(mine, provider) is mine
    assert provider.open_calls == 0


def test_the_callers_own_group_comes_out_whole() -> None:
    """Only the group that a nursery of ours adds is taken off."""
    mine = ExceptionGroup("mine", [KeyError("a"), KeyError("b")])
    came_out = leave_with(mine, ScriptedProvider(SLOW, repeat=True))
    assert exceptions_in(came_out) == list(mine.exceptions)


def test_two_exceptions_at_once_both_come_out() -> None:
    """One of the caller's, and one of a provider that is beyond recovery."""

    class Exhausted(BaseException):
        """No exception that a program handles."""

    class Exhausting:
        def complete(self, messages: object, config: object = None) -> Any:
            raise Exhausted

    came_out = leave_with(KeyError("mine"), Exhausting())
    assert {type(error) for error in exceptions_in(came_out)} == {KeyError, Exhausted}


async def test_a_deadline_around_the_block_ends_it(autojump_clock: MockClock) -> None:
    """What was complete by then had been read."""
    provider = ScriptedProvider(SLOW, repeat=True)
    seen = 0
    with trio.move_on_after(2.5) as scope:
        async with ask_all(provider, questions(100), concurrency=2) as answers:
            async for _ in answers:
                seen += 1
    assert (scope.cancelled_caught, seen, provider.open_calls) == (True, 4, 0)


async def test_a_concurrency_that_makes_no_sense_is_refused() -> None:
    """It would ask nothing, forever."""
    with pytest.raises(ValueError, match="concurrency must be at least 1"):
        async with ask_all(ScriptedProvider(), [], concurrency=0):
            pass


async def test_several_tasks_may_share_the_results(autojump_clock: MockClock) -> None:
    """Each result goes to one of them."""
    seen: list[object] = []

    async def read(answers: Answers) -> None:
        async for result in answers:
            seen.append(result.id)
            await trio.sleep(0.1)

    async with (
        ask_all(ScriptedProvider(HELLO, repeat=True), questions(30)) as answers,
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            nursery.start_soon(read, answers)
    assert sorted(map(str, seen)) == sorted(map(str, range(30)))


@given(
    st.lists(st.sampled_from([HELLO, SLOW, ScriptedAnswer.failing(REFUSED)]), max_size=12),
    st.integers(1, 4),
    st.none() | st.floats(0, 5),
)
def test_every_question_has_one_result(
    script: list[ScriptedAnswer], concurrency: int, stop_at: float | None
) -> None:
    """Whatever fails, and whenever asking is stopped: what was asked has one, the rest has none."""

    async def stop(answers: Answers) -> None:
        if stop_at is not None:
            await trio.sleep(stop_at)
            answers.stop_asking()

    async def main() -> None:
        provider = ScriptedProvider(*script)
        async with (
            ask_all(provider, questions(len(script)), concurrency=concurrency) as answers,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(stop, answers)
            seen = await ids(answers)
        assert sorted(map(str, seen)) == sorted(map(str, range(len(provider.calls))))
        assert stop_at is not None or len(seen) == len(script)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_neither_questions_nor_results_show_what_was_said() -> None:
    """They are logged, and conversations are nobody's business."""
    question = Question(id="a", messages=[Message.user("private")])
    async with ask_all(ScriptedProvider(HELLO), [question]) as answers:
        result = await anext(answers)
    assert "private" not in repr(question)
    assert "Hel" not in repr(result)


def test_a_text_is_no_conversation() -> None:
    """It would be taken apart, letter by letter."""
    text: Any = "Hi"
    with pytest.raises(TypeError, match=r"such as \[Message.user\(.*, not str"):
        Question(id=1, messages=text)


async def test_a_text_is_no_question() -> None:
    """It has no id to know its answer by; the error shows what has."""
    texts: Any = ["Hi"]
    async with ask_all(ScriptedProvider(HELLO), texts) as answers:
        with pytest.raises(TypeError, match=r"such as Question\(id=1, .*\), not str$"):
            await anext(answers)
