"""`tokenwire_trio.stream`: what a caller of an answer can rely on, over connections in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    PING,
    STREAM_HEAD,
    MemoryNetwork,
    ServerSide,
    WatchedStream,
    answer,
    chunk,
    replies,
    sends_and_closes,
    text_event,
)
from tokenwire.errors import MalformedResponseError, NetworkError
from tokenwire.tokens import End, Token
from tokenwire_trio import HTTPProvider, HTTPTokenStream


def texts(tokens: Sequence[Token]) -> list[str]:
    """Return the tokens' texts without the empty one of the end."""
    return [token.text for token in tokens if not isinstance(token, End)]


async def test_tokens_come_in_order_and_end_once(nursery: trio.Nursery) -> None:
    """An answer is its tokens, the End, and then nothing, however often one asks."""
    provider = HTTPProvider(
        provider_section(), dial=MemoryNetwork(nursery, replies(answer("a", "b")))
    )
    async with provider, provider.complete(HELLO) as stream:
        tokens = [token async for token in stream]
        assert texts(tokens) == ["a", "b"]
        assert isinstance(tokens[-1], End)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)


async def test_collect_returns_the_whole_answer(nursery: trio.Nursery) -> None:
    """Tokens that were read one by one before are in it."""
    provider = HTTPProvider(
        provider_section(), dial=MemoryNetwork(nursery, replies(answer("a", "b")))
    )
    async with provider, provider.complete(HELLO) as stream:
        await anext(stream)
        completion = await stream.collect()
        assert (completion.text, completion.finish) == ("ab", "stop")


async def test_a_token_is_returned_before_the_next_one_is_sent(nursery: trio.Nursery) -> None:
    """The server sends token n+1 only once the client has shown token n."""
    shown = {text: trio.Event() for text in "abc"}

    async def waits_for_each(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD)
        for text, event in shown.items():
            await peer.send(chunk(text_event(text)))
            await event.wait()
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, waits_for_each))
    async with provider, provider.complete(HELLO) as stream:
        async for token in stream:
            if not isinstance(token, End):
                shown[token.text].set()


async def test_nothing_behind_the_end_is_waited_for(nursery: trio.Nursery) -> None:
    """A server that holds the connection open after [DONE] holds nobody up."""
    left = trio.Event()

    async def lingers(peer: ServerSide) -> None:
        await replies(STREAM_HEAD + chunk(text_event("a") + FINISH_EVENT + DONE_EVENT))(peer)
        left.set()

    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, lingers))
    async with provider, provider.complete(HELLO) as stream:
        assert texts([token async for token in stream]) == ["a"]
        await left.wait()


async def test_what_came_before_a_failure_is_returned_first(nursery: trio.Nursery) -> None:
    """Tokens of the same read as the failure are not lost, and the failure stays."""
    broken = STREAM_HEAD + chunk(text_event("a")) + chunk(b"data: {no json}\n\n")
    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, replies(broken)))
    async with provider, provider.complete(HELLO) as stream:
        assert (await anext(stream)).text == "a"
        with pytest.raises(MalformedResponseError):
            await anext(stream)
        with pytest.raises(MalformedResponseError) as caught:
            await anext(stream)
        assert (caught.value.reason, caught.value.tokens_emitted) == ("json", 1)
        assert caught.value.in_stream
        assert stream.partial().text == "a"
        assert not stream.partial().complete


async def test_a_cut_body_is_no_success(nursery: trio.Nursery) -> None:
    """A connection that ends within the body is a network error with what it knows."""
    cut = STREAM_HEAD + chunk(text_event("a"))
    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, sends_and_closes(cut)))
    async with provider, provider.complete(HELLO) as stream:
        await anext(stream)
        with pytest.raises(NetworkError) as caught:
            await anext(stream)
    assert (caught.value.phase, caught.value.timeout) == ("body", None)
    assert (caught.value.sent, caught.value.in_stream) == ("all", True)
    assert caught.value.request_id == "req-1"


async def test_a_clean_end_without_a_marker_is_no_success(nursery: trio.Nursery) -> None:
    """A body that is whole by its framing, but no whole answer, is truncated."""
    truncated = STREAM_HEAD + chunk(text_event("a")) + LAST_CHUNK
    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, replies(truncated)))
    async with provider, provider.complete(HELLO) as stream:
        with pytest.raises(MalformedResponseError) as caught:
            await stream.collect()
    assert caught.value.reason == "truncated"


async def test_a_cut_after_the_finish_is_a_success(nursery: trio.Nursery) -> None:
    """With the finish reason the answer is whole, whatever happens to the connection."""
    cut = STREAM_HEAD + chunk(text_event("a") + FINISH_EVENT)
    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, sends_and_closes(cut)))
    async with provider, provider.complete(HELLO) as stream:
        assert (await stream.collect()).complete


