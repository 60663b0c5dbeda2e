"""`tokenwire_trio.provider`: what is checked before a byte moves, and how a block is left."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, wait_all_tasks_blocked

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    MemoryNetwork,
    ServerSide,
    answer,
    refusal,
    replies,
)
from tokenwire.config import Config, ConfigError, ProviderSection
from tokenwire.endpoint import Deadlines, Endpoint, Limits, TLSSettings
from tokenwire.errors import (
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    RateLimitError,
)
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire_trio import HTTPProvider, OpenAIProvider, open_provider
from tokenwire_trio.dialing import Dial


async def dial_nowhere(host: str, port: int) -> trio.abc.Stream:
    """Fail a test in which a byte was about to move."""
    raise AssertionError(f"dialed {host}:{port}")


# Configuration


def test_the_url_is_known_without_a_request() -> None:
    """The final URL is shown as it will be used, whatever slashes the base URL ends in."""
    provider = HTTPProvider(provider_section("https://host.example:8443/api/v1//"))
    assert provider.url == "https://host.example:8443/api/v1/chat/completions"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("openai-chat", "/chat/completions"),
        ("openai-responses", "/responses"),
        ("azure-chat", "/chat/completions"),
        ("anthropic", "/messages"),
        ("ollama", "/chat"),
        ("gemini", "/models/m:streamGenerateContent"),
    ],
)
def test_the_url_takes_no_setting_that_is_not_part_of_it(kind: str, path: str) -> None:
    """What an API requires in the body, a bound on the answer for one, is not asked for."""
    endpoint = Endpoint(base_url="https://host.example/api")
    section = ProviderSection(kind=kind, endpoint=endpoint, defaults=ProviderConfig(model="m"))
    assert HTTPProvider(section).url == f"https://host.example/api{path}"


def test_a_url_with_a_hole_in_it_is_not_shown() -> None:
    """Where the model is part of the address, there is none without it."""
    section = ProviderSection(
        kind="gemini", endpoint=Endpoint(base_url="https://host.example/v1beta")
    )
    with pytest.raises(LocalProtocolError, match=r"^model: "):
        assert HTTPProvider(section).url


def test_a_provider_does_not_show_its_secrets() -> None:
    """Neither key nor query are in the repr."""
    section = provider_section(credential="canary-key", query={"key": Secret("canary-key")})
    assert "canary" not in repr(HTTPProvider(section)) + HTTPProvider(section).url


def test_a_provider_is_made_from_a_configuration() -> None:
    """The section of a loaded configuration is all it takes."""
    config = Config.from_toml(
        '[provider]\nkind = "openai-chat"\n[provider.endpoint]\nbase_url = "http://host.example"\n'
    )
    assert OpenAIProvider(config.provider).url == "http://host.example/chat/completions"


def test_an_unknown_wire_format_names_the_nearest() -> None:
    """A misspelt kind is an error at once."""
    section = ProviderSection(kind="openai-chatt", endpoint=Endpoint(base_url="http://h.example"))
    with pytest.raises(ConfigError, match="openai-chat"):
        HTTPProvider(section)
    with pytest.raises(ConfigError, match="open_provider takes every kind"):
        OpenAIProvider(section)


def test_an_unknown_quirk_is_an_error_at_once() -> None:
    """Not only with the first request."""
    with pytest.raises(ValueError, match="quirk"):
        HTTPProvider(provider_section(quirks={"no_such_quirk": True}))


@pytest.mark.parametrize(
    ("section", "messages", "expected"),
    [
        (provider_section(), [], LocalProtocolError),
        (provider_section(headers={"x-team": "red "}), HELLO, LocalProtocolError),
        (
            provider_section("https://host.example", tls=TLSSettings(ca_file="/no/such.pem")),
            HELLO,
            ConfigError,
        ),
    ],
    ids=["no messages", "a header that HTTP cannot carry", "a missing ca_file"],
)
async def test_mistakes_are_told_before_a_byte_moves(
    section: ProviderSection, messages: list[Message], expected: type[Exception]
) -> None:
    """What cannot work raises on entering, and nothing is dialed."""
    async with open_provider(section, dial=dial_nowhere) as provider:
        with pytest.raises(expected):
            async with provider.complete(messages):
                pass


@pytest.mark.parametrize("kind", ["openai-chat", "openai-responses-ws", "openai-realtime"])
async def test_what_is_no_message_is_told_before_a_byte_moves(kind: str) -> None:
    """Also over sockets, where a connection is looked for first."""
    section = attrs.evolve(provider_section("http://host.example/v1"), kind=kind)
    messages: list[Any] = [{"role": "user", "content": "Hi"}]
    async with open_provider(section, dial=dial_nowhere) as provider:
        with pytest.raises(TypeError, match=r"^messages\[0\] must be a Message, .*, not dict$"):
            await provider.complete(messages).__aenter__()


async def test_a_block_that_is_not_entered_says_how() -> None:
    """Awaiting it and reading from it are what people try first."""
    async with open_provider(provider_section("http://host.example/v1")) as provider:
        block: Any = provider.complete(HELLO)
        with pytest.raises(TypeError, match="async with"):
            await block
        with pytest.raises(TypeError, match="async with"):
            aiter(block)


async def test_a_call_adds_its_settings_to_the_defaults(nursery: trio.Nursery) -> None:
    """What a call leaves unset comes from the section."""
    requests: list[bytes] = []

    async def remembers(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        await peer.send(answer("a"))

    async with (
        open_provider(provider_section(), dial=MemoryNetwork(nursery, remembers)) as provider,
        provider.complete(HELLO, ProviderConfig(temperature=0.5)) as stream,
    ):
        await stream.collect()
    body = json.loads(requests[0].partition(b"\r\n\r\n")[2])
    assert (body["model"], body["temperature"]) == ("tiny-chat", 0.5)


async def test_a_credential_can_be_asked_for(nursery: trio.Nursery) -> None:
    """An async callable is asked for each call, before anything is sent."""
    requests: list[bytes] = []
    keys = iter(["first-key", "second-key"])

    async def ask() -> Secret:
        await trio.lowlevel.checkpoint()
        return Secret(next(keys))

    async def remembers(peer: ServerSide) -> None:
        while request := await peer.receive_request():
            requests.append(request)
            await peer.send(answer("a"))

    section = provider_section(credential=ask)
    async with open_provider(section, dial=MemoryNetwork(nursery, remembers)) as provider:
        for _ in range(2):
            async with provider.complete(HELLO) as stream:
                await stream.collect()
    assert b"authorization: Bearer first-key\r\n" in requests[0]
    assert b"authorization: Bearer second-key\r\n" in requests[1]


async def test_a_conversation_is_kept_no_longer_than_until_it_is_sent(
    nursery: trio.Nursery,
) -> None:
    """It may hold images, and the answer may take minutes."""
    message = Message.user("canary prompt")
    kept = weakref.ref(message)
    dial = MemoryNetwork(nursery, replies(answer("Hi")))
    async with open_provider(provider_section(), dial=dial) as provider:
        block = provider.complete([message])
        async with block as stream:
            del message
            gc.collect()
            assert kept() is None
            assert (await stream.collect()).text == "Hi"


async def test_a_credential_of_the_wrong_type_is_not_shown() -> None:
    """A callable that returns the bare key is told so without the key."""

    async def ask() -> str:
        return "canary-key"

    async with open_provider(provider_section(credential=ask), dial=dial_nowhere) as provider:
        with pytest.raises(TypeError, match="must return a Secret, not str"):
            async with provider.complete(HELLO):
                pass


async def test_a_credential_that_does_not_come_meets_the_total_deadline(
    autojump_clock: MockClock,
) -> None:
    """The callable's time is the call's time."""

    async def ask() -> Secret:
        await trio.sleep_forever()
        raise AssertionError

    section = provider_section(credential=ask, deadlines=Deadlines(total=2))
    async with open_provider(section, dial=dial_nowhere) as provider:
        with pytest.raises(NetworkError) as caught:
            async with provider.complete(HELLO):
                pass
    assert (caught.value.timeout, caught.value.sent) == ("total", "nothing")
    assert caught.value.provider == "openai-chat"


# Refusals


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthError), (429, RateLimitError), (404, OtherError), (500, OtherError)],
)
async def test_a_refusal_is_raised_on_entering(
    nursery: trio.Nursery, status: int, kind: type[Exception]
) -> None:
    """An HTTP error needs no token to be asked for, and has the server's own words."""
    dial = MemoryNetwork(nursery, replies(refusal(status, "because of the moon")))
    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(kind, match=f"HTTP {status} refused: because of the moon") as caught:
            async with provider.complete(HELLO):
                pass
    assert isinstance(caught.value, AuthError | RateLimitError | OtherError)
    assert (caught.value.sent, caught.value.in_stream) == ("all", False)


