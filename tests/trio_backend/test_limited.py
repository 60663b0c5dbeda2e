"""`tokenwire_trio.limited`: so many at a time, first come, first served."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.foreign import ForeignProvider
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import MemoryNetwork, answer, keeps_alive
from tokenwire import Deadlines, Message, NetworkError, Provider
from tokenwire_trio import HTTPProvider, Limited, Rate
from tokenwire_trio.testing.scripted import ScriptedAnswer, ScriptedProvider

QUICK = ScriptedAnswer.of("Hello")
SLOW = ScriptedAnswer.of(1.0, "Hello")


async def ask(provider: Provider, text: str = "Hello") -> str:
    """Read an answer to its end."""
    async with provider.complete([Message.user(text)]) as stream:
        return (await stream.collect()).text


def order_of(provider: ScriptedProvider) -> list[str]:
    """Return what was asked, in the order in which the calls were made."""
    return [call.messages[0].text for call in provider.calls]


def most_open(provider: ScriptedProvider) -> int:
    """Return how many calls were open at once."""
    changes = [(call.entered_at, 1) for call in provider.calls]
    changes += [(call.left_at, -1) for call in provider.calls if call.left_at is not None]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


async def test_no_more_calls_are_open_than_allowed(autojump_clock: MockClock) -> None:
    """Ten calls of a second each, three at a time, take four seconds."""
    provider = ScriptedProvider(SLOW, repeat=True)
    limited = Limited(provider, concurrency=3)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask, limited)
        await wait_all_tasks_blocked()
        assert (provider.open_calls, limited.waiting) == (3, 7)
    assert trio.current_time() - began == 4
    assert limited.waiting == 0


@pytest.mark.parametrize(
    "limits", [{"concurrency": 2}, {"rate": Rate(2, per_s=1)}], ids=["concurrency", "rate"]
)
async def test_calls_are_served_in_the_order_in_which_they_came(
    limits: Mapping[str, Any], autojump_clock: MockClock
) -> None:
    """Whatever order the scheduler runs its tasks in."""
    provider = ScriptedProvider(SLOW, repeat=True)
    limited = Limited(provider, **limits)
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(ask, limited, f"call {number:02}")
            await wait_all_tasks_blocked()
    assert order_of(provider) == [f"call {number:02}" for number in range(20)]


async def test_a_newcomer_does_not_overtake(autojump_clock: MockClock) -> None:
    """A place that was just given back belongs to whoever has waited longest."""
    provider = ScriptedProvider(QUICK, repeat=True)
    limited = Limited(provider, concurrency=1)
    async with trio.open_nursery() as nursery:
        async with limited.complete([Message.user("call 1")]):
            nursery.start_soon(ask, limited, "call 2")
            await wait_all_tasks_blocked()
        await ask(limited, "call 3")
    assert order_of(provider) == ["call 1", "call 2", "call 3"]


async def test_a_place_is_taken_until_the_block_is_left(autojump_clock: MockClock) -> None:
    """An answer that was read to its end, or closed, still holds its place."""
    limited = Limited(ScriptedProvider(QUICK, repeat=True), concurrency=1)
    async with limited.complete(HELLO) as stream:
        await stream.collect()
        await stream.aclose()
        with trio.move_on_after(60) as waiting:
            await ask(limited)
        assert waiting.cancelled_caught
    assert await ask(limited) == "Hello"


FAILURE = NetworkError(message="no", phase="tcp", sent="nothing")


@pytest.mark.parametrize(
    "answer",
    [ScriptedAnswer.failing(FAILURE), ScriptedAnswer(stream=(FAILURE,))],
    ids=["entering", "reading"],
)
async def test_a_failure_gives_its_place_back(answer: ScriptedAnswer) -> None:
    """Wherever the call fails."""
    limited = Limited(ScriptedProvider(answer, QUICK), concurrency=1)
    with pytest.raises(NetworkError):
        await ask(limited)
    assert await ask(limited) == "Hello"


async def test_a_mistake_in_the_call_gives_its_place_back() -> None:
    """Also where the wrapped provider refuses before there is a block to enter."""

    class Picky:
        def complete(self, messages: object, config: object = None) -> Any:
            raise ValueError("too many")

    limited = Limited(Picky(), concurrency=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="too many"):
            await ask(limited)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), max_size=12),
    st.integers(1, 3),
    st.none() | st.builds(Rate, st.integers(1, 3), per_s=st.floats(0.1, 3)),
)
def test_a_cancelled_call_takes_nothing_with_it(
    calls: list[tuple[float, float]], concurrency: int, rate: Rate | None
) -> None:
    """Whenever calls come and are cancelled, all places are free in the end, and no more."""

    async def call(limited: Limited, at: float, patience: float) -> None:
        await trio.sleep(at)
        with trio.move_on_after(patience):
            await ask(limited)

    async def main() -> None:
        provider = ScriptedProvider(SLOW, repeat=True)
        limited = Limited(provider, concurrency=concurrency, rate=rate)
        async with trio.open_nursery() as nursery:
            for at, patience in calls:
                nursery.start_soon(call, limited, at, patience)
        assert (limited.waiting, provider.open_calls) == (0, 0)
        assert most_open(provider) <= concurrency
        await trio.sleep(3)
        with trio.fail_after(concurrency * (rate.per_s if rate else 0) + 2):
            async with trio.open_nursery() as nursery:
                for _ in range(concurrency):
                    nursery.start_soon(ask, limited)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_call_that_gives_up_on_the_rate_takes_nothing(autojump_clock: MockClock) -> None:
    """Neither the only place nor a part of the rate: the next call begins when it could have."""
    limited = Limited(ScriptedProvider(QUICK, repeat=True), concurrency=1, rate=Rate(1, per_s=10))
    began = trio.current_time()
    await ask(limited)
    with trio.move_on_after(5):
        await ask(limited)
    await ask(limited)
    assert trio.current_time() - began == 10


@given(
    st.lists(st.floats(0, 10), max_size=40),
    st.builds(Rate, st.integers(1, 5), per_s=st.floats(0.1, 10)),
)
def test_no_span_holds_more_calls_than_its_rate(arrivals: list[float], rate: Rate) -> None:
    """However they come: between a call and the one `requests` later lies the whole span."""
    provider = ScriptedProvider(QUICK, repeat=True)

    async def call(limited: Limited, at: float) -> None:
        await trio.sleep(at)
        await ask(limited)

    async def main() -> None:
        limited = Limited(provider, rate=rate)
        async with trio.open_nursery() as nursery:
            for at in arrivals:
                nursery.start_soon(call, limited, at)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    starts = [call.entered_at for call in provider.calls]
    assert len(starts) == len(arrivals)
    for first, later in zip(starts, starts[rate.requests :], strict=False):
        assert later - first >= rate.per_s - 1e-6


async def test_a_rate_of_one_spreads_calls_evenly(autojump_clock: MockClock) -> None:
    """One a second, where a provider enforces its sixty a minute by the second."""
    provider = ScriptedProvider(SLOW, repeat=True)
    limited = Limited(provider, rate=Rate(1, per_s=1))
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask, limited)
    starts = [call.entered_at for call in provider.calls]
    assert [later - first for first, later in pairwise(starts)] == [1, 1, 1, 1]


async def test_a_rate_lets_a_burst_begin_at_once(autojump_clock: MockClock) -> None:
    """Nobody waits before the limit is reached."""
    provider = ScriptedProvider(QUICK, repeat=True)
    limited = Limited(provider, rate=Rate(5, per_s=60))
    began = trio.current_time()
    for _ in range(5):
        await ask(limited)
    assert trio.current_time() == began
    await ask(limited)
    assert trio.current_time() - began == 60


async def test_waiting_counts_for_no_deadline_of_the_endpoint(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A hundred seconds in the line do not use up the one second that the call may take."""
    network = MemoryNetwork(nursery, keeps_alive(answer("Hello")))
    deadlines = Deadlines(connect=1, total=1)
    texts: list[str] = []

    async def ask_and_keep() -> None:
        texts.append(await ask(limited))

    async with HTTPProvider(provider_section(deadlines=deadlines), dial=network) as provider:
        limited = Limited(provider, concurrency=1)
        async with trio.open_nursery() as callers, limited.complete(HELLO):
            callers.start_soon(ask_and_keep)
            await trio.sleep(100)
    assert texts == ["Hello"]


