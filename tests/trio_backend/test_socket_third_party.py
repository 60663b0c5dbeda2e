"""Against a server of the Responses API over WebSockets that others wrote: aimock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.third_party import running_aimock
from tests.trio_backend.cli_process import invoke
from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.socket_servers import socket_section
from tokenwire.connection_settings import PoolSettings
from tokenwire.errors import NetworkError, OtherError, ProviderError, RateLimitError
from tokenwire.messages import Message, ToolResult
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire_trio import HTTPProvider, open_provider

WEATHER = ProviderConfig(tools=[Tool(name="get_weather")])


@pytest.fixture(scope="session")
def aimock_url(servers_home: Path) -> Iterator[str]:
    """Give the base URL of aimock."""
    with running_aimock(servers_home) as port:
        yield f"http://127.0.0.1:{port}/v1"


async def ask(provider: HTTPProvider, question: str) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete([Message.user(question)]) as stream:
        return (await stream.collect()).text


async def test_a_conversation_over_one_socket(aimock_url: str) -> None:
    """Text, half characters, reasoning and its signature, and nothing left behind."""
    with nothing_left_behind():
        async with open_provider(socket_section(aimock_url)) as provider:
            messages = [Message.user("Say hello")]
            texts: list[str] = []
            for question in ("unicode", "think", "Say hello"):
                async with provider.complete(messages) as stream:
                    completion = await stream.collect()
                    assert stream.response.continued is bool(texts)
                texts.append(completion.text)
                messages += [completion.message, Message.user(question)]
            assert connections_to(aimock_url) == 1
    assert texts[0].startswith("Hello!")
    assert "👋🏽" in texts[1]
    assert texts[2] == "The answer is 4."


async def test_a_tool_loop_over_one_socket(aimock_url: str) -> None:
    """The call, its result, and the answer."""
    async with open_provider(socket_section(aimock_url)) as provider:
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
    async with open_provider(socket_section(aimock_url)) as provider:
        with pytest.raises(ProviderError) as caught:
            await ask(provider, question)
        assert type(caught.value) is kind
        assert (await ask(provider, "Say hello")).startswith("Hello!")


async def test_leaving_an_answer_leaves_the_connection_in_order(aimock_url: str) -> None:
    """The rest of it is discarded, and the next answer is whole."""
    pool = PoolSettings(max_connections=1)
    async with open_provider(socket_section(aimock_url, pool=pool)) as provider:
        async with provider.complete([Message.user("slow")]) as stream:
            await anext(stream)
        assert (await ask(provider, "Say hello")).startswith("Hello!")


async def test_many_at_once_where_lanes_are_not_kept_apart(aimock_url: str) -> None:
    """With the quirk that says so, each has a connection of its own."""
    async with (
        open_provider(socket_section(aimock_url, quirks={"lanes": 1})) as provider,
        trio.open_nursery() as nursery,
    ):
        for _ in range(20):
            nursery.start_soon(ask, provider, "Say hello")


def test_the_command_line_speaks_it(aimock_url: str) -> None:
    """As any other wire format."""
    options = ("--wire", "openai-responses-ws", "--base-url", aimock_url, "--model", "m")
    result = invoke("ask", "Say hello", *options)
    assert (result.exit_code, result.stdout.startswith("Hello!")) == (0, True)
    result = invoke("doctor", *options)
    assert result.exit_code == 0
    assert "ws://127.0.0.1" in result.stdout
