"""`tokenwire_trio.keep_alive`: servers that keep connections, and such as only say so."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import (
    MemoryNetwork,
    ServerSide,
    answer,
    keeps_alive,
)
from tokenwire.errors import NetworkError
from tokenwire_trio import HTTPProvider, open_provider
from tokenwire_trio.keep_alive import PROBATION_S

ANSWER = answer("a")
#: With the field by which servers announce limits of their own.
LIMITED_ANSWER = ANSWER.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=5, max=100\r\n\r\n", 1)


async def seconds_of_call(provider: HTTPProvider) -> float:
    """Make a call, read its answer to the end, and tell how long that took."""
    began = trio.current_time()
    async with provider.complete(HELLO) as stream:
        assert (await stream.collect()).text == "a"
    return trio.current_time() - began


class EndsLate:
    """Plays a server that ends each connection a moment after its answer, without a word before.

    Args:
        response: The answer.
        after_s: How long that moment is.
    """

    def __init__(self, response: bytes, after_s: float) -> None:
        self._response = response
        self._after_s = after_s

    async def __call__(self, peer: ServerSide) -> None:
        """Play it on one connection."""
        await peer.read_request()
        await peer.send(self._response)
        await trio.sleep(self._after_s)


async def test_a_server_without_limits_is_trusted_at_once(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """No call waits."""
    network = MemoryNetwork(nursery, keeps_alive(ANSWER))
    async with open_provider(provider_section(), dial=network) as provider:
        assert [await seconds_of_call(provider) for _ in range(3)] == [0, 0, 0]
    assert len(network.connections) == 1


async def test_a_server_with_limits_is_watched_until_it_has_kept_a_connection(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Only the first connection that is used again may have to wait."""
    network = MemoryNetwork(nursery, keeps_alive(LIMITED_ANSWER))
    async with open_provider(provider_section(), dial=network) as provider:
        waited = [await seconds_of_call(provider) for _ in range(4)]
    assert waited == pytest.approx([0, PROBATION_S, 0, 0])
    assert len(network.connections) == 1


async def test_a_connection_that_was_idle_for_a_moment_is_not_watched(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It has stood long enough already, and speaks for the others."""
    network = MemoryNetwork(nursery, keeps_alive(LIMITED_ANSWER))
    async with open_provider(provider_section(), dial=network) as provider:
        await seconds_of_call(provider)
        await trio.sleep(PROBATION_S)
        assert [await seconds_of_call(provider) for _ in range(3)] == [0, 0, 0]
    assert len(network.connections) == 1


async def test_a_warm_connection_is_not_watched(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """No answer has come over it, so there is none after which it might end."""
    network = MemoryNetwork(nursery, keeps_alive(LIMITED_ANSWER))
    async with open_provider(provider_section(), dial=network) as provider:
        await provider.warm()
        assert await seconds_of_call(provider) == 0


async def test_a_server_that_does_not_keep_connections_is_not_asked_to(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The first end is awaited, since it may be slower than the next call; the others need not be.

    After a minute it is given another chance.
    """
    network = MemoryNetwork(nursery, EndsLate(LIMITED_ANSWER, 0.04))
    async with open_provider(provider_section(), dial=network) as provider:
        waited = [await seconds_of_call(provider) for _ in range(4)]
        assert waited == pytest.approx([0, PROBATION_S, 0, 0])
        assert all(connection.closed for connection in network.connections)
        await trio.sleep(60)
        await seconds_of_call(provider)
        assert not network.connections[-1].closed
    assert len(network.connections) == 5


async def test_one_early_end_is_reason_to_doubt_any_server(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """None of its connections is kept for a minute, and those after that are watched."""
    network = MemoryNetwork(nursery, EndsLate(ANSWER, 0.04))
    async with open_provider(provider_section(), dial=network) as provider:
        await seconds_of_call(provider)
        await trio.sleep(0.045)
        waited = [await seconds_of_call(provider) for _ in range(2)]
        assert all(connection.closed for connection in network.connections)
        await trio.sleep(60)
        waited += [await seconds_of_call(provider) for _ in range(2)]
    assert waited == pytest.approx([0, 0, 0, PROBATION_S])
    assert len(network.connections) == 5


async def test_a_request_that_was_lost_is_the_last_one(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """An end that crossed with a request is told to the caller, and remembered."""
    network = MemoryNetwork(nursery, EndsLate(ANSWER, 0.04))
    async with open_provider(provider_section(), dial=network) as provider:
        await seconds_of_call(provider)
        with pytest.raises(NetworkError) as caught:
            await seconds_of_call(provider)
        assert caught.value.sent == "all"
        for _ in range(3):
            await seconds_of_call(provider)
    assert len(network.connections) == 4


async def test_a_first_request_without_an_answer_says_nothing_of_keeping(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nothing had been promised."""
    visits = 0

    async def goes_once(peer: ServerSide) -> None:
        nonlocal visits
        visits += 1
        if visits > 1:
            await keeps_alive(ANSWER)(peer)

    network = MemoryNetwork(nursery, goes_once)
    async with open_provider(provider_section(), dial=network) as provider:
        with pytest.raises(NetworkError):
            await seconds_of_call(provider)
        for _ in range(3):
            await seconds_of_call(provider)
    assert len(network.connections) == 2


async def test_an_end_after_long_idling_says_nothing_of_the_server(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """All servers tidy up."""

    async def tidies_up(peer: ServerSide) -> None:
        with trio.move_on_after(2):
            await keeps_alive(ANSWER)(peer)

    network = MemoryNetwork(nursery, tidies_up)
    async with open_provider(provider_section(), dial=network) as provider:
        for _ in range(3):
            await seconds_of_call(provider)
            await trio.sleep(1.5)
        assert len(network.connections) == 2
        assert not network.connections[-1].closed
