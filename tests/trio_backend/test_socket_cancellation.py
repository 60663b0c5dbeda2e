"""A call over a socket is cancelled, and its provider closed, at every possible point."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, wait_all_tasks_blocked

from tests.figures import Figures
from tests.patience import HANGS_S
from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.servers import socket_server
from tests.trio_backend.socket_routes import (
    FEWER_SOCKET_ROUTES,
    SOCKET_ROUTES,
    TEXT,
    SocketRoute,
    SocketSite,
)
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    RawServer,
    SectionOf,
    answers_all,
    ask,
    created,
    ended,
    events,
    raw_handler,
    realtime_section,
    socket_provider,
    socket_section,
    text_of,
    websocket_handler,
)
from tests.trio_backend.test_cancellation_points import acting
from tokenwire.messages import Message
from tokenwire_trio import SocketProvider

Call: TypeAlias = Callable[[SocketRoute, SocketProvider], Awaitable[None]]

#: What a call is doing, by the function of the transport that is at it, the innermost first.
_PHASES: Final = {
    "_open_another": "opening",
    "_ask": "asking",
    "_begin": "first message",
    "receive": "mid-stream",
    "aclose": "closing",
}

every_route = pytest.mark.parametrize("route", FEWER_SOCKET_ROUTES, ids=lambda route: route.name)


def _phase_of(task: trio.lowlevel.Task) -> str:
    names = {frame.f_code.co_name for frame, _ in task.iter_await_frames()}
    return next((phase for name, phase in _PHASES.items() if name in names), "between")


async def _read_all(route: SocketRoute, provider: SocketProvider) -> None:
    assert await route.ask(provider) == TEXT


async def _leave_early(route: SocketRoute, provider: SocketProvider) -> None:
    async with provider.complete(route.messages) as stream:
        await anext(stream)


@pytest.mark.parametrize(
    ("route", "call"),
    [
        *(
            pytest.param(route, _read_all, id=f"{route.name}, read")
            for route in FEWER_SOCKET_ROUTES
        ),
        # Where it is the API that differs: one can be told to stop, the other cannot.
        *(
            pytest.param(route, _leave_early, id=f"{route.name}, left")
            for route in FEWER_SOCKET_ROUTES
            if route.warm
        ),
    ],
)
async def test_a_call_can_be_cancelled_at_every_point(
    *,
    route: SocketRoute,
    call: Call,
    server_context: ssl.SSLContext,
    ca_file: Path,
    figures: Figures,
) -> None:
    """`Cancelled` comes through, the next call is answered, and nothing stays open behind it."""
    phases = Counter[str]()
    with nothing_left_behind():
        async with route.over_sockets(server_context, ca_file) as site:
            more = True
            while more:
                async with route.provider(site) as provider:
                    more = await _cancel_at_next_point(phases, route, call, provider)
                assert connections_to(site.entrance) == 0
    assert {"asking", "first message", "mid-stream"} <= phases.keys()
    assert ("opening" in phases) is not route.warm
    points = ", ".join(f"{number} {phase}" for phase, number in phases.items())
    figures(f"cancelled over {route.name}: {phases.total()} points ({points})")


async def _cancel_at_next_point(
    phases: Counter[str], route: SocketRoute, call: Call, provider: SocketProvider
) -> bool:
    """Cancel a call at the next point, and return whether it has such a point."""
    scope = trio.CancelScope()
    task = trio.lowlevel.current_task()
    done = False

    def cancel() -> None:
        phases[_phase_of(task)] += 1
        scope.cancel()

    with trio.fail_after(HANGS_S):
        with acting(phases.total(), cancel) as points, scope:
            await call(route, provider)
            done = True
        assert done is not scope.cancelled_caught
        assert await route.ask(provider) == TEXT
    return points.phase is not None


@every_route
async def test_a_provider_can_be_closed_at_every_point(
    route: SocketRoute, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """A call whose provider another task closes ends at once, and nothing stays open."""
    points = 0
    with nothing_left_behind():
        async with route.over_sockets(server_context, ca_file) as site:
            while await _close_at(points, route, site):
                assert connections_to(site.entrance) == 0
                points += 1
    assert points > 5


async def _close_at(point: int, route: SocketRoute, site: SocketSite) -> bool:
    close = trio.Event()
    with trio.fail_after(HANGS_S):
        async with route.provider(site) as provider, trio.open_nursery() as side:
            side.start_soon(_close_when, close, provider)
            with acting(point, close.set) as points, suppress(trio.ClosedResourceError):
                await _read_all(route, provider)
            close.set()
    return points.phase is not None


async def _close_when(event: trio.Event, provider: SocketProvider) -> None:
    await event.wait()
    await provider.aclose()


@every_route
async def test_closing_can_be_cancelled_at_every_point(
    route: SocketRoute, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Nothing is open when it returns, whether the farewell was said or not."""
    points, more = 0, True
    with nothing_left_behind():
        async with route.over_sockets(server_context, ca_file) as site:
            while more:
                async with route.provider(site) as provider:
                    await provider.warm()
                    assert connections_to(site.entrance) == 1
                    scope = trio.CancelScope()
                    with acting(points, scope.cancel) as at, scope:
                        await provider.aclose()
                    assert connections_to(site.entrance) == 0
                more = at.phase is not None
                points += 1
    assert points > 1


