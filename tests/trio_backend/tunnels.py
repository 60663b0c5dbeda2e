"""Proxies that do what they are there for: a tunnel to one server, over any kind of stream."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal, TypeAlias

import trio
from trio.testing import memory_stream_pair

from tokenwire_trio.dialing import Dial
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.testing import MisbehavingServer

ProxyKind: TypeAlias = Literal["http", "https", "socks5h"]
OpenStream: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]

USERNAME = "user"
PASSWORD = "password-of-the-proxy"


async def tunnel(
    client: trio.abc.Stream,
    open_server: OpenStream,
    kind: ProxyKind,
    context: ssl.SSLContext,
) -> None:
    """Play a proxy on one connection, until either side ends it.

    Args:
        client: The connection.
        open_server: Opens one to the server.
        kind: What the client speaks.
        context: The proxy's certificate, where it speaks TLS.
    """
    with suppress(trio.BrokenResourceError):
        if kind == "https":
            client = trio.SSLStream(client, context, server_side=True)
        async with client:
            agreed = await (_agree_on_socks if kind == "socks5h" else _agree_on_http)(client)
            if agreed:
                async with await open_server() as server:
                    await _pass_on(client, server)


async def _agree_on_http(client: trio.abc.Stream) -> bool:
    request = b""
    while b"\r\n\r\n" not in request:
        data = await client.receive_some()
        if not data:
            return False
        request += data
    await client.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return True


async def _agree_on_socks(client: trio.abc.Stream) -> bool:
    """Take the login by name and password, and whatever is asked for then (RFC 1928, RFC 1929)."""
    for reply in (b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x01" + bytes(6)):
        # Each of the client's messages comes in one piece: it waits for the reply.
        if not await client.receive_some():
            return False
        await client.send_all(reply)
    return True


async def _pass_on(client: trio.abc.Stream, server: trio.abc.Stream) -> None:
    async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in source:
                await sink.send_all(data)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump, client, server)
        nursery.start_soon(pump, server, client)


@asynccontextmanager
async def proxy_on_a_socket(
    kind: ProxyKind, server_port: int, context: ssl.SSLContext
) -> AsyncGenerator[str, None]:
    """Run a proxy for as long as the block lasts.

    Yields:
        Its URL.
    """

    async def open_server() -> trio.abc.Stream:
        return await trio.open_tcp_stream("127.0.0.1", server_port)

    async def play(client: trio.abc.Stream) -> None:
        await tunnel(client, open_server, kind, context)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, brief_nursery() as nursery:
        await nursery.start(trio.serve_listeners, play, [listener])
        yield f"{kind}://localhost:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def proxy_in_memory(
    kind: ProxyKind, server: MisbehavingServer, context: ssl.SSLContext
) -> AsyncGenerator[Dial, None]:
    """Run a proxy in memory for as long as the block lasts.

    Yields:
        What leads to it, to be used as a provider's `dial`.
    """
    to_server = server.dial
    assert to_server is not None

    async def open_server() -> trio.abc.Stream:
        return await to_server("localhost", 80)

    async def dial(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_stream_pair()
        nursery.start_soon(tunnel, theirs, open_server, kind, context)
        return ours

    async with brief_nursery() as nursery:
        yield dial
        nursery.cancel_scope.cancel()
