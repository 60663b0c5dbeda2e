"""Cancel a wrapped call at every point where it can be: nothing stays open, no place is lost."""

from __future__ import annotations

from itertools import repeat

import trio
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import MemoryNetwork, answer, answers_each, refusal
from tokenwire import NetworkError, RetryPolicy
from tokenwire_trio import Fallback, HTTPProvider, Limited, Rate, Retrying
from tokenwire_trio.testing.scripted import ScriptedAnswer, ScriptedProvider


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when the task that made this is about to run for the n-th time.

    Attributes:
        scope: What to cancel.
    """

    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self._steps_left = step
        self._task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count the task's steps."""
        if task is self._task:
            self._steps_left -= 1
            if self._steps_left == 0:
                self.scope.cancel()


async def call_and_cancel(step: int) -> bool:
    """Make a call that goes through every wrapper, cancel it, and look for what is left of it.

    Returns:
        Whether the call was cancelled, and not over before.
    """
    policy = RetryPolicy(retry_overloaded=True, attempts=2)
    async with trio.open_nursery() as servers:
        networks = [
            MemoryNetwork(servers, answers_each(repeat(refusal(503)))),
            MemoryNetwork(servers, answers_each(repeat(answer("Hel", "lo")))),
        ]
        async with (
            HTTPProvider(provider_section(), dial=networks[0]) as first,
            HTTPProvider(provider_section(), dial=networks[1]) as second,
        ):
            limits = [Limited(first, concurrency=1), Limited(second, rate=Rate(1, per_s=1))]
            fallback = Fallback(*(Retrying(limited, policy) for limited in limits))
            whole = Limited(fallback, concurrency=1)
            canceller = CancelAtStep(step)
            trio.lowlevel.add_instrument(canceller)
            with canceller.scope as scope:
                async with whole.complete(HELLO) as stream:
                    assert (await stream.collect()).text == "Hello"
            trio.lowlevel.remove_instrument(canceller)
            async with whole.complete(HELLO) as stream:
                assert (await stream.collect()).text == "Hello"
            assert [limited.waiting for limited in (whole, *limits)] == [0, 0, 0]
        connections = [connection for network in networks for connection in network.connections]
        assert all(connection.closed for connection in connections)
        servers.cancel_scope.cancel()
    return scope.cancelled_caught


async def test_a_call_can_be_cancelled_at_every_point(
    autojump_clock: MockClock, figures: Figures
) -> None:
    """Connections are closed, places given back, and the next call works."""
    points = 0
    while await call_and_cancel(points + 1):
        points += 1
    figures(f"cancelled through Limited, Fallback and Retrying: {points} points")
    assert points > 20


async def read_with_a_cancellation(provider: ScriptedProvider, step: int) -> str:
    """Read an answer, one read of it cancelled on the way; return the text, or that it closed."""
    text = ""
    canceller = CancelAtStep(step)
    trio.lowlevel.add_instrument(canceller)
    async with Retrying(provider).complete(HELLO) as stream:
        while True:  # noqa: ASYNC913  # a read that is cancelled was a checkpoint
            try:
                with trio.CancelScope() as canceller.scope:
                    text += (await anext(stream)).text
            except StopAsyncIteration:
                return text
            except trio.ClosedResourceError:
                return "closed"


async def test_a_cancelled_read_takes_no_token(autojump_clock: MockClock) -> None:
    """Later reads bring the whole answer; only an attempt cancelled in sending closes it."""
    failure = NetworkError(message="refused", phase="tcp", sent="nothing", retryable=True)
    outcomes: list[str] = []
    for step in range(1, 20):
        provider = ScriptedProvider(
            ScriptedAnswer(stream=(0.5, failure)),
            ScriptedAnswer(entering=(0.5,), stream=(0.5, "Hel", 0.5, "lo")),
        )
        outcomes.append(await read_with_a_cancellation(provider, step))
        assert provider.open_calls == 0
        assert len(provider.calls) == 2
    assert set(outcomes) == {"Hello", "closed"}
    assert outcomes.count("closed") <= 3
