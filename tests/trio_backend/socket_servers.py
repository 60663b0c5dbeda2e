"""A server of the socket APIs that does what a test tells it to.

It is built on trio-websocket's own server side. A script plays one connection after the upgrade; a
handler of `tests.trio_backend.servers` may say anything in place of one. What a script says is
written for the API that its client speaks, so that most scripts are good for both.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, final

import attrs
import pytest
import trio
import trio_websocket
from trio.testing import memory_stream_pair
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Event, Request, TextMessage

from tests.trio_backend.servers import AnyStapled, Handler, MemoryNetwork, ServerSide
from tokenwire.config import ProviderSection
from tokenwire.endpoint import Endpoint
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire import SOCKET_KINDS
from tokenwire_trio import HTTPProvider, SocketProvider
from tokenwire_trio.nursery import brief_nursery

JSON: TypeAlias = dict[str, Any]

HELLO: Final = [Message.user("Hello")]

# What servers say


def is_realtime(request: JSON) -> bool:
    """Tell which API a request is of: Realtime has the settings of a response in a member."""
    return "response" in request


def created(request: JSON, response_id: str = "r1") -> JSON:
    """Write the event that begins the answer to a request."""
    shown: JSON = {"id": response_id}
    if is_realtime(request):
        shown["metadata"] = request["response"]["metadata"]
    return _for(request, {"type": "response.created", "response": shown})


def said(request: JSON, text: str, response_id: str = "r1") -> JSON:
    """Write the event that carries a piece of text."""
    of_response = {"response_id": response_id} if is_realtime(request) else {}
    return _for(request, {"type": "response.output_text.delta", "delta": text, **of_response})


def ended(request: JSON, response_id: str = "r1", status: str = "completed") -> JSON:
    """Write the event that ends an answer."""
    kind = "response.done" if is_realtime(request) else f"response.{status}"
    return _for(request, {"type": kind, "response": {"id": response_id, "status": status}})


def _for(request: JSON, event: JSON) -> JSON:
    """Put an event into the lane of a request."""
    return event | {name: request[name] for name in ("stream_id",) if name in request}


def events(*events: JSON) -> list[Event]:
    """Return messages to be sent with `RawServer.send`."""
    return [TextMessage(json.dumps(event)) for event in events]


@final
@attrs.define(eq=False)
class Peer:
    """The server's side of one WebSocket.

    Attributes:
        websocket: The connection.
        requests: What was asked for so far.
        items: What the connection's conversation holds, where the API has one.
    """

    websocket: trio_websocket.WebSocketConnection
    requests: list[JSON] = attrs.field(factory=list[JSON])
    items: list[JSON] = attrs.field(factory=list[JSON])
    _response_ids: dict[str, str] = attrs.field(factory=dict[str, str])

    async def receive(self) -> JSON:
        """Wait for a request, or whatever the client says."""
        text = await self.websocket.get_message()
        assert isinstance(text, str)
        self.requests.append(json.loads(text))
        return self.requests[-1]

    async def receive_request(self) -> JSON:
        """Wait for the message that asks for an answer."""
        while True:
            message = await self.receive()
            if message["type"] == "conversation.item.create":
                self.items.append(message["item"])
            elif message["type"] == "response.create":
                return message

    def question(self, request: JSON) -> str:
        """Return the text that is to be answered."""
        settings = request.get("response", request)
        last = settings.get("input", self.items)[-1]
        match last.get("content", last.get("output")):
            case [{"text": str(text)}]:
                return text
            case content:
                return str(content)

    async def send(self, kind: str, request: JSON | None = None, **members: Any) -> None:
        """Send an event, in the lane of a request."""
        lane = {"stream_id": request["stream_id"]} if request and "stream_id" in request else {}
        await self.websocket.send_message(json.dumps({"type": kind, **members, **lane}))

    async def begin(self, request: JSON, response_id: str) -> None:
        """Begin a response."""
        self._response_ids[request.get("event_id", "")] = response_id
        await self._say(created(request, response_id))

    async def say(self, request: JSON, *texts: str) -> None:
        """Send pieces of text."""
        response_id = self._response_ids[request.get("event_id", "")]
        for text in texts:
            await self._say(said(request, text, response_id))

    async def end(self, request: JSON, response_id: str, status: str = "completed") -> None:
        """End a response."""
        await self._say(ended(request, response_id, status))

    async def _say(self, event: JSON) -> None:
        await self.websocket.send_message(json.dumps(event))

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
            async with brief_nursery() as nursery:
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
    """Answer every request with what was asked, letter by letter."""
    while True:
        request = await peer.receive_request()
        text = peer.question(request)
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


SectionOf: TypeAlias = Callable[..., ProviderSection]

#: For what holds for both APIs.
BOTH_WIRES: Final = pytest.mark.parametrize(
    "section_of", [socket_section, realtime_section], ids=SOCKET_KINDS
)


async def ask(provider: HTTPProvider, question: str) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete([Message.user(question)]) as stream:
        return (await stream.collect()).text


@asynccontextmanager
async def socket_provider(
    handler: Handler,
    make_pair: Callable[[], tuple[AnyStapled, AnyStapled]] = memory_stream_pair,
    section_of: SectionOf = socket_section,
    **endpoint: Any,
) -> AsyncGenerator[tuple[SocketProvider, MemoryNetwork], None]:
    """Open a provider whose connections lead to this handler, over memory."""
    async with brief_nursery() as nursery:
        network = MemoryNetwork(nursery, handler, make_pair)
        async with SocketProvider(section_of(**endpoint), dial=network) as provider:
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
        self._received = ""

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

    async def receive_request(self) -> JSON:
        """Wait for the message that asks for an answer, which must be the last of what came."""
        while True:
            for event in await self.receive():
                if isinstance(event, TextMessage):
                    self._received += event.data
                    if event.message_finished:
                        message: JSON = json.loads(self._received)
                        self._received = ""
                        if message["type"] == "response.create":
                            return message

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self._side.send(data)

    async def wait_until_client_leaves(self) -> None:
        """Wait for the client's end of the connection."""
        await self._side.wait_until_client_leaves()


RawScript: TypeAlias = Callable[[RawServer], Awaitable[None]]


def raw_handler(script: RawScript) -> Handler:
    """Make a handler that agrees to a WebSocket and plays a script with its frames."""

    async def handler(side: ServerSide) -> None:
        server = RawServer(side)
        await server.accept()
        await script(server)

    return handler
