"""Each deadline by its name, to the millisecond, against servers that are slow in every way."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    PING,
    STREAM_HEAD,
    Handler,
    MemoryNetwork,
    ServerSide,
    chunk,
    replies,
    text_event,
)
from tokenwire.endpoint import Deadlines
from tokenwire.errors import NetworkError
from tokenwire.messages import Message
from tokenwire_trio import open_provider
from tokenwire_trio.dialing import Dial


async def hang(host: str, port: int) -> trio.abc.Stream:
    """Never connect."""
    await trio.sleep_forever()
    raise AssertionError


async def reads_nothing(peer: ServerSide) -> None:
    """Accept a connection and do nothing with it."""
    await trio.sleep_forever()


async def pings(peer: ServerSide) -> None:
    """Say every tenth of a second that one is still there."""
    await replies_now(peer, b"")
    while True:
        await peer.send(chunk(PING))
        await trio.sleep(0.1)


async def pings_after_a_token(peer: ServerSide) -> None:
    """Send one token, and then only that one is still there."""
    await replies_now(peer, chunk(text_event("a")))
    while True:
        await peer.send(chunk(PING))
        await trio.sleep(0.1)


async def drips_tokens(peer: ServerSide) -> None:
    """Send a token every tenth of a second, for ever."""
    await replies_now(peer, b"")
    while True:
        await peer.send(chunk(text_event("a")))
        await trio.sleep(0.1)


async def drips_its_head(peer: ServerSide) -> None:
    """Send the response head a byte a time, each within any deadline for a read."""
    await peer.read_request()
    for byte in STREAM_HEAD * 100:
        await peer.send(bytes([byte]))
        await trio.sleep(0.1)


async def replies_now(peer: ServerSide, body: bytes) -> None:
    """Read the request and begin an answer."""
    await peer.read_request()
    await peer.send(STREAM_HEAD + body)


async def measure(dial: Dial, deadlines: Deadlines) -> tuple[NetworkError, float]:
    """Make a call that runs into a deadline, and return its error and how long it took."""
    started = trio.current_time()
    with pytest.raises(NetworkError) as caught:
        await read(dial, deadlines)
    return caught.value, trio.current_time() - started


async def read(dial: Dial, deadlines: Deadlines) -> None:
    """Read an answer to the end; its request is too long to be sent unwatched."""
    section = provider_section(deadlines=deadlines)
    async with streaming(section, dial, [Message.user("x" * 100_000)]) as stream:
        await stream.collect()


async def test_connecting_has_a_deadline(autojump_clock: MockClock) -> None:
    """It covers everything up to a usable connection, and nothing was sent."""
    error, seconds = await measure(hang, Deadlines(connect=2))
    assert (error.timeout, error.phase, error.sent, seconds) == ("connect", "tcp", "nothing", 2)
    assert error.retryable


async def test_a_handshake_is_part_of_connecting(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A server that accepts and then is silent is told from one that cannot be reached."""
    network = MemoryNetwork(nursery, reads_nothing)
    section = provider_section("https://host.example", deadlines=Deadlines(connect=2))
    async with open_provider(section, dial=network) as provider:
        with pytest.raises(NetworkError) as caught:
            async with provider.complete(HELLO):
                pass
    assert (caught.value.timeout, caught.value.phase) == ("connect", "tls")
    assert network.connections[0].closed
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("deadline", ["send", "total"])
async def test_sending_has_a_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock, deadline: str
) -> None:
    """A server that reads nothing is given up, and how much was sent is not known."""
    network = MemoryNetwork(nursery, reads_nothing, lockstep_stream_pair)
    error, seconds = await measure(network, Deadlines(**{deadline: 2}))
    assert (error.timeout, error.phase, error.sent, seconds) == (deadline, "send", "partly", 2)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("deadline", ["first_byte", "first_token", "total"])
@pytest.mark.parametrize("handler", [replies(), drips_its_head], ids=["silent", "dripping"])
async def test_the_head_has_a_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock, deadline: str, handler: Handler
) -> None:
    """Bytes that trickle in do not put it off."""
    network = MemoryNetwork(nursery, handler)
    error, seconds = await measure(network, Deadlines(**{deadline: 2}))
    assert (error.timeout, error.phase, error.sent, seconds) == (deadline, "head", "all", 2)


@pytest.mark.parametrize("deadline", ["first_token", "total"])
async def test_the_first_token_has_a_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock, deadline: str
) -> None:
    """Keep-alives are no token."""
    error, seconds = await measure(MemoryNetwork(nursery, pings), Deadlines(**{deadline: 2}))
    assert (error.timeout, error.phase, seconds) == (deadline, "body", 2)
    assert (error.in_stream, error.tokens_emitted) == (True, 0)


@pytest.mark.parametrize("deadline", ["gap", "total"])
async def test_the_gap_between_tokens_has_a_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock, deadline: str
) -> None:
    """Keep-alives do not put it off either."""
    network = MemoryNetwork(nursery, pings_after_a_token)
    error, seconds = await measure(network, Deadlines(**{deadline: 2}))
    assert (error.timeout, error.phase, seconds) == (deadline, "body", 2)
    assert (error.in_stream, error.tokens_emitted) == (True, 1)


async def test_the_whole_call_has_a_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Tokens that keep coming do not put it off."""
    error, seconds = await measure(MemoryNetwork(nursery, drips_tokens), Deadlines(gap=1, total=2))
    assert (error.timeout, seconds) == ("total", 2)
    assert error.tokens_emitted == 20


async def test_a_deadline_leaves_quick_answers_alone(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A gap is between two tokens, not since the beginning."""

    async def steady(peer: ServerSide) -> None:
        await replies_now(peer, b"")
        for text in "abc":
            await trio.sleep(0.75)
            await peer.send(chunk(text_event(text)))
        await trio.sleep(0.75)
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    section = provider_section(deadlines=Deadlines(first_token=1, gap=1, total=3.5))
    async with streaming(section, MemoryNetwork(nursery, steady)) as stream:
        assert (await stream.collect()).text == "abc"


async def test_a_slow_reader_meets_no_gap(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """The time that a caller spends on a token is not the server's."""
    texts = b"".join(chunk(text_event(text)) for text in "ab")

    async def steady(peer: ServerSide) -> None:
        await replies_now(peer, texts)
        await trio.sleep(5)
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    section = provider_section(deadlines=Deadlines(gap=1))
    async with streaming(section, MemoryNetwork(nursery, steady)) as stream:
        async for _ in stream:
            await trio.sleep(2.25)


async def test_the_callers_own_deadline_stays_the_callers(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A scope around the call that runs out first is no NetworkError."""
    network = MemoryNetwork(nursery, pings_after_a_token)
    with pytest.raises(trio.TooSlowError), trio.fail_after(1):
        await read(network, Deadlines(gap=2))


async def test_a_scope_may_end_between_two_tokens(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """No scope of ours is open between two calls, so the caller's need not nest with it."""
    section = provider_section(deadlines=Deadlines(gap=1, total=10))
    async with streaming(section, MemoryNetwork(nursery, drips_tokens)) as stream:
        for _ in range(3):
            with trio.fail_after(1):
                await anext(stream)
            await trio.sleep(1)


async def test_the_total_deadline_covers_connecting(autojump_clock: MockClock) -> None:
    """It is named where it comes before the connect deadline."""
    error, seconds = await measure(hang, Deadlines(connect=5, total=2))
    assert (error.timeout, error.phase, error.sent, seconds) == ("total", "tcp", "nothing", 2)
