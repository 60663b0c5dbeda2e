"""TLS in front of a server that speaks plain TCP: llama.cpp's, as xllamacpp builds it, has none."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

import trio

_LOOPBACK = "127.0.0.1"


class _Running(NamedTuple):
    port: int
    token: trio.lowlevel.TrioToken
    cancel_scope: trio.CancelScope


@contextmanager
def tls_terminator(server_port: int, context: ssl.SSLContext) -> Generator[int, None, None]:
    """Accept TLS on a port of this machine and pass the bytes on, for as long as the block lasts.

    A connection ends on both sides as soon as one side ends it.

    Args:
        server_port: Where the plain server listens, on 127.0.0.1.
        context: The certificate and what else the TLS side needs.

    Yields:
        The port, on 127.0.0.1.
    """
    started = SimpleQueue[_Running]()
    # A thread of its own, because a session's fixture outlives every test's event loop.
    thread = Thread(target=trio.run, args=(_serve, server_port, context, started), daemon=True)
    thread.start()
    running = started.get()
    try:
        yield running.port
    finally:
        running.token.run_sync_soon(running.cancel_scope.cancel)
        thread.join()


async def _serve(server_port: int, context: ssl.SSLContext, started: SimpleQueue[_Running]) -> None:
    [listener] = await trio.open_tcp_listeners(0, host=_LOOPBACK)
    port = listener.socket.getsockname()[1]
    listeners = [trio.SSLListener(listener, context)]
    with trio.CancelScope() as cancel_scope:
        started.put(_Running(port, trio.lowlevel.current_trio_token(), cancel_scope))
        await trio.serve_listeners(partial(_relay, server_port), listeners)


async def _relay(server_port: int, client: trio.SSLStream[trio.SocketStream]) -> None:
    # A client that refuses the certificate or leaves in mid-answer is what tests are about.
    with suppress(trio.BrokenResourceError):
        async with client, await trio.open_tcp_stream(_LOOPBACK, server_port) as server:
            await pump_both_ways(client, server)


async def pump_both_ways(client: trio.abc.Stream, server: trio.abc.Stream) -> None:
    """Pass bytes on until one side ends."""

    async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in source:
                await sink.send_all(data)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump, client, server)
        nursery.start_soon(pump, server, client)
