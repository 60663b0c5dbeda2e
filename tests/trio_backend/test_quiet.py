"""`tokenwire_trio.quiet`: whether anything came on a stream that nobody reads."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from tests.trio_backend.servers import FailingStream
from tokenwire_trio.quiet import is_quiet
from tokenwire_trio.tls_stream import TLSStream

Pair: TypeAlias = tuple[trio.abc.Stream, trio.abc.Stream]
Wrap: TypeAlias = Callable[[Pair], Awaitable[Pair]]


@asynccontextmanager
async def opened(kind: str) -> AsyncGenerator[Pair, None]:
    """Open both ends of a connection, and close them."""
    if kind == "memory":
        pair: Pair = memory_stream_pair()
    else:
        ours, theirs = socket.socketpair()
        pair = tuple(
            trio.SocketStream(trio.socket.from_stdlib_socket(one)) for one in (ours, theirs)
        )  # type: ignore[assignment]  # two of them
    try:
        yield pair
    finally:
        for stream in pair:
            await trio.aclose_forcefully(stream)


@pytest.fixture(params=["plain", "1.2", "1.3", "tls in tls"])
def wrap(request: pytest.FixtureRequest, server_context: ssl.SSLContext, ca_file: Path) -> Wrap:
    """Give what puts TLS over a pair, in both versions, or nothing."""
    version: str = request.param
    context = ssl.create_default_context(cafile=ca_file)
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    async def secured(pair: Pair) -> Pair:
        client = TLSStream(pair[0], context, "localhost")
        server = trio.SSLStream(pair[1], server_context, server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        return client, server

    async def wrapped(pair: Pair) -> Pair:
        for _ in range({"plain": 0, "tls in tls": 2}.get(version, 1)):
            pair = await secured(pair)
        return pair

    return wrapped


every_kind = pytest.mark.parametrize("kind", ["memory", "socket"])


@every_kind
async def test_an_unused_connection_is_quiet(kind: str, wrap: Wrap) -> None:
    """Also when asked again, and where the tickets of TLS 1.3 have come meanwhile."""
    async with opened(kind) as pair:
        client, server = await wrap(pair)
        assert await is_quiet(client)
        await wait_all_tasks_blocked(0.01)
        assert await is_quiet(client)
        assert await is_quiet(client)
        await server.send_all(b"data")
        assert await client.receive_some() == b"data"
        assert await is_quiet(client)


@every_kind
async def test_data_is_noticed(kind: str, wrap: Wrap) -> None:
    """A byte is enough."""
    async with opened(kind) as pair:
        client, server = await wrap(pair)
        await server.send_all(b"\n")
        assert not await is_quiet(client)


@every_kind
async def test_data_that_was_not_taken_is_noticed(kind: str, wrap: Wrap) -> None:
    """It may have left the socket already."""
    async with opened(kind) as pair:
        client, server = await wrap(pair)
        await server.send_all(b"data")
        assert await client.receive_some(1) == b"d"
        assert not await is_quiet(client)


@every_kind
async def test_the_end_is_noticed(kind: str, wrap: Wrap) -> None:
    """Clean or not."""
    for close in (trio.abc.AsyncResource.aclose, trio.aclose_forcefully):
        async with opened(kind) as pair:
            client, server = await wrap(pair)
            if close is trio.abc.AsyncResource.aclose:
                with trio.move_on_after(0.05):  # TLS waits for our goodbye
                    await server.aclose()
            else:
                await trio.aclose_forcefully(server)
            assert not await is_quiet(client)


async def test_a_failure_is_noticed() -> None:
    """The stream is broken; what is not its fault comes out."""
    assert not await is_quiet(FailingStream(trio.BrokenResourceError))
    with pytest.raises(MemoryError):
        await is_quiet(FailingStream(MemoryError))