async def test_a_refusal_whose_body_does_not_come_is_told_by_its_status(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A server that keeps the reason to itself is not waited for without end."""
    head = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\n"
    dial = MemoryNetwork(nursery, replies(head))
    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(AuthError):
            async with provider.complete(HELLO):
                pass


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 2000, "limit"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "framing"),
        (b"ICY 200 OK\r\n\r\n", "framing"),
    ],
    ids=["endless head", "1xx flood", "no HTTP"],
)
async def test_a_head_that_is_none_is_malformed(
    nursery: trio.Nursery, response: bytes, reason: str
) -> None:
    """Broken HTTP is bounded and told apart from a broken network."""
    dial = MemoryNetwork(nursery, replies(response))
    section = provider_section(limits=Limits(head_bytes=1000))
    async with open_provider(section, dial=dial) as provider:
        with pytest.raises(MalformedResponseError) as caught:
            async with provider.complete(HELLO):
                pass
    assert caught.value.reason == reason


LONG = [Message.user("x" * 1_000_000)]


async def test_a_refusal_that_comes_while_the_request_is_sent_is_read(
    nursery: trio.Nursery,
) -> None:
    """A server that answers instead of reading on gets no more, and its answer counts."""

    async def refuses_early(peer: ServerSide) -> None:
        await peer.stream.receive_some(1000)
        await peer.send(refusal(413, "too long"))

    dial = MemoryNetwork(nursery, refuses_early, lockstep_stream_pair)
    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(OtherError, match="too long") as caught:
            async with provider.complete(LONG):
                pass
    assert (caught.value.status, caught.value.sent) == (413, "partly")


def after_the_server(network: MemoryNetwork) -> Dial:
    """Dial, and go on once the server has done all that it can."""

    async def dial(host: str, port: int) -> trio.abc.Stream:
        stream = await network(host, port)
        await wait_all_tasks_blocked()
        return stream

    return dial


@pytest.mark.parametrize("messages", [HELLO, LONG], ids=["short", "long"])
async def test_a_refusal_is_read_after_the_request_could_not_be_sent(
    nursery: trio.Nursery, messages: list[Message]
) -> None:
    """A server that answers and goes away without reading is still heard."""

    async def refuses_unread(peer: ServerSide) -> None:
        await peer.send(refusal(401, "bad key"))

    dial = after_the_server(MemoryNetwork(nursery, refuses_unread))
    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(AuthError, match="bad key") as caught:
            async with provider.complete(messages):
                pass
    assert caught.value.sent == "partly"


@pytest.mark.parametrize("messages", [HELLO, LONG], ids=["short", "long"])
async def test_a_request_that_could_not_be_sent_says_so(
    nursery: trio.Nursery, messages: list[Message]
) -> None:
    """Where no answer came either, the failed send is the failure."""

    async def leaves(peer: ServerSide) -> None:
        """Close at once."""

    dial = after_the_server(MemoryNetwork(nursery, leaves))
    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(NetworkError) as caught:
            async with provider.complete(messages):
                pass
    assert (caught.value.phase, caught.value.sent) == ("send", "partly")


async def test_an_answer_that_begins_early_does_not_stop_the_request(nursery: trio.Nursery) -> None:
    """Only a refusal does: the server may still be reading."""

    async def answers_early(peer: ServerSide) -> None:
        await peer.stream.receive_some(1000)
        await peer.send(answer("a"))
        while len(peer.request) < 1_000_000:
            peer.request += await peer.stream.receive_some()

    dial = MemoryNetwork(nursery, answers_early, lockstep_stream_pair)
    async with streaming(provider_section(), dial, LONG) as stream:
        assert (await stream.collect()).text == "a"


async def test_an_early_answer_that_is_none_does_not_stop_the_request(
    nursery: trio.Nursery,
) -> None:
    """What the peer means by it is told once the request was sent."""

    async def talks_over(peer: ServerSide) -> None:
        await peer.stream.receive_some(1000)
        await peer.send(b"what?\r\n\r\n")
        while len(peer.request) < 1_000_000:
            peer.request += await peer.stream.receive_some()

    dial = MemoryNetwork(nursery, talks_over, lockstep_stream_pair)
    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(MalformedResponseError) as caught:
            async with provider.complete(LONG):
                pass
    assert (caught.value.reason, caught.value.sent) == ("framing", "all")


# Likely mistakes of callers without types


@pytest.mark.parametrize("opening", [HTTPProvider, open_provider])
def test_a_whole_configuration_is_no_section(opening: Callable[[Any], object]) -> None:
    """One word is missing, and the error has it."""
    with pytest.raises(TypeError, match=r"such as config\.provider, not Config$"):
        opening(Config(provider=provider_section()))


async def test_settings_are_no_dictionary() -> None:
    """As they are with other libraries."""
    settings: Any = {"model": "m"}
    async with HTTPProvider(provider_section()) as provider:
        with pytest.raises(TypeError, match=r'such as ProviderConfig\(model="…"\), not dict$'):
            provider.complete(HELLO, settings)


@pytest.mark.parametrize("kind", ["openai-chat", "openai-responses-ws"])
def test_asyncio_is_told_to_be_the_wrong_loop(kind: str) -> None:
    """It is the loop that most programs have, and trio says nothing of it."""
    section = attrs.evolve(provider_section(), kind=kind)

    async def main() -> None:
        async with open_provider(section):
            pass

    with pytest.raises(RuntimeError, match=r"write trio\.run\(main\) in place of asyncio"):
        asyncio.run(main())
