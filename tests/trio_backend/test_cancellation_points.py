"""A call is cancelled at every point at which it can be, one after the other."""

from __future__ import annotations

import gc
import ssl
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.trio_backend.conftest import Figures
from tests.trio_backend.leaks import connections_to, living_tasks, open_descriptors
from tests.trio_backend.routes import ROUTES, TEXT, Route
from tokenwire_trio import HTTPProvider

#: What a call is doing, by the innermost function of the transport that is at it.
_PHASES: Final = {
    "_connect": "connect",
    "_send": "send",
    "_receive_head": "first byte",
    "receive": "mid-stream",
    "aclose": "close",
}

every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


class Points(trio.abc.Instrument):
    """Counts the points of a call, and does something at one of them.

    A point is each moment at which a task of the call goes to sleep, each at which it wakes up with
    what it waited for, and each check for cancellation. An action taken at one of them is met by
    the call there, or at the next check.

    Args:
        at: The number of the point to act at, from 0.
        act: What to do.

    Attributes:
        phase: What the call was doing at that point, None if it did not get as far.
    """

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self._call = trio.lowlevel.current_task()
        self._left = at
        self._act = act
        self.phase: str | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a waking."""
        self.pass_by(task)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a falling asleep."""
        self.pass_by(task)

    def pass_by(self, task: trio.lowlevel.Task) -> None:
        """Count one more point, if it is the call's."""
        if not self._belongs_to_call(task):
            return
        if self._left == 0:
            self.phase = _phase_of(self._call)
            self._act()
        self._left -= 1

    def _belongs_to_call(self, task: trio.lowlevel.Task) -> bool:
        ancestor: trio.lowlevel.Task | None = task
        while ancestor is not None and ancestor is not self._call:
            nursery = ancestor.parent_nursery
            ancestor = nursery.parent_task if nursery is not None else None
        return ancestor is not None


def _phase_of(task: trio.lowlevel.Task) -> str:
    names = [frame.f_code.co_name for frame, _ in task.iter_await_frames()]
    return next((_PHASES[name] for name in names if name in _PHASES), "between")


@contextmanager
def acting(at: int, act: Callable[[], None]) -> Generator[Points, None, None]:
    """Act at a point of what the block does."""
    points = Points(at, act)
    check = trio.lowlevel.checkpoint_if_cancelled

    async def counted_check() -> None:
        points.pass_by(trio.lowlevel.current_task())
        await check()

    trio.lowlevel.add_instrument(points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.lowlevel, "checkpoint_if_cancelled", counted_check)
        try:
            yield points
        finally:
            trio.lowlevel.remove_instrument(points)


def summary(what: str, route: Route, phases: Counter[str]) -> str:
    """Say how many points were tried."""
    parts = ", ".join(f"{count} {phase}" for phase, count in phases.items())
    return f"{what} over {route.name}: {phases.total()} points ({parts})"


@every_route
async def test_a_call_can_be_cancelled_at_every_point(
    route: Route, server_context: ssl.SSLContext, ca_file: Path, figures: Figures
) -> None:
    """`Cancelled` comes through, nothing stays open, and the provider answers the next call."""
    phases = Counter[str]()
    tasks, descriptors = living_tasks(), open_descriptors()
    async with route.over_sockets(server_context, ca_file) as (provider, server):
        while await _cancel_at(phases, route, provider, server.base_url):
            assert await route.ask(provider) == TEXT
    gc.collect()  # garbage that warns fails the test
    assert (living_tasks(), open_descriptors()) == (tasks, descriptors)
    assert {"send", "first byte", "mid-stream", "close"} <= phases.keys()
    figures(summary("cancelled", route, phases))


async def _cancel_at(
    phases: Counter[str], route: Route, provider: HTTPProvider, base_url: str
) -> bool:
    """Cancel a call at the next point, and return whether it has such a point."""
    text = None
    scope = trio.CancelScope()
    with acting(phases.total(), scope.cancel) as points, trio.fail_after(5), scope:
        text = await route.ask(provider)
    assert text in (None, TEXT)
    assert (text is None) is scope.cancelled_caught
    if points.phase is None:
        assert text == TEXT
        return False
    phases[points.phase] += 1
    assert text == TEXT or connections_to(base_url) == 0
    return True


@pytest.mark.parametrize("route", ROUTES[:3], ids=lambda route: route.name)
async def test_a_provider_can_be_closed_at_every_point(
    route: Route, server_context: ssl.SSLContext, ca_file: Path, figures: Figures
) -> None:
    """A call whose provider another task closes ends at once, and nothing stays open."""
    phases = Counter[str]()
    descriptors = open_descriptors()
    while await _close_at(phases, route, server_context, ca_file):
        pass
    gc.collect()
    assert open_descriptors() == descriptors
    figures(summary("closed", route, phases))


async def _close_at(
    phases: Counter[str], route: Route, context: ssl.SSLContext, ca_file: Path
) -> bool:
    """Close the provider at the next point, and return whether the call has such a point."""
    async with route.over_sockets(context, ca_file) as (provider, server):
        close = trio.Event()
        with acting(phases.total(), close.set) as points, trio.fail_after(5):
            text = await _ask_while_closing(route, provider, close)
        assert text in (None, TEXT)
        assert connections_to(server.base_url) == 0
        if points.phase is not None:
            phases[points.phase] += 1
    return points.phase is not None


async def _ask_while_closing(route: Route, provider: HTTPProvider, close: trio.Event) -> str | None:
    text = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_close_when, close, provider)
        with suppress(trio.ClosedResourceError):
            text = await route.ask(provider)
        close.set()
    return text


async def _close_when(event: trio.Event, provider: HTTPProvider) -> None:
    await event.wait()
    await provider.aclose()