async def test_a_cancelled_wait_loses_no_token(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Whoever gives up waiting and asks again later gets every token in order."""

    async def slow(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD)
        for text in "abcdef":
            await trio.sleep(0.75)
            await peer.send(chunk(text_event(text)))
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, slow))
    tokens: list[Token] = []
    async with provider, provider.complete(HELLO) as stream:
        while not (tokens and isinstance(tokens[-1], End)):
            with trio.move_on_after(0.5):
                tokens.append(await anext(stream))
    assert texts(tokens) == list("abcdef")


async def test_a_cancelled_task_takes_no_token_that_is_at_hand(nursery: trio.Nursery) -> None:
    """Cancellation is noticed at every token, also where none has to be waited for."""
    provider = HTTPProvider(
        provider_section(), dial=MemoryNetwork(nursery, replies(answer(*"abc")))
    )
    async with provider, provider.complete(HELLO) as stream:
        assert (await anext(stream)).text == "a"
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(stream)
        assert scope.cancelled_caught
        assert (await anext(stream)).text == "b"


async def test_tokens_of_one_read_cost_no_trip_through_the_scheduler(nursery: trio.Nursery) -> None:
    """Only reading from the network lets other tasks run, as the class says."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    nursery.start_soon(count_turns)
    provider = HTTPProvider(
        provider_section(), dial=MemoryNetwork(nursery, replies(answer(*"abc")))
    )
    async with provider, provider.complete(HELLO) as stream:
        await anext(stream)
        before = turns
        assert texts([await anext(stream), await anext(stream)]) == ["b", "c"]
        assert turns == before
    nursery.cancel_scope.cancel()


async def test_two_readers_at_a_time_are_refused(nursery: trio.Nursery) -> None:
    """The second task is told, and the first one is not disturbed."""

    async def waits(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD)
        await go_on.wait()
        await peer.send(chunk(text_event("a")))
        await peer.wait_until_client_leaves()

    go_on = trio.Event()
    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, waits))
    async with provider, provider.complete(HELLO) as stream, trio.open_nursery() as readers:

        async def read_first() -> None:
            assert (await anext(stream)).text == "a"

        readers.start_soon(read_first)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(stream)
        go_on.set()


async def test_closing_from_another_task_ends_a_wait(nursery: trio.Nursery) -> None:
    """A pending read then ends with ClosedResourceError, and the server sees the connection go."""
    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, replies(STREAM_HEAD)))

    async def read(stream: HTTPTokenStream) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)

    async with provider, provider.complete(HELLO) as stream, trio.open_nursery() as readers:
        readers.start_soon(read, stream)
        await wait_all_tasks_blocked()
        await stream.aclose()


class EndsWhenClosed(WatchedStream):
    """A stream on which closing looks to a pending read like the peer's end."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self._closing = trio.Event()
        self._begun = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive once, and from then on only the end."""
        if not self._begun:
            self._begun = True
            return await super().receive_some(max_bytes)
        with trio.CancelScope(shield=True):
            await self._closing.wait()
        return b""

    async def aclose(self) -> None:
        """Close it."""
        self._closing.set()
        await super().aclose()


async def test_closing_is_never_taken_for_the_peers_end(nursery: trio.Nursery) -> None:
    """Whatever a stream makes of being closed under a read, it is our own doing."""
    network = MemoryNetwork(nursery, replies(STREAM_HEAD))

    async def dial(host: str, port: int) -> trio.abc.Stream:
        return EndsWhenClosed(await network(host, port))

    async with streaming(provider_section(), dial) as stream, trio.open_nursery() as closers:

        async def close() -> None:
            await wait_all_tasks_blocked()
            await stream.aclose()

        closers.start_soon(close)
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)


async def test_a_closed_stream_gives_nothing_more(nursery: trio.Nursery) -> None:
    """Not even tokens that were at hand; closing twice is fine, and partial() still has them."""
    provider = HTTPProvider(
        provider_section(), dial=MemoryNetwork(nursery, replies(answer("a", "b")))
    )
    async with provider, provider.complete(HELLO) as stream:
        await anext(stream)
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)
    assert stream.partial().text == "ab"


async def test_the_response_has_its_facts_and_times(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Status and request id come from the head, times from trio's clock."""

    async def takes_its_time(peer: ServerSide) -> None:
        await peer.read_request()
        await trio.sleep(1)
        await peer.send(STREAM_HEAD + chunk(PING))
        await trio.sleep(1)
        await peer.send(chunk(text_event("a")))
        await trio.sleep(1)
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    provider = HTTPProvider(provider_section(), dial=MemoryNetwork(nursery, takes_its_time))
    async with provider, provider.complete(HELLO) as stream:
        await stream.collect()
        await trio.sleep(1)
    response = stream.response
    assert (response.status, response.request_id) == (200, "req-1")
    times = response.timings
    assert (times.connect, times.first_byte, times.first_token, times.total) == (0, 1, 2, 3)
