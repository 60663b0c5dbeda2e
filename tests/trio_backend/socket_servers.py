"""A server of the Responses API over WebSockets that does what a test tells it to.

It is built on trio-websocket's own server side. A script plays one connection after the upgrade; a
handler of `tests.trio_backend.servers` may say anything in place of one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, final

import attrs
import trio
import trio_websocket
from trio.testing import memory_stream_pair
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Event, Request

from tests.trio_backend.servers import AnyStapled, Handler, MemoryNetwork, ServerSide
from tokenwire.config import ProviderSection
from tokenwire.endpoint import Endpoint
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio import HTTPProvider, SocketProvider

JSON: TypeAlias = dict[str, Any]

HELLO: Final = [Message.user("Hello")]


@final
@attrs.define(eq=False)
class Peer:
    """The server's side of one WebSocket.

    Attributes:
        websocket: The connection.
        requests: What was asked for so far.
        sizes: How many bytes each request had.
    """

    websocket: trio_websocket.WebSocketConnection
    requests: list[JSON] = attrs.field(factory=list[JSON])
    sizes: list[int] = attrs.field(factory=list[int])

    async def receive(self) -> JSON:
        """Wait for a request."""
        text = await self.websocket.get_message()
        assert isinstance(text, str)
        self.sizes.append(len(text.encode()))
        self.requests.append(json.loads(text))
        return self.requests[-1]

    async def send(self, kind: str, request: JSON | None = None, **members: Any) -> None:
        """Send an event, in the lane of a request."""
        lane = {"stream_id": request["stream_id"]} if request and "stream_id" in request else {}
        await self.websocket.send_message(json.dumps({"type": kind, **members, **lane}))

    async def begin(self, request: JSON, response_id: str) -> None:
        """Begin a response."""
        await self.send("response.created", request, response={"id": response_id})

    async def say(self, request: JSON, *texts: str) -> None:
        """Send pieces of text."""
        for text in texts:
            await self.send("response.output_text.delta", request, delta=text)

    async def end(self, request: JSON, response_id: str) -> None:
        """End a response."""
        response = {"id": response_id, "status": "completed"}
        await self.send("response.completed", request, response=response)

    async def answer(self, request: JSON, response_id: str, *texts: str) -> None:
        """Send a whole response."""
        await self.begin(request, response_id)
        await self.say(request, *texts)
        await self.end(request, response_id)

    async def wait_until_client_leaves(self) -> None:
        """Wait for the end of the connection, and let what still comes go by."""
        while True:
            await self.websocket.get_message()


Script: TypeAlias = Callable[[Peer], Awaitable[None]]


def websocket_handler(script: Script, **settings: Any) -> Handler:
    """Make a handler that agrees to a WebSocket and plays a script on it."""

    async def handler(side: ServerSide) -> None:
        with suppress(trio_websocket.ConnectionClosed):
            async with trio.open_nursery() as nursery:
                request = await trio_websocket.wrap_server_stream(nursery, side.stream, **settings)
                websocket = await request.accept(extra_headers=[(b"x-request-id", b"req-1")])
                try:
                    await script(Peer(websocket))
                    await websocket.aclose()
                except trio_websocket.ConnectionClosed:
                    pass
                nursery.cancel_scope.cancel()

    return handler


async def answers_all(peer: Peer) -> None:
    """Answer every request with what was asked."""
    while True:
        request = await peer.receive()
        last = request["input"][-1]
        text = str(last.get("content", last.get("output")))
        await peer.answer(request, f"r{len(peer.requests)}-{id(peer)}", *text)


def socket_section(base_url: str = "http://localhost/v1", **endpoint: Any) -> ProviderSection:
    """Describe a provider over sockets; with a dial of the test's own the URL leads nowhere."""
    return ProviderSection(
        kind="openai-responses-ws",
        endpoint=Endpoint(base_url=base_url, **endpoint),
        defaults=ProviderConfig(model="some-model"),
    )


def realtime_section(base_url: str = "http://localhost/v1", **endpoint: Any) -> ProviderSection:
    """Describe a provider of Realtime text."""
    return attrs.evolve(socket_section(base_url, **endpoint), kind="openai-realtime")


async def ask(provider: HTTPProvider, question: str) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete([Message.user(question)]) as stream:
        return (await stream.collect()).text


@asynccontextmanager
async def socket_provider(
    handler: Handler,
    make_pair: Callable[[], tuple[AnyStapled, AnyStapled]] = memory_stream_pair,
    **endpoint: Any,
) -> AsyncGenerator[tuple[SocketProvider, MemoryNetwork], None]:
    """Open a provider whose connections lead to this handler, over memory."""
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, handler, make_pair)
        async with SocketProvider(socket_section(**endpoint), dial=network) as provider:
            yield provider, network
        nursery.cancel_scope.cancel()


async def text_of(provider: SocketProvider, messages: Sequence[Message] = HELLO) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete(messages) as stream:
        return (await stream.collect()).text


@final
class RawServer:
    """The server's side of a WebSocket, frame by frame, for what trio-websocket would not do."""

    def __init__(self, side: ServerSide) -> None:
        self._side = side
        self._wsproto = WSConnection(ConnectionType.SERVER)

    async def accept(self) -> None:
        """Agree to the WebSocket."""
        while True:
            self._wsproto.receive_data(bytes(await self._side.stream.receive_some()))
            if any(isinstance(event, Request) for event in self._wsproto.events()):
                return await self.send(AcceptConnection())

    async def send(self, *events: Event) -> None:
        """Send events."""
        await self._side.send(b"".join(map(self._wsproto.send, events)))

    async def receive(self) -> list[Event]:
        """Wait for events."""
        data = bytes(await self._side.stream.receive_some())
        if not data:
            raise trio.BrokenResourceError
        self._wsproto.receive_data(data)
        return list(self._wsproto.events())

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self._side.send(data)