@pytest.mark.parametrize(
    "route", [each for each in SOCKET_ROUTES if each.tls], ids=lambda route: route.name
)
async def test_a_connection_outlives_calls_that_are_cancelled(
    route: SocketRoute, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """At every point, where it holds no conversation that was asked for."""
    phases = Counter[str]()
    async with (
        route.over_sockets(server_context, ca_file) as site,
        route.provider(site) as provider,
    ):
        await provider.warm()
        while await _cancel_at_next_point(phases, route, _read_all, provider):
            pass
        assert connections_to(site.entrance) == 1
    assert phases.total() > 20


async def test_a_cancelled_call_disturbs_no_other_on_its_connection() -> None:
    """At every point of it."""
    async with socket_server(websocket_handler(answers_all)) as base_url:
        point, more = 0, True
        while more:
            async with SocketProvider(socket_section(base_url)) as provider:
                await provider.warm()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_ask_hello, provider)
                    scope = trio.CancelScope()
                    with acting(point, scope.cancel) as points, scope:
                        await _ask_hello(provider)
                more = points.phase is not None
            point += 1
    assert point > 5


async def _ask_hello(provider: SocketProvider) -> None:
    assert await ask(provider, "Hello") == "Hello"


@BOTH_WIRES
async def test_a_request_that_is_given_up_in_time_is_never_sent(
    section_of: SectionOf, autojump_clock: MockClock
) -> None:
    """While another one, which is being written, is in its way."""
    requests: list[str] = []
    go_on = trio.Event()

    async def waits(server: RawServer) -> None:
        await go_on.wait()
        while True:
            request = await server.receive_request()
            requests.append(json.dumps(request))
            answer = f"r{len(requests)}"
            await server.send(*events(created(request, answer), ended(request, answer)))

    quirks = {"out_of_band": True} if section_of is realtime_section else {}
    handler = raw_handler(waits)
    async with socket_provider(
        handler, lockstep_stream_pair, section_of=section_of, quirks=quirks
    ) as (provider, network):
        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(text_of, provider, [Message.user("first" * 10_000)])
            await wait_all_tasks_blocked()
            nursery.start_soon(_when_all_wait, scope.cancel)
            with scope:
                await text_of(provider, [Message.user("never mind")])
            go_on.set()
        assert await text_of(provider, [Message.user("last")]) == ""
        assert len(network.connections) == 1
    assert ["first" in requests[0], "last" in requests[1]] == [True, True]
    assert len(requests) == 2


async def _when_all_wait(act: Callable[[], None]) -> None:
    await wait_all_tasks_blocked()
    act()
