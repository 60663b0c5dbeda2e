"""Realtime text over sockets, against a server of our own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, final

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.servers import MemoryNetwork
from tests.trio_backend.socket_servers import (
    Peer,
    ask,
    realtime_section,
    socket_provider,
    websocket_handler,
)
from tokenwire.connection_settings import PoolSettings
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio import HTTPProvider, SocketProvider


async def speak(peer: Peer) -> None:
    """Answer every request with its own last text, and end what is cancelled."""
    items: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    while True:
        match await peer.receive():
            case {"type": "conversation.item.create", "item": item}:
                items.append(item)
            case {"type": "response.create", "response": response}:
                last = response.get("input", items)[-1]
                response_id = f"r{len(texts)}"
                texts[response_id] = last["content"][0]["text"]
                shown = {"id": response_id, "metadata": response["metadata"]}
                await peer.send("response.created", response=shown)
                if texts[response_id] != "wait":
                    await finish(peer, response_id, texts[response_id])
            case {"type": "response.cancel", "response_id": response_id}:
                await finish(peer, response_id, "late", "cancelled")
            case _:
                pass


async def finish(peer: Peer, response_id: str, text: str, status: str = "completed") -> None:
    """Send the rest of a response."""
    limit = {"name": "requests", "limit": 9, "remaining": 8, "reset_seconds": 1}
    await peer.send("rate_limits.updated", rate_limits=[limit])
    await peer.send("response.output_text.delta", response_id=response_id, delta=text)
    await peer.send("response.done", response={"id": response_id, "status": status})


async def test_leaving_an_answer_cancels_it_on_the_server(autojump_clock: MockClock) -> None:
    """Its place is free as soon as the server has stopped; allowances are told to the call."""
    section = realtime_section(pool=PoolSettings(max_connections=1))
    async with trio.open_nursery() as serving:
        network = MemoryNetwork(serving, websocket_handler(speak))
        async with SocketProvider(section, dial=network) as provider:
            async with provider.complete([Message.user("wait")]):
                pass
            async with provider.complete([Message.user("Hi")]) as stream:
                assert (await stream.collect()).text == "Hi"
                (rate_limit,) = stream.response.rate_limits
                assert rate_limit.remaining == 8
        serving.cancel_scope.cancel()


@final
class Server:
    """Speaks Realtime, and remembers who said what on which connection.

    Attributes:
        models: Of each connection.
        conversations: What each connection was told, item by item.
        most_open: How many were open at a time.
    """

    def __init__(self) -> None:
        self.models: list[str] = []
        self.conversations: list[list[str]] = []
        self.most_open = 0
        self._open = 0

    async def __call__(self, peer: Peer) -> None:
        """Play one connection."""
        self.models.append((peer.websocket.path or "").partition("model=")[2])
        conversation: list[str] = []
        self.conversations.append(conversation)
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        try:
            while True:
                request = await peer.receive_request()
                conversation[:] = [item["content"][0]["text"] for item in peer.items]
                await peer.answer(request, f"r{len(peer.requests)}", peer.question(request))
        finally:
            self._open -= 1


@asynccontextmanager
async def provider_of(
    server: Server, **endpoint: Any
) -> AsyncGenerator[tuple[SocketProvider, MemoryNetwork], None]:
    """Open a provider whose connections lead to this server."""
    handler = websocket_handler(server)
    async with socket_provider(handler, section_of=realtime_section, **endpoint) as opened:
        yield opened


async def converse(provider: HTTPProvider, *questions: str, **settings: Any) -> list[str]:
    """Hold a conversation, and return the answers."""
    messages: list[Message] = []
    for question in questions:
        messages.append(Message.user(question))
        async with provider.complete(messages, ProviderConfig(**settings)) as stream:
            completion = await stream.collect()
            assert stream.response.continued is (len(messages) > 1)
        messages.append(completion.message)
    return [message.text for message in messages[1::2]]


async def test_models_do_not_share_connections() -> None:
    """The model is part of a connection's address; an idle one makes room for another."""
    server = Server()
    async with provider_of(server, pool=PoolSettings(max_connections=1)) as (provider, _):
        assert await converse(provider, "a", "b", model="one") == ["a", "b"]
        assert await converse(provider, "a", model="two") == ["a"]
    assert server.models == ["one", "two"]
    assert server.most_open == 1


