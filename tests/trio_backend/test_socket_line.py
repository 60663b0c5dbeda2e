"""Calls that wait where there may be no more connections: in line, and in nobody's way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.servers import MemoryNetwork
from tests.trio_backend.socket_servers import (
    Peer,
    RawServer,
    ask,
    created,
    ended,
    events,
    raw_handler,
    realtime_section,
    said,
    socket_provider,
    websocket_handler,
)
from tokenwire.connection_settings import PoolSettings
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio import HTTPProvider, SocketProvider
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.socket_connection import FAREWELL_S


@asynccontextmanager
async def provider_of(
    *, max_connections: int, out_of_band: bool = True
) -> AsyncGenerator[tuple[SocketProvider, MemoryNetwork], None]:
    """Open a provider of Realtime: a connection for each model, with many answers, or for one."""
    async with socket_provider(
        websocket_handler(takes_its_time),
        section_of=realtime_section,
        pool=PoolSettings(max_connections=max_connections),
        quirks={"out_of_band": out_of_band},
    ) as opened:
        yield opened


async def takes_its_time(peer: Peer) -> None:
    """Answer each question with itself, after as many seconds as it says; many at a time."""
    async with brief_nursery() as nursery:
        while True:
            request = await peer.receive_request()
            nursery.start_soon(_answer_in_time, peer, request, f"r{len(peer.requests)}")


async def _answer_in_time(peer: Peer, request: dict[str, Any], response_id: str) -> None:
    await trio.sleep(float(peer.question(request)))
    await peer.answer(request, response_id, peer.question(request))


async def seconds_for(provider: HTTPProvider, model: str, answer_takes: float) -> float:
    """Return how long a call took whose answer takes some time itself."""
    began = trio.current_time()
    question = [Message.user(str(answer_takes))]
    async with provider.complete(question, ProviderConfig(model=model)) as stream:
        assert (await stream.collect()).text == str(answer_takes)
    return trio.current_time() - began


async def test_who_waits_for_a_connection_holds_up_nobody_who_has_one(
    autojump_clock: MockClock,
) -> None:
    """And gets the place of the one that was used longest ago, however busy the others are."""
    waited: list[float] = []

    async def wait_for_a_place(provider: HTTPProvider) -> None:
        waited.append(await seconds_for(provider, "new", 1))

    async with (
        provider_of(max_connections=2) as (provider, network),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(seconds_for, provider, "slow", 10)
        await trio.sleep(1)
        nursery.start_soon(seconds_for, provider, "busy", 2)
        await trio.sleep(1)
        nursery.start_soon(wait_for_a_place, provider)
        for _ in range(20):  # there is always an answer under way on the second connection
            await trio.sleep(0.5)
            nursery.start_soon(seconds_for, provider, "busy", 2)
            assert await seconds_for(provider, "busy", 1) == pytest.approx(1)
        assert len(network.connections) == 3
    assert waited == [pytest.approx(8 + 1)]


async def test_nobody_is_kept_out_by_calls_that_came_later(autojump_clock: MockClock) -> None:
    """The only connection ends for who needs another one, though it has room for more."""
    waited: list[float] = []

    async def wait_for_a_place(provider: HTTPProvider) -> None:
        waited.append(await seconds_for(provider, "new", 1))

    async with provider_of(max_connections=1) as (provider, _), trio.open_nursery() as nursery:
        nursery.start_soon(seconds_for, provider, "busy", 3)
        await trio.sleep(1)
        nursery.start_soon(wait_for_a_place, provider)
        for _ in range(20):
            await trio.sleep(0.5)
            nursery.start_soon(seconds_for, provider, "busy", 3)
    assert waited == [pytest.approx(2 + 1)]


async def test_who_needs_a_connection_gets_it_in_turn(autojump_clock: MockClock) -> None:
    """Whatever order trio wakes tasks in."""
    served: list[str] = []

    async def call(provider: HTTPProvider, model: str) -> None:
        await seconds_for(provider, model, 1)
        served.append(model)

    models = [f"model-{number}" for number in range(12)]
    async with provider_of(max_connections=2) as (provider, _), trio.open_nursery() as nursery:
        for model in models:
            nursery.start_soon(call, provider, model)
            await trio.sleep(0.01)
    assert served == models


async def test_a_conversation_goes_on_while_another_waits_for_a_place(
    autojump_clock: MockClock,
) -> None:
    """The connection that holds it is of no use to a new one, which has the other's place."""

    async def script(server: RawServer) -> None:
        for number in count():  # it answers no farewell
            request = await server.receive_request()
            name = f"r{number}"
            await server.send(
                *events(created(request, name), said(request, "Hi", name), ended(request, name))
            )

    waited: list[float] = []

    async def wait_for_a_place(provider: HTTPProvider) -> None:
        began = trio.current_time()
        assert await ask(provider, "new") == "Hi"
        waited.append(trio.current_time() - began)

    pool = PoolSettings(max_connections=2)
    async with socket_provider(raw_handler(script), section_of=realtime_section, pool=pool) as (
        provider,
        _,
    ):
        await ask(provider, "old")
        messages = [Message.user("a")]
        async with provider.complete(messages) as stream:
            messages += [(await stream.collect()).message, Message.user("b")]
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_a_place, provider)
            await wait_all_tasks_blocked()
            async with provider.complete(messages) as stream:
                assert stream.response.continued
                await stream.collect()
            assert trio.current_time() == began
    assert waited == [pytest.approx(FAREWELL_S)]


