"""A call over a socket is cancelled, and its provider closed, at every possible point."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import pytest
import trio

from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.servers import socket_server
from tests.trio_backend.socket_servers import (
    HELLO,
    Peer,
    socket_section,
    text_of,
    websocket_handler,
)
from tests.trio_backend.test_cancellation_points import acting
from tokenwire.endpoint import TLSSettings
from tokenwire_trio.socket_provider import SocketProvider

Call: TypeAlias = Callable[[SocketProvider], Awaitable[None]]


async def _answers(peer: Peer) -> None:
    while True:
        await peer.answer(await peer.receive(), f"r{len(peer.requests)}", "Hello")


ANSWERS_ALL = websocket_handler(_answers)


async def _leave_early(provider: SocketProvider) -> None:
    async with provider.complete(HELLO) as stream:
        await anext(stream)


async def _read_all(provider: SocketProvider) -> None:
    assert await text_of(provider) == "Hello"


@pytest.mark.parametrize("call", [_read_all, _leave_early])
async def test_a_call_can_be_cancelled_at_every_point(call: Call) -> None:
    """`Cancelled` comes through, and nothing stays open behind the provider."""
    points = 0
    with nothing_left_behind():
        async with socket_server(ANSWERS_ALL) as base_url:
            more = True
            while more:
                async with SocketProvider(socket_section(base_url)) as provider:
                    more = await _cancel_at(points, call, provider)
                assert connections_to(base_url) == 0
                points += 1
    assert points > 20


@pytest.mark.parametrize("call", [_read_all, _leave_early])
async def test_a_connection_outlives_calls_that_are_cancelled(
    call: Call, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """At every point of a call over an open connection, under TLS."""
    points = 0
    tls = TLSSettings(ca_file=str(ca_file))
    async with (
        socket_server(ANSWERS_ALL, server_context) as base_url,
        SocketProvider(socket_section(base_url, tls=tls)) as provider,
    ):
        await provider.warm()
        while await _cancel_at(points, call, provider):
            points += 1
        assert connections_to(base_url) == 1
    assert points > 20


async def _cancel_at(point: int, call: Call, provider: SocketProvider) -> bool:
    """Cancel a call at a point, and return whether it has such a point."""
    scope = trio.CancelScope()
    done = False
    with trio.fail_after(5):
        with acting(point, scope.cancel) as points, scope:
            await call(provider)
            done = True
        assert done is not scope.cancelled_caught
        assert await text_of(provider) == "Hello"
    return points.phase is not None


@pytest.mark.parametrize("call", [_read_all, _leave_early])
async def test_a_provider_can_be_closed_at_every_point(
    call: Call,
) -> None:
    """A call whose provider another task closes ends at once, and nothing stays open."""
    points = 0
    with nothing_left_behind():
        async with socket_server(ANSWERS_ALL) as base_url:
            while await _close_at(points, call, base_url):
                assert connections_to(base_url) == 0
                points += 1
    assert points > 5


async def _close_at(point: int, call: Call, base_url: str) -> bool:
    close = trio.Event()
    with trio.fail_after(5):
        async with (
            SocketProvider(socket_section(base_url)) as provider,
            trio.open_nursery() as side,
        ):
            side.start_soon(_close_when, close, provider)
            with acting(point, close.set) as points, suppress(trio.ClosedResourceError):
                await call(provider)
            close.set()
    return points.phase is not None


async def _close_when(event: trio.Event, provider: SocketProvider) -> None:
    await event.wait()
    await provider.aclose()


async def test_a_cancelled_call_disturbs_no_other_on_its_connection() -> None:
    """At every point of it."""
    async with socket_server(ANSWERS_ALL) as base_url:
        point, more = 0, True
        while more:
            async with SocketProvider(socket_section(base_url)) as provider:
                await provider.warm()
                async with trio.open_nursery() as nursery:
                    for _ in range(3):
                        nursery.start_soon(_read_all, provider)
                    scope = trio.CancelScope()
                    with acting(point, scope.cancel) as points, scope:
                        await _read_all(provider)
                more = points.phase is not None
            point += 1
    assert point > 5
