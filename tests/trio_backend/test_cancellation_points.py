"""A call is cancelled at every point at which it can be, one after the other."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from tests.figures import Figures
from tests.patience import HANGS_S
from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.routes import FEWER_ROUTES, ROUTES, TEXT, Route, Site
from tokenwire_trio import HTTPProvider, HTTPTokenStream

#: What a call is doing, by the innermost function of the transport that is at it.
_PHASES: Final = {
    "_connect": "connect",
    "_send": "send",
    "_receive_head": "first byte",
    "receive": "mid-stream",
    "aclose": "close",
}


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


@attrs.define
class Asking:
    """A program that makes a call.

    Attributes:
        route: The way to the server.
        leaves_early: It has enough after one token, and does not read the rest.
        stream: Its stream, once it has one.
        done: It came to its end.
    """

    route: Route
    leaves_early: bool
    stream: HTTPTokenStream | None = None
    done: bool = False

    async def run(self, provider: HTTPProvider) -> None:
        """Make the call."""
        async with provider.complete(self.route.messages) as self.stream:
            if self.leaves_early:
                await anext(self.stream)
            else:
                assert (await self.stream.collect()).text == TEXT
        self.done = True

    @property
    def may_keep_connection(self) -> bool:
        """Whether its answer was whole, or it may not have come to a connection that was kept."""
        whole = self.stream is not None and self.stream.partial().complete
        return whole or self.route.warm


@pytest.mark.parametrize(
    ("route", "leaves_early"),
    [
        *(pytest.param(route, False, id=f"{route.name}, read to the end") for route in ROUTES),
        *(pytest.param(route, True, id=f"{route.name}, left early") for route in FEWER_ROUTES),
    ],
)
async def test_a_call_can_be_cancelled_at_every_point(
    *,
    route: Route,
    leaves_early: bool,
    server_context: ssl.SSLContext,
    ca_file: Path,
    figures: Figures,
) -> None:
    """`Cancelled` comes through, nothing stays open, and the provider answers the next call."""
    phases = Counter[str]()
    with nothing_left_behind():
        async with route.over_sockets(server_context) as site:
            while await _cancel_with_one_provider(phases, route, leaves_early, site, ca_file):
                assert connections_to(site.entrance) == 0
    assert {"send", "first byte", "mid-stream"} <= phases.keys()
    assert "close" in phases or not leaves_early
    how = "cancelled" if not leaves_early else "left early and cancelled"
    figures(summary(how, route, phases))


async def _cancel_with_one_provider(
    phases: Counter[str], route: Route, leaves_early: bool, site: Site, ca_file: Path
) -> bool:
    """Cancel at the next point, or where connections are kept at all that are left."""
    async with route.provider(site, ca_file) as provider:
        while True:
            asking = Asking(route, leaves_early)
            more = await _cancel_at_next_point(phases, asking, provider, site)
            if not (more and route.warm):
                return more


async def _cancel_at_next_point(
    phases: Counter[str], asking: Asking, provider: HTTPProvider, site: Site
) -> bool:
    """Cancel a call at the next point, and return whether it has such a point."""
    scope = trio.CancelScope()
    with acting(phases.total(), scope.cancel) as points, trio.fail_after(HANGS_S), scope:
        await asking.run(provider)
    assert asking.done is not scope.cancelled_caught
    assert connections_to(site.entrance) <= asking.may_keep_connection
    if points.phase is None:
        assert asking.done
        return False
    phases[points.phase] += 1
    with trio.fail_after(HANGS_S):
        assert await asking.route.ask(provider) == TEXT
    return True


@pytest.mark.parametrize("route", FEWER_ROUTES, ids=lambda route: route.name)
async def test_a_provider_can_be_closed_at_every_point(
    route: Route, server_context: ssl.SSLContext, ca_file: Path, figures: Figures
) -> None:
    """A call whose provider another task closes ends at once, and nothing stays open."""
    phases = Counter[str]()
    with nothing_left_behind():
        async with route.over_sockets(server_context) as site:
            while await _close_at(phases, route, site, ca_file):
                pass
    figures(summary("closed", route, phases))


async def _close_at(phases: Counter[str], route: Route, site: Site, ca_file: Path) -> bool:
    """Close the provider at the next point, and return whether the call has such a point."""
    close = trio.Event()
    async with route.provider(site, ca_file) as provider:
        with acting(phases.total(), close.set) as points, trio.fail_after(HANGS_S):
            text = await _ask_while_closing(route, provider, close)
        assert text in (None, TEXT)
        assert connections_to(site.entrance) == 0
    if points.phase is None:
        return False
    phases[points.phase] += 1
    return True


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
