"""Realtime text over sockets: against aimock, which others wrote, and a server of our own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.third_party import running_aimock
from tests.trio_backend.cli_process import invoke
from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.servers import MemoryNetwork, socket_server
from tests.trio_backend.socket_servers import Peer, socket_section, websocket_handler
from tests.trio_backend.test_cancellation_points import acting
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import PoolSettings
from tokenwire.errors import NetworkError, OtherError, ProviderError, RateLimitError
from tokenwire.messages import Message, ToolResult
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire_trio import HTTPProvider, SocketProvider, open_provider

WEATHER = ProviderConfig(tools=[Tool(name="get_weather")])


@pytest.fixture(scope="module")
def aimock_url(servers_home: Path) -> Iterator[str]:
    """Give the base URL of aimock."""
    with running_aimock(servers_home) as port:
        yield f"http://127.0.0.1:{port}/v1"


def realtime_section(base_url: str = "http://localhost/v1", **endpoint: Any) -> ProviderSection:
    """Describe a provider of Realtime text."""
    return attrs.evolve(socket_section(base_url, **endpoint), kind="openai-realtime")


async def ask(provider: HTTPProvider, question: str) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete([Message.user(question)]) as stream:
        return (await stream.collect()).text


# Against aimock


async def test_a_conversation_over_one_socket(aimock_url: str) -> None:
    """Text, half characters, and nothing left behind."""
    with nothing_left_behind():
        async with open_provider(realtime_section(aimock_url)) as provider:
            messages = [Message.system("Be brief."), Message.user("Say hello")]
            texts: list[str] = []
            for question in ("unicode", "Say hello"):
                async with provider.complete(messages) as stream:
                    completion = await stream.collect()
                    assert stream.response.continued is bool(texts)
                texts.append(completion.text)
                messages += [completion.message, Message.user(question)]
            assert connections_to(aimock_url) == 1
    assert texts[0].startswith("Hello!")
    assert "👋🏽" in texts[1]


async def test_a_tool_loop_over_one_socket(aimock_url: str) -> None:
    """The call, its result, and the answer."""
    async with open_provider(realtime_section(aimock_url)) as provider:
        messages = [Message.user("weather")]
        async with provider.complete(messages, WEATHER) as stream:
            completion = await stream.collect()
        (call,) = completion.tool_calls
        assert completion.finish == "tool_calls"
        result = Message.tool(ToolResult(call_id=call.id, text="21"))
        async with provider.complete([*messages, completion.message, result], WEATHER) as stream:
            assert "21 degrees" in (await stream.collect()).text
            assert stream.response.continued


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("error 400", OtherError),
        ("error 429", RateLimitError),
        ("error 500", OtherError),
        ("truncate", NetworkError),
        ("disconnect", NetworkError),
    ],
)
async def test_failures_are_told_and_the_next_call_is_answered(
    aimock_url: str, question: str, kind: type[ProviderError]
) -> None:
    """On the same connection, or on a new one where it was lost."""
    async with open_provider(realtime_section(aimock_url)) as provider:
        with pytest.raises(ProviderError) as caught:
            await ask(provider, question)
        assert type(caught.value) is kind
        assert (await ask(provider, "Say hello")).startswith("Hello!")


async def test_leaving_an_answer_leaves_the_connection_in_order(aimock_url: str) -> None:
    """The rest of it is discarded, and the next answer is whole."""
    pool = PoolSettings(max_connections=1)
    async with open_provider(realtime_section(aimock_url, pool=pool)) as provider:
        async with provider.complete([Message.user("slow")]) as stream:
            await anext(stream)
        assert (await ask(provider, "Say hello")).startswith("Hello!")


async def test_many_at_once_have_a_connection_each(aimock_url: str) -> None:
    """A conversation has one answer at a time."""
    async with (
        open_provider(realtime_section(aimock_url)) as provider,
        trio.open_nursery() as nursery,
    ):
        for _ in range(20):
            nursery.start_soon(ask, provider, "Say hello")


def test_the_command_line_speaks_it(aimock_url: str) -> None:
    """As any other wire format."""
    options = ("--wire", "openai-realtime", "--base-url", aimock_url, "--model", "m")
    result = invoke("ask", "Say hello", *options)
    assert (result.exit_code, result.stdout.startswith("Hello!")) == (0, True)
    result = invoke("doctor", *options)
    assert result.exit_code == 0
    assert "ws://127.0.0.1" in result.stdout


# Against a server of our own


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
