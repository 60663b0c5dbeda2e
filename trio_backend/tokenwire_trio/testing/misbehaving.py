"""A server that misbehaves exactly as a scenario says, over TCP, TLS or in memory.

    async with serve(SCENARIOS["stall-in-mid-token"]) as server:
        async with open_provider(section(server.base_url)) as provider:
            ...
    assert server.visits[0].left is not None

It speaks raw bytes, so nothing stands between a scenario and what a client receives. With
`serve_in_memory` and trio's ``autojump_clock``, scenarios that take minutes take none.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, assert_never, final

import attrs
import trio
from trio.testing import lockstep_stream_one_way_pair, memory_stream_one_way_pair

from tokenwire_trio.dialing import Dial
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.testing.scenario import Scenario
from tokenwire_trio.testing.steps import (
    REQUEST_HEAD,
    Again,
    CloseCleanly,
    CloseWithoutNotify,
    Drip,
    Echo,
    EndingStep,
    Hang,
    KeepOpen,
    Pause,
    ReadRequest,
    ReadRequestHead,
    Repeat,
    Reset,
    Send,
    SendBelowTLS,
    Step,
)

#: Most of a request to take at once, and about what the system may keep of what is not read: so
#: little that a megabyte suffices to make a client wait.
_RECEIVE_BUFFER_BYTES: Final = 64 * 1024


@final
@attrs.define
class Visit:
    """One connection as the server saw it.

    Attributes:
        received: All that came, decrypted.
        requests: How many whole requests that was.
        arrived: When it was accepted, on trio's clock.
        left: When the client was seen to leave, on trio's clock; None if it was not seen.
        over: Set when the script is over, for whatever reason.
    """

    received: bytes = attrs.field(default=b"", repr=False)
    requests: int = 0
    arrived: float = attrs.field(factory=trio.current_time)
    left: float | None = None
    over: trio.Event = attrs.field(factory=trio.Event, repr=False)


@final
@attrs.frozen
class MisbehavingServer:
    """A server while it runs.

    Attributes:
        base_url: Where it is, to be used as `Endpoint.base_url`.
        dial: What to pass to `open_provider` as well: leads to the server where it runs in memory,
            None where `base_url` does.
        visits: The connections so far, in the order in which they came.
    """

    base_url: str
    dial: Dial | None = attrs.field(default=None, repr=False)
    visits: list[Visit] = attrs.field(factory=list[Visit])


@asynccontextmanager
async def serve(
    *scenarios: Scenario, tls: ssl.SSLContext | None = None, pace: float = 1.0
) -> AsyncGenerator[MisbehavingServer, None]:
    """Serve on a port of this machine for as long as the block lasts.

    Args:
        scenarios: The n-th connection gets the n-th; the last one is for all that follow.
        tls: The server's certificate, for the host name ``localhost``; plain TCP without it.
        pace: What to multiply pauses with: less than 1 is faster than the scenario says.

    Yields:
        The server. An exception in the block comes out as it was raised.

    Raises:
        ValueError: Without any scenario.
        TypeError: If one is something else, such as the name of one.
    """
    scheme = _scheme(scenarios, tls)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    port = listener.socket.getsockname()[1]
    async with listener, brief_nursery() as nursery:
        server = MisbehavingServer(f"{scheme}://localhost:{port}/v1")
        play = _Play(scenarios, server, tls, pace, reset=_reset_socket)
        await nursery.start(trio.serve_listeners, play.receive, [listener])
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def serve_in_memory(
    *scenarios: Scenario, tls: ssl.SSLContext | None = None, pace: float = 1.0
) -> AsyncGenerator[MisbehavingServer, None]:
    """Serve in memory for as long as the block lasts: pass `MisbehavingServer.dial` on.

    No system is involved, so every run is the same, and trio's ``autojump_clock`` skips all pauses.
    What the client sends waits until the server reads it.

    Args:
        scenarios: The n-th connection gets the n-th; the last one is for all that follow.
        tls: The server's certificate, for the host name ``localhost``; plain without it.
        pace: What to multiply pauses with.

    Yields:
        The server. An exception in the block comes out as it was raised.

    Raises:
        ValueError: Without any scenario.
        TypeError: If one is something else, such as the name of one.
    """
    scheme = _scheme(scenarios, tls)
    async with brief_nursery() as nursery:

        async def dial(host: str, port: int) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            link = _MemoryLink()
            nursery.start_soon(play.receive, link.server)
            return link.client

        server = MisbehavingServer(f"{scheme}://localhost/v1", dial)
        play = _Play(scenarios, server, tls, pace, reset=_reset_memory)
        yield server
        nursery.cancel_scope.cancel()


def _scheme(scenarios: Sequence[Scenario], tls: ssl.SSLContext | None) -> str:
    """Return what the server's URL begins with, if it has scenarios to play."""
    if not scenarios:
        raise ValueError("a server needs at least one scenario")
    for scenario in scenarios:
        if not isinstance(scenario, Scenario):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError(
                'each scenario must be a Scenario, such as SCENARIOS["well-behaved"], not'
                f" {type(scenario).__name__}"
            )
    return "https" if tls or any(one.in_place_of_tls for one in scenarios) else "http"


