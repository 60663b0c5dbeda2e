"""`tokenwire_trio.connections`: which connection a call gets, and what becomes of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.leaks import connections_to, news_from
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    STREAM_HEAD,
    MemoryNetwork,
    ServerSide,
    answer,
    chunk,
    keeps_alive,
    refusal,
    replies,
    socket_server,
    text_event,
)
from tokenwire.connection_settings import PoolSettings
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.errors import (
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire_trio import HTTPProvider, open_provider
from tokenwire_trio.call import DRAIN_WAIT_S
from tokenwire_trio.connection import DRAIN_BYTES

ANSWER = answer("a")
UNFINISHED = ANSWER.removesuffix(LAST_CHUNK)
HEAD_OF = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\n")


async def ask(provider: HTTPProvider) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete(HELLO) as stream:
        return (await stream.collect()).text


@pytest.fixture(params=["memory", "tcp", "tls"])
def way(request: pytest.FixtureRequest) -> str:
    """Name the way to the server: each test runs over all of them."""
    return str(request.param)


@pytest.fixture
def serving(way: str, server_context: ssl.SSLContext, ca_file: Path) -> Serving:
    """Give what serves with a handler, and opens a provider for it."""
    return Serving(way, server_context, ca_file)


class Serving:
    """Opens a provider whose server plays a handler.

    Attributes:
        visits: How many connections there were so far.
    """

    def __init__(self, way: str, context: ssl.SSLContext, ca_file: Path) -> None:
        self._way = way
        self._context = context
        self._tls = TLSSettings(ca_file=str(ca_file))
        self._base_url: str | None = None
        self.visits = 0

    @asynccontextmanager
    async def provider(
        self, handler: Callable[[ServerSide], Awaitable[None]], **endpoint: Any
    ) -> AsyncGenerator[HTTPProvider, None]:
        """Serve, and open a provider."""

        async def counted(peer: ServerSide) -> None:
            self.visits += 1
            await handler(peer)

        if self._way == "memory":
            async with trio.open_nursery() as nursery:
                dial = MemoryNetwork(nursery, counted)
                async with open_provider(provider_section(**endpoint), dial=dial) as provider:
                    yield provider
                nursery.cancel_scope.cancel()
            return
        tls = self._context if self._way == "tls" else None
        async with socket_server(counted, tls) as url:
            self._base_url = url
            section = provider_section(url, tls=self._tls, **endpoint)
            async with open_provider(section) as provider:
                yield provider

    async def news(self) -> None:
        """Wait until what the server did has come to the client."""
        await wait_all_tasks_blocked()
        if self._base_url is not None:
            await news_from(self._base_url)


# Used again


async def test_a_connection_is_used_again(serving: Serving) -> None:
    """One after the other need one connection, which costs no time to open the second time."""
    async with serving.provider(keeps_alive(ANSWER)) as provider:
        assert await ask(provider) == "a"
        async with provider.complete(HELLO) as stream:
            await stream.collect()
        assert stream.response.timings.connect is None
    assert serving.visits == 1


async def test_a_connection_is_free_before_its_last_tokens_are_read(serving: Serving) -> None:
    """It is the response that must be complete, not the caller's reading."""
    async with (
        serving.provider(keeps_alive(answer(*"abc"))) as provider,
        provider.complete(HELLO) as first,
    ):
        assert (await anext(first)).text == "a"
        assert await ask(provider) == "abc"
        assert [token.text async for token in first] == ["b", "c", ""]
    assert serving.visits == 1


async def test_a_refusal_read_to_its_end_keeps_the_connection(serving: Serving) -> None:
    """There is nothing wrong with the connection."""
    async with serving.provider(keeps_alive(refusal(429))) as provider:
        for _ in range(2):
            with pytest.raises(RateLimitError):
                await ask(provider)
    assert serving.visits == 1


