"""Realtime text over sockets, against a server of our own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.servers import MemoryNetwork, socket_server
from tests.trio_backend.socket_servers import Peer, ask, realtime_section, websocket_handler
from tests.trio_backend.test_cancellation_points import acting
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


async def test_a_hundred_answers_out_of_band(autojump_clock: MockClock) -> None:
    """Each gets its own text, with sixteen at most over one connection."""
    section = realtime_section(quirks={"out_of_band": True})
    texts: dict[str, str] = {}

    async def ask_for(provider: HTTPProvider, text: str) -> None:
        texts[text] = await ask(provider, text)

    async with trio.open_nursery() as serving:
        network = MemoryNetwork(serving, websocket_handler(speak))
        async with (
            SocketProvider(section, dial=network) as provider,
            trio.open_nursery() as nursery,
        ):
            for number in range(100):
                nursery.start_soon(ask_for, provider, f"answer {number}")
        serving.cancel_scope.cancel()
    assert texts == {f"answer {number}": f"answer {number}" for number in range(100)}


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


async def leave_at_once(provider: HTTPProvider) -> None:
    """Make a call and leave it before a token has come."""
    async with provider.complete([Message.user("wait")]):
        pass


async def read_all(provider: HTTPProvider) -> None:
    """Make a call and read its answer to the end."""
    assert await ask(provider, "Hi") == "Hi"


@pytest.mark.parametrize("call", [read_all, leave_at_once])
async def test_a_call_can_be_cancelled_at_every_point(
    call: Callable[[HTTPProvider], Awaitable[None]],
) -> None:
    """The next one is answered, and nothing stays open behind the provider."""
    points, more = 0, True
    with nothing_left_behind():
        async with socket_server(websocket_handler(speak)) as base_url:
            while more:
                async with SocketProvider(realtime_section(base_url)) as provider:
                    more = await _cancel_at(points, call, provider)
                assert connections_to(base_url) == 0
                points += 1
    assert points > 20


async def _cancel_at(
    point: int, call: Callable[[HTTPProvider], Awaitable[None]], provider: HTTPProvider
) -> bool:
    """Cancel a call at a point, and return whether it has such a point."""
    scope = trio.CancelScope()
    with trio.fail_after(5):
        with acting(point, scope.cancel) as points, scope:
            await call(provider)
        assert await ask(provider, "Again") == "Again"
    return points.phase is not None


async def test_models_do_not_share_connections(autojump_clock: MockClock) -> None:
    """The model is part of a connection's address; an idle one makes room for another."""
    section = realtime_section(pool=PoolSettings(max_connections=1))
    models: list[str] = []

    async def speak_of_model(peer: Peer) -> None:
        models.append(peer.websocket.path or "")
        await speak(peer)

    async with trio.open_nursery() as serving:
        network = MemoryNetwork(serving, websocket_handler(speak_of_model))
        async with SocketProvider(section, dial=network) as provider:
            for model in ("one", "one", "two"):
                config = ProviderConfig(model=model)
                async with provider.complete([Message.user("Hi")], config) as stream:
                    await stream.collect()
        serving.cancel_scope.cancel()
    assert [path.partition("model=")[2] for path in models] == ["one", "two"]
