"""However a block is left, the connection is closed before the block returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    STREAM_HEAD,
    MemoryNetwork,
    answer,
    chunk,
    replies,
    text_event,
)
from tokenwire.endpoint import Deadlines
from tokenwire.errors import NetworkError
from tokenwire_trio import HTTPProvider, HTTPTokenStream, open_provider

ENDLESS = STREAM_HEAD + chunk(text_event("a"))


class LeftByException(Exception):
    """A program's own."""


async def by_break(stream: HTTPTokenStream) -> None:
    """Stop iterating."""
    async for _ in stream:
        break


async def by_exception(stream: HTTPTokenStream) -> None:
    """Fail in the block."""
    await anext(stream)
    raise LeftByException


async def by_cancellation(stream: HTTPTokenStream) -> None:
    """Be cancelled while waiting for a token."""
    with trio.CancelScope() as scope:
        async for _ in stream:
            scope.cancel()


async def by_deadline(stream: HTTPTokenStream) -> None:
    """Run into a deadline of the endpoint."""
    await stream.collect()


async def by_interrupt(stream: HTTPTokenStream) -> None:
    """Be interrupted by the user."""
    await anext(stream)
    raise KeyboardInterrupt


async def without_reading(stream: HTTPTokenStream) -> None:
    """Change one's mind."""


Leave: TypeAlias = Callable[[HTTPTokenStream], Awaitable[None]]


@pytest.mark.parametrize(
    ("leave", "expected"),
    [
        (by_break, None),
        (by_exception, LeftByException),
        (by_cancellation, None),
        (by_deadline, NetworkError),
        (by_interrupt, KeyboardInterrupt),
        (without_reading, None),
    ],
)
async def test_leaving_closes_the_connection_at_once(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    leave: Leave,
    expected: type[BaseException] | None,
) -> None:
    """Each way out closes before the next line runs, and passes on what went through the block."""
    network = MemoryNetwork(nursery, replies(ENDLESS))
    caught: BaseException | None = None
    async with open_provider(
        provider_section(deadlines=Deadlines(gap=1)), dial=network
    ) as provider:
        try:
            async with provider.complete(HELLO) as stream:
                await leave(stream)
        except (LeftByException, NetworkError, KeyboardInterrupt) as error:
            caught = error
        assert [connection.closed for connection in network.connections] == [True]
    assert type(caught) is (expected or type(None))
    assert caught is None or caught.__context__ is None


async def test_a_cancelled_block_is_left_at_once(nursery: trio.Nursery) -> None:
    """Closing is not put off by a cancellation that is still in force, and lets it through."""
    network = MemoryNetwork(nursery, replies(ENDLESS))
    async with open_provider(provider_section(), dial=network) as provider:
        with trio.CancelScope() as scope:
            async with provider.complete(HELLO) as stream:
                await anext(stream)
                scope.cancel()
                await anext(stream)
        assert scope.cancelled_caught
        assert network.connections[0].closed


async def test_cancelling_while_the_request_is_answered_closes_it(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The connection of a block that was never entered does not stay open."""
    network = MemoryNetwork(nursery, replies(b""))
    async with open_provider(provider_section(), dial=network) as provider:
        with trio.move_on_after(1) as scope:
            async with provider.complete(HELLO):
                pytest.fail("there was no answer")
        assert scope.cancelled_caught
        assert network.connections[0].closed


async def test_a_failure_of_its_own_is_raised_clean_in_mid_exception(nursery: trio.Nursery) -> None:
    """An answer that is closed while an exception passes does not replace it."""
    network = MemoryNetwork(nursery, replies(answer("a")))
    with pytest.raises(LeftByException):
        async with streaming(provider_section(), network):
            raise LeftByException


async def test_the_end_of_the_provider_ends_its_streams(nursery: trio.Nursery) -> None:
    """A stream that another task still reads is closed under it, and new calls are refused."""
    network = MemoryNetwork(nursery, replies(ENDLESS))
    closed = trio.Event()

    async def read(provider: HTTPProvider) -> None:
        with pytest.raises(trio.ClosedResourceError):
            async with provider.complete(HELLO) as stream:
                await stream.collect()
        closed.set()

    async with open_provider(provider_section(), dial=network) as provider:
        nursery.start_soon(read, provider)
        await wait_all_tasks_blocked()
    assert network.connections[0].closed
    await closed.wait()
    with pytest.raises(trio.ClosedResourceError):
        async with provider.complete(HELLO):
            pass


async def test_a_stream_says_so_after_its_provider_closed(nursery: trio.Nursery) -> None:
    """Closing the provider within the block closes the streams that are open."""
    network = MemoryNetwork(nursery, replies(ENDLESS))
    provider = HTTPProvider(provider_section(), dial=network)
    async with provider.complete(HELLO) as stream:
        await anext(stream)
        await provider.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)


async def test_a_connection_that_opens_after_the_end_is_closed(nursery: trio.Nursery) -> None:
    """A provider that ends while a call still connects leaves no connection behind."""
    network = MemoryNetwork(nursery, replies(ENDLESS))
    may_connect = trio.Event()
    refused = trio.Event()

    async def dial_slowly(host: str, port: int) -> trio.abc.Stream:
        await may_connect.wait()
        return await network(host, port)

    async def call(provider: HTTPProvider) -> None:
        with pytest.raises(trio.ClosedResourceError):
            async with provider.complete(HELLO):
                pass
        refused.set()

    async with open_provider(provider_section(), dial=dial_slowly) as provider:
        nursery.start_soon(call, provider)
        await wait_all_tasks_blocked()
    may_connect.set()
    await refused.wait()
    assert network.connections[0].closed


async def test_no_generator_is_left_to_the_garbage_collector(nursery: trio.Nursery) -> None:
    """A stream is an object, so breaking off leaves no half-run generator (PEP 789)."""
    network = MemoryNetwork(nursery, replies(ENDLESS))
    async with streaming(provider_section(), network) as stream:
        assert aiter(stream) is stream
        assert not hasattr(stream, "athrow")