async def test_calls_at_the_same_time_have_connections_of_their_own(serving: Serving) -> None:
    """And these serve those that follow."""
    async with serving.provider(keeps_alive(ANSWER)) as provider:
        for _ in range(2):
            async with trio.open_nursery() as calls:
                calls.start_soon(ask, provider)
                calls.start_soon(ask, provider)
    assert serving.visits == 2


async def test_the_end_of_the_body_is_waited_for_after_the_end_of_the_answer(
    serving: Serving,
) -> None:
    """The `End` comes at once, and the connection is used again when its last chunk has come."""
    got_end = trio.Event()

    async def late(peer: ServerSide) -> None:
        while await peer.receive_request():
            await peer.send(UNFINISHED)
            await got_end.wait()
            await peer.send(LAST_CHUNK)

    async with serving.provider(late) as provider:
        for _ in range(2):
            async with provider.complete(HELLO) as stream:
                assert [(await anext(stream)).text for _ in range(2)] == ["a", ""]
                got_end.set()
    assert serving.visits == 1


async def test_the_end_of_the_body_is_not_waited_for_long(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A server that holds the connection open costs a tenth of a second, and the connection."""
    network = MemoryNetwork(nursery, replies(UNFINISHED))
    async with open_provider(provider_section(), dial=network) as provider:
        for _ in range(2):
            began = trio.current_time()
            assert await ask(provider) == "a"
            assert trio.current_time() - began == pytest.approx(DRAIN_WAIT_S)
    assert len(network.connections) == 2


async def test_a_body_that_goes_on_behind_the_answer_is_cut_off(nursery: trio.Nursery) -> None:
    """However fast it comes, no more than a bounded part of it is read."""
    sent = 0

    async def floods(peer: ServerSide) -> None:
        nonlocal sent
        await peer.read_request()
        await peer.send(UNFINISHED)
        while True:
            await peer.send(chunk(b":" * 10_000))
            sent += 10_000

    network = MemoryNetwork(nursery, floods, partial(trio.testing.lockstep_stream_pair))
    async with open_provider(provider_section(), dial=network) as provider:
        assert await ask(provider) == "a"
        assert network.connections[0].closed
    assert sent <= DRAIN_BYTES + 2 * 10_000


async def test_nobody_waits_for_the_end_of_the_body_when_cancelled(nursery: trio.Nursery) -> None:
    """The connection is closed at once, and the cancellation goes on."""
    network = MemoryNetwork(nursery, replies(UNFINISHED))
    async with open_provider(provider_section(), dial=network) as provider:
        with trio.CancelScope() as scope:
            async with provider.complete(HELLO) as stream:
                await anext(stream)
                await anext(stream)
                scope.cancel()
        assert scope.cancelled_caught
        assert network.connections[0].closed


async def test_closing_from_another_task_ends_the_waiting_for_the_body(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Whoever closes a stream finds it closed, although its block is about to wait."""
    network = MemoryNetwork(nursery, replies(UNFINISHED))
    async with open_provider(provider_section(), dial=network) as provider:
        async with provider.complete(HELLO) as stream:
            await anext(stream)
            await anext(stream)

            async def close() -> None:
                await trio.sleep(0.05)
                await stream.aclose()
                assert network.connections[0].closed

            nursery.start_soon(close)
        assert trio.current_time() == pytest.approx(0.05)


# Not used again


def with_header(line: bytes, body: bytes = b"data: [DONE]\n\n") -> bytes:
    """Write a response with another header."""
    data = text_event("a") + FINISH_EVENT + body
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + line + b"\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(data) + data


UNFIT = {
    "surplus bytes": ANSWER + b"HTTP/1.1 200 OK\r\n",
    "a second response": ANSWER + answer("never asked for"),
    "a surplus line end": ANSWER + b"\r\n",
    "Connection: close": with_header(b"connection: close"),
    "HTTP/1.0": with_header(b"x: y").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a body without length": b"HTTP/1.0 200 OK\r\n\r\n" + text_event("a") + DONE_EVENT,
    "a body longer than its length": with_header(b"x: y") + b"\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


@pytest.mark.parametrize("response", UNFIT.values(), ids=UNFIT.keys())
async def test_an_unfit_connection_is_not_used_again(serving: Serving, response: bytes) -> None:
    """What its server said speaks against it, or there is more than should be."""
    async with serving.provider(replies(response)) as provider:
        for _ in range(2):
            try:
                assert await ask(provider) == "a"
            except ProviderError:
                assert response.startswith(b"HTTP/1.1 101")
    assert serving.visits == 2


BROKEN = {
    "no JSON": STREAM_HEAD + chunk(b"data: {\n\n") + LAST_CHUNK,
    "truncated": STREAM_HEAD + chunk(text_event("a")) + LAST_CHUNK,
    "compressed": HEAD_OF + b"content-encoding: gzip\r\n\r\n" + LAST_CHUNK,
}


@pytest.mark.parametrize("response", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_ends_its_connection(serving: Serving, response: bytes) -> None:
    """A server that sends one is not trusted with the framing either."""
    async with serving.provider(replies(response)) as provider:
        for _ in range(2):
            with pytest.raises(MalformedResponseError):
                await ask(provider)
    assert serving.visits == 2


async def test_an_answer_that_was_not_read_to_its_end_ends_its_connection(serving: Serving) -> None:
    """The rest of it would pass for the next one."""
    endless = STREAM_HEAD + chunk(text_event("a"))
    async with serving.provider(replies(endless)) as provider:
        for _ in range(2):
            async with provider.complete(HELLO) as stream:
                await anext(stream)
    assert serving.visits == 2


async def test_a_refusal_before_the_request_was_read_ends_its_connection(
    nursery: trio.Nursery,
) -> None:
    """The rest of the request was never sent, and would be missed."""

    async def refuses_early(peer: ServerSide) -> None:
        await peer.stream.receive_some(100)
        await peer.send(refusal(413))
        await trio.sleep_forever()

    network = MemoryNetwork(nursery, refuses_early, trio.testing.lockstep_stream_pair)
    section = provider_section(headers={"x-long": "y" * 100_000})
    async with open_provider(section, dial=network) as provider:
        with pytest.raises(OtherError):
            await ask(provider)
        assert network.connections[0].closed


# Stale


@pytest.mark.parametrize("farewell", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"\r\n"])
async def test_a_stale_connection_is_replaced_before_a_byte_is_sent(
    serving: Serving, farewell: bytes
) -> None:
    """Whether its server ended it, or said something first that nobody asked for."""
    requests: list[bytes] = []
    may_go = trio.Event()
    gone = trio.Event()

    async def goes_after_one(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        await peer.send(ANSWER)
        if serving.visits == 1:
            await may_go.wait()
            if farewell:
                await peer.send(farewell)
            await peer.stream.aclose()
            gone.set()
        else:
            await peer.wait_until_client_leaves()

    async with serving.provider(goes_after_one) as provider:
        assert await ask(provider) == "a"
        may_go.set()
        await gone.wait()
        await serving.news()
        assert await ask(provider) == "a"
    assert (serving.visits, len(requests)) == (2, 2)


async def test_every_stale_connection_is_replaced(nursery: trio.Nursery) -> None:
    """However many of them there are."""
    asked = 0
    gone = trio.Event()

    async def goes(peer: ServerSide) -> None:
        nonlocal asked
        await peer.read_request()
        asked += 1
        await peer.send(ANSWER)
        await gone.wait()

    network = MemoryNetwork(nursery, goes)
    async with open_provider(provider_section(), dial=network) as provider:
        await provider.warm(3)
        async with trio.open_nursery() as calls:
            for _ in range(3):
                calls.start_soon(ask, provider)
        gone.set()
        await wait_all_tasks_blocked()
        assert await ask(provider) == "a"
        assert [connection.closed for connection in network.connections[:3]] == [True] * 3
    assert (asked, len(network.connections)) == (4, 4)


async def test_nothing_is_repeated_once_a_byte_was_sent(nursery: trio.Nursery) -> None:
    """A connection that ends under a request may have carried it: the caller decides."""
    asked = 0

    async def ends_under_the_second(peer: ServerSide) -> None:
        nonlocal asked
        await peer.read_request()
        await peer.send(ANSWER)
        await peer.receive_request()
        asked += 1

    network = MemoryNetwork(nursery, ends_under_the_second)
    async with open_provider(provider_section(), dial=network) as provider:
        await ask(provider)
        with pytest.raises(NetworkError, match="closed the connection") as caught:
            await ask(provider)
    assert (caught.value.sent, caught.value.retryable) == ("all", True)
    assert (asked, len(network.connections)) == (1, 1)


async def test_an_idle_connection_expires(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """It is used until then, closed by the call that comes later, and its time begins anew."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    section = provider_section(pool=PoolSettings(idle_expiry=5))
    async with open_provider(section, dial=network) as provider:
        for _ in range(3):
            await ask(provider)
            await trio.sleep(4.9)
        assert len(network.connections) == 1
        await ask(provider)
        await trio.sleep(5)
        await ask(provider)
        assert [connection.closed for connection in network.connections] == [True, False]


@pytest.mark.parametrize(("max_idle", "kept"), [(0, 0), (1, 1), (5, 3)])
async def test_only_so_many_idle_connections_are_kept(
    nursery: trio.Nursery, max_idle: int, kept: int
) -> None:
    """The others are closed when their answers are complete."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    section = provider_section(pool=PoolSettings(max_idle=max_idle))
    async with open_provider(section, dial=network) as provider:
        async with trio.open_nursery() as calls:
            for _ in range(3):
                calls.start_soon(ask, provider)
        assert sum(not connection.closed for connection in network.connections) == kept


async def test_idle_connections_are_closed_with_the_provider(
    server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """At the end of its block, before anything else happens."""
    tls = TLSSettings(ca_file=str(ca_file))
    async with socket_server(keeps_alive(ANSWER), server_context) as url:
        async with open_provider(provider_section(url, tls=tls)) as provider:
            await provider.warm(2)
            assert connections_to(url) == 2
        assert connections_to(url) == 0


# No more than so many


async def test_calls_beyond_the_limit_wait_in_line(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """First come, first served, without a timeout; the connect deadline does not run meanwhile."""
    order: list[int] = []

    async def slow(peer: ServerSide) -> None:
        while await peer.receive_request():
            await trio.sleep(100)
            await peer.send(ANSWER)

    async def call(provider: HTTPProvider, number: int) -> None:
        async with provider.complete(HELLO) as stream:
            order.append(number)
            await stream.collect()

    network = MemoryNetwork(nursery, slow)
    section = provider_section(
        pool=PoolSettings(max_connections=1), deadlines=Deadlines(connect=1, first_byte=101)
    )
    async with open_provider(section, dial=network) as provider, trio.open_nursery() as calls:
        for number in range(6):
            calls.start_soon(call, provider, number)
            await wait_all_tasks_blocked()
    assert order == list(range(6))
    assert len(network.connections) == 1


async def test_waiting_for_a_connection_may_have_a_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It is told by its name, and the call that waited behind goes on."""
    network = MemoryNetwork(nursery, replies(STREAM_HEAD))
    section = provider_section(
        pool=PoolSettings(max_connections=1), deadlines=Deadlines(pool=3, total=60)
    )
    async with open_provider(section, dial=network) as provider, provider.complete(HELLO):
        began = trio.current_time()
        with pytest.raises(NetworkError, match="waiting for a free connection") as caught:
            await ask(provider)
        assert trio.current_time() - began == pytest.approx(3)
    error = caught.value
    assert (error.phase, error.timeout, error.sent) == ("pool", "pool", "nothing")


async def test_who_is_cancelled_in_line_takes_no_place(nursery: trio.Nursery) -> None:
    """The next one in line gets it."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    section = provider_section(pool=PoolSettings(max_connections=1))
    answers: list[str] = []

    async def call(scope: trio.CancelScope) -> None:
        with scope:
            answers.append(await ask(provider))

    async with open_provider(section, dial=network) as provider:
        async with trio.open_nursery() as calls, provider.complete(HELLO):
            scopes = [trio.CancelScope() for _ in range(3)]
            for scope in scopes:
                calls.start_soon(call, scope)
                await wait_all_tasks_blocked()
            scopes[1].cancel()
        assert answers == ["a", "a"]
        assert await ask(provider) == "a"


async def test_a_failed_dial_gives_its_place_back(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """As does one that is cancelled."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    fates = iter(["fails", "hangs"])

    async def dial(host: str, port: int) -> trio.abc.Stream:
        match next(fates, "works"):
            case "fails":
                raise OSError("no")
            case "hangs":
                await trio.sleep_forever()
                raise AssertionError
            case _:
                return await network(host, port)

    section = provider_section(pool=PoolSettings(max_connections=1))
    async with open_provider(section, dial=dial) as provider:
        with pytest.raises(NetworkError):
            await ask(provider)
        with trio.move_on_after(0.01):
            await ask(provider)
        assert await ask(provider) == "a"


async def test_who_waits_in_line_hears_of_the_providers_end(nursery: trio.Nursery) -> None:
    """There will be no connection any more."""
    network = MemoryNetwork(nursery, replies(STREAM_HEAD))
    section = provider_section(pool=PoolSettings(max_connections=1))
    told = trio.Event()

    async def call(provider: HTTPProvider) -> None:
        with pytest.raises(trio.ClosedResourceError, match="provider is closed"):
            await ask(provider)
        told.set()

    async with open_provider(section, dial=network) as provider:
        await provider.complete(HELLO).__aenter__()
        nursery.start_soon(call, provider)
        await wait_all_tasks_blocked()
    await told.wait()


# Ahead of calls


async def test_warm_connections_cost_a_call_nothing(serving: Serving) -> None:
    """They are opened at the same time, and used as if an answer had come over them."""
    async with serving.provider(keeps_alive(ANSWER)) as provider:
        await provider.warm(2)
        await wait_all_tasks_blocked(0.01)  # TLS 1.3: for the tickets that servers send then
        async with provider.complete(HELLO) as one, provider.complete(HELLO) as other:
            assert one.response.timings.connect is other.response.timings.connect is None
        assert serving.visits == 2


async def test_idle_connections_count_as_warm(nursery: trio.Nursery) -> None:
    """Only those that are missing are opened."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    async with open_provider(provider_section(), dial=network) as provider:
        await ask(provider)
        await provider.warm(2)
        await provider.warm()
    assert len(network.connections) == 2


async def test_warming_up_keeps_to_the_limit(nursery: trio.Nursery) -> None:
    """It waits for nobody: connections that are in use will be warm."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    section = provider_section(pool=PoolSettings(max_connections=2))
    async with open_provider(section, dial=network) as provider:
        async with provider.complete(HELLO):
            await provider.warm(2)
            await provider.warm(2)
        assert len(network.connections) == 2
        with pytest.raises(ValueError, match="from 1 to 2"):
            await provider.warm(3)
        with pytest.raises(ValueError, match="from 1 to 2"):
            await provider.warm(0)


async def test_a_server_that_cannot_be_reached_is_told_when_warming_up(
    nursery: trio.Nursery,
) -> None:
    """As by a call; what could be opened is kept."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))

    fates = iter(["works"])

    async def dial(host: str, port: int) -> trio.abc.Stream:
        if next(fates, "fails") == "fails":
            raise OSError("no")
        return await network(host, port)

    async with open_provider(provider_section(), dial=dial) as provider:
        with pytest.raises(NetworkError) as caught:
            await provider.warm(2)
        assert (caught.value.provider, caught.value.phase) == ("openai-chat", "tcp")
        assert await ask(provider) == "a"


async def test_a_closed_provider_does_not_warm_up() -> None:
    """It opens nothing any more."""
    provider = HTTPProvider(provider_section())
    await provider.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await provider.warm()
