"""Servers that say exactly what a test tells them to, byte for byte, over memory or real sockets.

A handler is an async function that plays the server's side of one connection. The same handler
serves both kinds: `MemoryNetwork` for logic and time, `socket_server` for real TCP and TLS.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

import trio
from trio.testing import memory_stream_pair

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"content-type: text/event-stream\r\n"
    b"x-request-id: req-1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Frame data as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(data: Mapping[str, object]) -> bytes:
    """Write one event of an event stream."""
    return b"data: %s\n\n" % json.dumps(data).encode()


def text_event(text: str) -> bytes:
    """Write the event that carries a piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


FINISH_EVENT = event({"choices": [{"index": 0, "finish_reason": "stop"}]})
DONE_EVENT = b"data: [DONE]\n\n"
PING = b": ping\n\n"


def answer(*texts: str) -> bytes:
    """Write a whole response whose text comes in the given pieces, an event and a chunk each."""
    events = [*map(text_event, texts), FINISH_EVENT + DONE_EVENT]
    return STREAM_HEAD + b"".join(map(chunk, events)) + LAST_CHUNK


def refusal(status: int, message: str = "no", *, close: bool = False) -> bytes:
    """Write a whole response that refuses the request."""
    body = json.dumps({"error": {"message": message, "code": "refused"}}).encode()
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\n"
    if close:
        head += "connection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class ServerSide:
    """The server's side of one connection.

    Attributes:
        stream: The connection.
        request: The request as far as it was read.
        client_left: Set once the client's end of the connection was seen.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.request = b""
        self.client_left = trio.Event()

    async def read_request(self) -> bytes:
        """Read the whole request: its head, and the body that its Content-Length announces."""
        while b"\r\n\r\n" not in self.request:
            data = await self.stream.receive_some()
            if not data:
                raise trio.BrokenResourceError("the client left before it sent a request")
            self.request += data
        head, _, body = self.request.partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        while len(body) < lengths[0]:
            data = await self.stream.receive_some()
            assert data, "the client left in mid-request"
            self.request += data
            body += data
        return self.request

    async def receive_request(self) -> bytes:
        """Read the next request on the connection, nothing if the client leaves instead."""
        self.request = bytes(await self.stream.receive_some())
        return await self.read_request() if self.request else b""

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send_all(data)

    async def wait_until_client_leaves(self) -> None:
        """Wait for the client's end of the connection, clean or not."""
        with suppress(trio.BrokenResourceError):
            while await self.stream.receive_some():
                pass
        self.client_left.set()


AnyStapled: TypeAlias = trio.StapledStream[Any, Any]
Handler: TypeAlias = Callable[[ServerSide], Awaitable[None]]


def replies(*responses: bytes) -> Handler:
    """Make a handler that reads the request, sends these bytes, and waits for the client to go."""

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        for response in responses:
            await peer.send(response)
        await peer.wait_until_client_leaves()

    return handler


def answers_each(responses: Iterator[bytes]) -> Handler:
    """Make a handler that answers one request after the other, on whatever connections they come.

    Args:
        responses: What to send, one for each request.
    """

    async def handler(peer: ServerSide) -> None:
        while True:
            peer.request = b""
            await peer.read_request()
            await peer.send(next(responses))

    return handler


def keeps_alive(response: bytes) -> Handler:
    """Make a handler that gives this response to every request on a connection."""

    async def handler(peer: ServerSide) -> None:
        while await peer.receive_request():
            await peer.send(response)
        peer.client_left.set()

    return handler


def sends_and_closes(*responses: bytes) -> Handler:
    """Make a handler that reads the request, sends these bytes, and closes the connection."""

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        for response in responses:
            await peer.send(response)

    return handler


def alerts(context: ssl.SSLContext) -> Handler:
    """Make a handler that tells its client why the TLS handshake fails.

    Args:
        context: For the handshake, which must fail. `trio.SSLStream` would keep the alert to
            itself.
    """

    async def handler(peer: ServerSide) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            incoming.write(await peer.stream.receive_some())
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await peer.send(outgoing.read())
            except ssl.SSLError:
                await peer.send(outgoing.read())
                return await peer.wait_until_client_leaves()

    return handler


async def _serve(handler: Handler, stream: trio.abc.Stream) -> None:
    async with stream:
        # A client that leaves is what many tests are about.
        with suppress(trio.BrokenResourceError):
            await handler(ServerSide(stream))


class WatchedStream(trio.abc.Stream):
    """A stream that remembers whether it was closed."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive."""
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close it."""
        self.closed = True
        await self._stream.aclose()


class MemoryNetwork:
    """A network with one server, to be passed as a provider's `dial`.

    Args:
        nursery: Where the server's handlers run.
        handler: Plays the server, once for each connection.
        make_pair: Makes the two ends of a connection.

    Attributes:
        connections: The client's end of every connection so far.
        targets: The host and port that each was for.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        handler: Handler,
        make_pair: Callable[[], tuple[AnyStapled, AnyStapled]] = memory_stream_pair,
    ) -> None:
        self._nursery = nursery
        self._handler = handler
        self._make_pair = make_pair
        self.connections: list[WatchedStream] = []
        self.targets: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> trio.abc.Stream:
        """Connect."""
        await trio.lowlevel.checkpoint()
        self.targets.append((host, port))
        client, server = self._make_pair()
        self._nursery.start_soon(_serve, self._handler, server)
        self.connections.append(WatchedStream(client))
        return self.connections[-1]


class FailingStream(trio.abc.Stream):
    """A stream on which every operation fails in the same way."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Fail."""
        raise self._error

    async def wait_send_all_might_not_block(self) -> None:
        """Fail."""
        raise self._error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Fail."""
        raise self._error

    async def aclose(self) -> None:
        """Close."""


@asynccontextmanager
async def socket_server(
    handler: Handler, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[str, None]:
    """Serve on a real socket for as long as the block lasts.

    Args:
        handler: Plays the server, in a task for each connection.
        tls: The server's certificate; plain TCP without.

    Yields:
        The base URL.
    """
    async with trio.open_nursery() as nursery:
        serve = partial(_serve_securely, handler, tls)
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, serve, 0)
        port: int = listeners[0].socket.getsockname()[1]
        yield f"{'https' if tls else 'http'}://localhost:{port}/v1"
        nursery.cancel_scope.cancel()


async def _serve_securely(
    handler: Handler, tls: ssl.SSLContext | None, stream: trio.SocketStream
) -> None:
    if tls is None:
        await _serve(handler, stream)
        return
    secure = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
    try:
        await secure.do_handshake()
    except trio.BrokenResourceError:  # a client that does not trust us
        await trio.aclose_forcefully(secure)
    else:
        await _serve(handler, secure)