@final
class _Play:
    """Gives each connection its scenario."""

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        server: MisbehavingServer,
        tls: ssl.SSLContext | None,
        pace: float,
        *,
        reset: Callable[[Any], Awaitable[None]],
    ) -> None:
        self._scenarios = scenarios
        self._server = server
        self._tls = tls
        self._pace = pace
        self._reset = reset

    async def receive(self, transport: trio.abc.Stream) -> None:
        """Play the server's side of one connection."""
        number = len(self._server.visits)
        scenario = self._scenarios[min(number, len(self._scenarios) - 1)]
        visit = Visit()
        self._server.visits.append(visit)
        stream = transport
        if self._tls is not None and not scenario.in_place_of_tls:
            stream = trio.SSLStream(transport, self._tls, server_side=True)
        try:
            actor = _Actor(stream, transport, visit, self._pace, self._reset)
            await actor.play(scenario.steps)
        except (trio.BrokenResourceError, _ClientLeft):
            visit.left = trio.current_time()
        finally:
            visit.over.set()
            await trio.aclose_forcefully(transport)


class _ClientLeft(Exception):
    """The client closed the connection while the server was reading."""


@final
class _Actor:
    """Plays one script on one connection."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        transport: trio.abc.Stream,
        visit: Visit,
        pace: float,
        reset: Callable[[Any], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._transport = transport
        self._visit = visit
        self._pace = pace
        self._reset = reset
        self._unread = b""  # of what was received, not part of a request that was read
        self._request_head = b""
        self._body_length: int | None = None  # None if no body is to be read

    async def play(self, steps: Sequence[Step]) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            for step in steps:
                await self._do(step)
            if not isinstance(steps[-1], Again):
                return

    async def _do(self, step: Step) -> None:
        match step:
            case ReadRequest():
                await self._read_head()
                await self._read_body()
            case ReadRequestHead():
                await self._read_head()
            case Send(data):
                await self._stream.send_all(data)
            case SendBelowTLS(data):
                await self._transport.send_all(data)
            case Echo(form):
                await self._stream.send_all(form.replace(REQUEST_HEAD, self._on_one_line()))
            case Drip(data, every_s):
                for number in range(len(data)):
                    await self._pause(every_s)
                    await self._stream.send_all(data[number : number + 1])
            case Pause(seconds):
                await self._pause(seconds)
            case _:
                await self._end(step)

    async def _end(self, step: EndingStep) -> None:
        match step:
            case Repeat(data, every_s):
                while True:
                    await self._pause(every_s)
                    await self._stream.send_all(data)
            case KeepOpen():
                while True:
                    await self._receive()
            case Hang():
                await trio.sleep_forever()
            case Again():
                await self._read_body()
            case CloseCleanly():
                await self._stream.aclose()
            case CloseWithoutNotify():
                await trio.aclose_forcefully(self._transport)
            case Reset():
                await self._reset(self._transport)
            case _:
                assert_never(step)

    async def _read_head(self) -> None:
        while b"\r\n\r\n" not in self._unread:
            self._unread += await self._receive()
        self._request_head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        self._body_length = _content_length(self._request_head)

    async def _read_body(self) -> None:
        """Read what has not been read of the request's body, if anything."""
        if self._body_length is None:
            return
        while len(self._unread) < self._body_length:
            self._unread += await self._receive()
        self._unread = self._unread[self._body_length :]
        self._body_length = None
        self._visit.requests += 1

    async def _receive(self) -> bytes:
        data = bytes(await self._stream.receive_some(_RECEIVE_BUFFER_BYTES))
        if not data:
            raise _ClientLeft
        self._visit.received += data
        return data

    async def _pause(self, seconds: float) -> None:
        await trio.sleep(seconds * self._pace)

    def _on_one_line(self) -> bytes:
        return json.dumps(self._request_head.decode("latin-1"))[1:-1].encode()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


async def _reset_socket(transport: trio.SocketStream) -> None:
    # Closing with no time to linger makes the system send a reset instead of a farewell.
    transport.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(transport)


async def _reset_memory(transport: _MemoryServerEnd) -> None:
    transport.link.was_reset = True
    await trio.aclose_forcefully(transport)


@final
class _MemoryLink:
    """A connection in memory: what the server sends waits, what the client sends must be read."""

    def __init__(self) -> None:
        self.was_reset = False
        to_server, from_client = lockstep_stream_one_way_pair()
        to_client, from_server = memory_stream_one_way_pair()
        self.client = _MemoryClientEnd(self, trio.StapledStream(to_server, from_server))
        self.server = _MemoryServerEnd(self, trio.StapledStream(to_client, from_client))


class _MemoryServerEnd(trio.abc.Stream):
    def __init__(
        self,
        link: _MemoryLink,
        stream: trio.StapledStream[trio.abc.SendStream, trio.abc.ReceiveStream],
    ) -> None:
        self.link = link
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


@final
class _MemoryClientEnd(_MemoryServerEnd):
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await super().receive_some(max_bytes)
        if not data and self.link.was_reset:
            raise trio.BrokenResourceError from ConnectionResetError("connection reset by peer")
        return data