async def test_a_foreign_provider_can_be_wrapped() -> None:
    """Its block is left as the caller's is."""
    foreign = ForeignProvider(["Hel", "lo"])
    wrapped: Provider = Limited(foreign, concurrency=1)
    async with wrapped.complete(HELLO) as stream:
        assert [token.text async for token in stream] == ["Hel", "lo"]
    assert foreign.left_with == [None]


@pytest.mark.parametrize(
    ("limits", "names"),
    [({}, "concurrency, rate or both"), ({"concurrency": 0}, "concurrency must be at least 1")],
)
def test_limits_that_make_no_sense_are_refused(limits: Mapping[str, Any], names: str) -> None:
    """The error says what to set."""
    with pytest.raises(ValueError, match=names):
        Limited(ScriptedProvider(), **limits)


def test_a_rate_has_a_span() -> None:
    """A bare number, per second or per minute, is a likely mistake."""
    limits: Any = {"rate": 60}
    with pytest.raises(TypeError, match=r"a Rate, such as Rate\(60, per_s=60\), not 60"):
        Limited(ScriptedProvider(), **limits)


def test_a_rate_that_makes_no_sense_is_refused() -> None:
    """It would let nobody pass, or everybody."""
    with pytest.raises(ValueError, match="requests"):
        Rate(0, per_s=1)
    with pytest.raises(ValueError, match="per_s"):
        Rate(1, per_s=0)


def test_it_shows_what_it_wraps() -> None:
    """Enough for a log, and no message."""
    limited = Limited(ScriptedProvider(), concurrency=1)
    assert repr(limited) == "<Limited <ScriptedProvider with 0 answers>>"