async def test_a_conversation_has_its_connection_for_itself() -> None:
    """Nothing of it gets into another one, whoever comes first."""
    server = Server()
    async with provider_of(server) as (provider, network):
        for question in ("mine", "yours"):
            assert await converse(provider, question, "more") == [question, "more"]
        assert len(network.connections) == 2
    # What was answered is known to the server, and not sent.
    assert server.conversations == [["mine", "more"], ["yours", "more"]]


async def test_an_idle_conversation_makes_room_where_there_may_be_no_more() -> None:
    """The one used longest ago; when it goes on, all of it is sent again."""
    server = Server()
    async with provider_of(server, pool=PoolSettings(max_connections=2)) as (provider, network):
        first = [Message.user("a")]
        async with provider.complete(first) as stream:
            first += [(await stream.collect()).message, Message.user("b")]
        for question in ("x", "y"):
            assert await ask(provider, question) == question
        async with provider.complete(first) as stream:
            assert (await stream.collect()).text == "b"
            assert not stream.response.continued
        assert len(network.connections) == 4
    assert server.most_open == 2
    assert server.conversations[3] == ["a", "a", "b"]


async def test_no_more_conversations_are_kept_than_the_pool_says() -> None:
    """Or a program that asks once each would have every connection open for an hour."""
    async with provider_of(Server(), pool=PoolSettings(max_idle=2)) as (provider, network):
        for number in range(6):
            assert await ask(provider, str(number)) == str(number)
        await wait_all_tasks_blocked()
        assert [each.closed for each in network.connections] == [True] * 4 + [False] * 2


async def test_a_hundred_conversations_share_few_places() -> None:
    """Each token reaches its own caller, and never are there more connections than allowed."""
    server = Server()
    answers: dict[str, list[str]] = {}

    async def hold(provider: HTTPProvider, name: str) -> None:
        messages = [Message.user(f"{name} one")]
        async with provider.complete(messages) as stream:
            messages += [(await stream.collect()).message, Message.user(f"{name} two")]
        async with provider.complete(messages) as stream:
            answers[name] = [messages[1].text, (await stream.collect()).text]

    async with (
        provider_of(server, pool=PoolSettings(max_connections=3)) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        for number in range(100):
            nursery.start_soon(hold, provider, f"conversation {number}")
    assert server.most_open == 3
    assert answers == {
        f"conversation {number}": [f"conversation {number} one", f"conversation {number} two"]
        for number in range(100)
    }


async def test_warming_opens_connections_for_new_conversations() -> None:
    """One that holds a conversation is not ready for another."""
    async with provider_of(Server()) as (provider, network):
        await provider.warm(2)
        assert await ask(provider, "a") == "a"
        assert len(network.connections) == 2
        await provider.warm(2)
        assert len(network.connections) == 3


async def test_a_day_of_rotation(autojump_clock: MockClock) -> None:
    """A conversation goes on all day: no answer is lost, no connection lives for an hour."""
    lives: list[float] = []
    server = Server()

    async def script(peer: Peer) -> None:
        began = trio.current_time()
        try:
            await server(peer)
        finally:
            lives.append(trio.current_time() - began)

    handler = websocket_handler(script)
    async with socket_provider(handler, section_of=realtime_section) as (provider, network):
        messages: list[Message] = []
        continued = 0
        for number in range(24 * 3):
            messages.append(Message.user(str(number)))
            async with provider.complete(messages) as stream:
                completion = await stream.collect()
                continued += stream.response.continued
            assert completion.text == str(number)
            messages.append(completion.message)
            await trio.sleep(1200)
        assert sum(not each.closed for each in network.connections) <= 1
    assert continued == 24 * 3 - len(lives)
    assert max(lives) < 3600