async def test_of_two_who_go_on_with_a_conversation_the_first_is_served_first(
    autojump_clock: MockClock,
) -> None:
    """While it looks whether the connection still lives, nobody else takes that."""
    continued: dict[str, bool] = {}

    async with provider_of(max_connections=1, out_of_band=False) as (provider, _):
        config = ProviderConfig(model="some-model")
        async with provider.complete([Message.user("1")], config) as stream:
            reply = (await stream.collect()).message

        async def go_on(name: str) -> None:
            messages = [Message.user("1"), reply, Message.user("2")]
            async with provider.complete(messages, config) as stream:
                await stream.collect()
                continued[name] = stream.response.continued

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on, "first")
            await trio.lowlevel.checkpoint()
            nursery.start_soon(go_on, "second")
    assert continued == {"first": True, "second": False}


@pytest.mark.parametrize("seed", range(10))
async def test_whoever_comes_when_everybody_is_served(seed: int, autojump_clock: MockClock) -> None:
    """Conversations with any model, short and long, some of which are given up: nobody is stuck."""
    choose = Random(seed)  # noqa: S311  # no cryptography
    most = choose.randint(1, 3)
    seconds: list[float] = []

    async def converse(provider: HTTPProvider) -> None:
        await trio.sleep(choose.uniform(0, 10))
        config = ProviderConfig(model=f"model-{choose.randrange(4)}")
        messages: list[Message] = []
        for _ in range(choose.randint(1, 3)):
            seconds.append(round(choose.uniform(0, 2), 2))
            messages.append(Message.user(str(seconds[-1])))
            with trio.move_on_after(choose.choice((0.5, 1e6, 1e6, 1e6))) as patience:
                async with provider.complete(messages, config) as stream:
                    messages.append((await stream.collect()).message)
            if patience.cancelled_caught:
                return
            assert messages[-1].text == messages[-2].text
            await trio.sleep(choose.choice((0, 0.7)))

    async with (
        provider_of(max_connections=most, out_of_band=choose.random() < 0.5) as (provider, network),
        trio.open_nursery() as nursery,
    ):
        began = trio.current_time()
        for _ in range(15):
            nursery.start_soon(converse, provider)
        while nursery.child_tasks:
            assert sum(not each.closed for each in network.connections) <= most
            await trio.sleep(0.1)
        # Not even one after the other, with a farewell each, would they take as long.
        assert trio.current_time() - began < 10 + sum(seconds) + 2 * FAREWELL_S * len(seconds)
