"""Every wire format of sockets against a server that others wrote: aimock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest
import trio

from tests.third_party import running_aimock, running_proxy
from tests.trio_backend.cli_process import invoke, json_lines
from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.played_back import text_played_back
from tests.trio_backend.socket_servers import ask, realtime_section, socket_section
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import PoolSettings, ProxySettings
from tokenwire.errors import (
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.messages import Message, ToolResult
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire.wire import SOCKET_KINDS
from tokenwire_trio import HTTPProvider, open_provider

SectionOf: TypeAlias = Callable[..., ProviderSection]

LOGIN = "me:canary-0123456789"

WEATHER = ProviderConfig(tools=[Tool(name="get_weather")])


@pytest.fixture(scope="session")
def aimock_url(servers_home: Path) -> Iterator[str]:
    """Give the base URL of aimock."""
    with running_aimock(servers_home) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture(params=[socket_section, realtime_section], ids=SOCKET_KINDS)
def section_of(request: pytest.FixtureRequest) -> SectionOf:
    """Give what describes a provider of a wire format."""
    section_of: SectionOf = request.param
    return section_of


async def _converse(provider: HTTPProvider, messages: list[Message], *then: str) -> list[str]:
    """Hold a conversation of which each turn but the first sends only what is new."""
    texts: list[str] = []
    for question in then:
        async with provider.complete(messages) as stream:
            completion = await stream.collect()
            assert stream.response.continued is bool(texts)
        texts.append(completion.text)
        messages += [completion.message, Message.user(question)]
    return texts


async def test_a_conversation_over_one_socket(aimock_url: str) -> None:
    """Text, half characters, reasoning and its signature, and nothing left behind."""
    with nothing_left_behind():
        async with open_provider(socket_section(aimock_url)) as provider:
            messages = [Message.user("Say hello")]
            texts = await _converse(provider, messages, "unicode", "think", "Say hello")
            assert connections_to(aimock_url) == 1
    assert texts[0].startswith("Hello!")
    assert "👋🏽" in texts[1]
    assert texts[2] == "The answer is 4."


async def test_a_realtime_conversation_over_one_socket(aimock_url: str) -> None:
    """It has no reasoning; a system message becomes instructions."""
    with nothing_left_behind():
        async with open_provider(realtime_section(aimock_url)) as provider:
            messages = [Message.system("Be brief."), Message.user("Say hello")]
            texts = await _converse(provider, messages, "unicode", "Say hello")
            assert connections_to(aimock_url) == 1
    assert texts[0].startswith("Hello!")
    assert "👋🏽" in texts[1]


async def test_a_tool_loop_over_one_socket(aimock_url: str, section_of: SectionOf) -> None:
    """The call, its result, and the answer."""
    async with open_provider(section_of(aimock_url)) as provider:
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
    aimock_url: str, section_of: SectionOf, question: str, kind: type[ProviderError]
) -> None:
    """On the same connection, or on a new one where it was lost."""
    async with open_provider(section_of(aimock_url)) as provider:
        with pytest.raises(ProviderError) as caught:
            await text_played_back(provider, [Message.user(question)])
        assert type(caught.value) is kind
        assert (await ask(provider, "Say hello")).startswith("Hello!")


async def test_leaving_an_answer_leaves_the_connection_in_order(
    aimock_url: str, section_of: SectionOf
) -> None:
    """The rest of it is discarded, and the next answer is whole."""
    pool = PoolSettings(max_connections=1)
    async with open_provider(section_of(aimock_url, pool=pool)) as provider:
        async with provider.complete([Message.user("slow")]) as stream:
            await anext(stream)
        assert (await ask(provider, "Say hello")).startswith("Hello!")


async def test_answers_are_played_back(aimock_url: str, section_of: SectionOf) -> None:
    """Each piece as it came, half characters too, of a conversation that goes on."""
    async with open_provider(section_of(aimock_url)) as provider:
        messages = [Message.user("unicode")]
        text = await text_played_back(provider, messages)
        assert "👋🏽" in text
        messages += [Message.assistant(text), Message.user("Say hello")]
        assert (await text_played_back(provider, messages)).startswith("Hello!")


@pytest.mark.parametrize(
    "section_of", [partial(socket_section, quirks={"lanes": 1}), realtime_section], ids=SOCKET_KINDS
)
async def test_many_at_once_have_a_connection_each(aimock_url: str, section_of: SectionOf) -> None:
    """A conversation has one answer at a time; so has a server that keeps no lanes apart."""
    async with (
        open_provider(section_of(aimock_url)) as provider,
        trio.open_nursery() as nursery,
    ):
        for _ in range(20):
            nursery.start_soon(ask, provider, "Say hello")


async def test_conversations_do_not_mix(aimock_url: str, section_of: SectionOf) -> None:
    """What was asked before by somebody else is not part of an answer."""
    questions = ("Say hello", "unicode", "Say hello")
    async with open_provider(section_of(aimock_url)) as provider:
        together = [await ask(provider, question) for question in questions]
    apart: list[str] = []
    for question in questions:
        async with open_provider(section_of(aimock_url)) as provider:
            apart.append(await ask(provider, question))
    assert together == apart
    assert together[0] == together[2] != together[1]


async def test_a_server_that_knows_nothing_of_answers_out_of_band_is_refused(
    aimock_url: str,
) -> None:
    """It would answer another conversation than the one that was asked."""
    section = realtime_section(aimock_url, quirks={"out_of_band": True})
    async with open_provider(section) as provider:
        with pytest.raises(MalformedResponseError, match="leave the quirk out_of_band unset"):
            await ask(provider, "Say hello")


@pytest.mark.parametrize(
    ("base_url", "options", "message"),
    [
        ("{aimock}", ("--proxy", "http://127.0.0.1:1"), "cannot connect to the proxy 127.0.0.1:1"),
        ("{aimock}/nowhere", (), "HTTP 404"),
        ("https{aimock_rest}", (), "does not speak TLS there: use http://"),
        ("wss{aimock_rest}", (), "write https:// in place of wss://"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    aimock_url: str, base_url: str, options: tuple[str, ...], message: str
) -> None:
    """With the way in, with the address, with the scheme."""
    url = base_url.format(aimock=aimock_url, aimock_rest=aimock_url.removeprefix("http"))
    result = invoke(
        "ask", "Hi", "--wire", "openai-realtime", "--base-url", url, "--model", "m", *options
    )
    assert result.exit_code != 0
    assert result.stdout == ""
    assert message in result.stderr


@pytest.fixture(scope="session", params=["tinyproxy", "socks5"])
def proxy_url(request: pytest.FixtureRequest, servers_home: Path) -> Iterator[str]:
    """Give the URL of a proxy that wants a login."""
    with running_proxy(request.param, servers_home, LOGIN) as port:
        scheme = "http" if request.param == "tinyproxy" else "socks5h"
        yield f"{scheme}://127.0.0.1:{port}"


async def test_answers_come_through_a_proxy(
    aimock_url: str, section_of: SectionOf, proxy_url: str
) -> None:
    """Its user is let in, all others are told what is wrong."""
    username, _, password = LOGIN.partition(":")
    right = ProxySettings(url=proxy_url, username=username, password=password)
    with nothing_left_behind():
        async with open_provider(section_of(aimock_url, proxy=right)) as provider:
            assert (await ask(provider, "Say hello")).startswith("Hello!")
            assert (connections_to(proxy_url), connections_to(aimock_url)) == (1, 0)
    wrong = attrs.evolve(right, password="canary-9876543210")
    async with open_provider(section_of(aimock_url, proxy=wrong)) as provider:
        with pytest.raises(NetworkError, match="does not accept") as caught:
            await ask(provider, "Say hello")
    assert (caught.value.phase, caught.value.sent) == ("proxy", "nothing")


@pytest.mark.parametrize("kind", SOCKET_KINDS)
def test_the_command_line_speaks_it(aimock_url: str, kind: str, tmp_path: Path) -> None:
    """As any other wire format; it records what it hears, and reads that again."""
    recording = str(tmp_path / "recording.jsonl")
    options = ("--wire", kind, "--base-url", aimock_url, "--model", "m")
    result = invoke("ask", "Say hello", *options, "--record", recording)
    assert (result.exit_code, result.stdout.startswith("Hello!")) == (0, True)
    decoded = invoke("decode", recording)
    exchange, *events = json_lines(decoded.stdout_bytes)
    assert (decoded.exit_code, exchange["wire"], exchange["outcome"]) == (0, kind, "complete")
    assert "".join(event.get("text", "") for event in events) == result.stdout.rstrip("\n")
    result = invoke("doctor", *options)
    assert result.exit_code == 0
    assert "ws://127.0.0.1" in result.stdout
