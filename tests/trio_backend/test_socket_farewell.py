"""The end of a connection: the server is told, and nobody waits for long."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked
from wsproto.events import CloseConnection

from tests.trio_backend.leaks import nothing_left_behind
from tests.trio_backend.servers import Handler
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    HELLO,
    Peer,
    RawServer,
    SectionOf,
    created,
    ended,
    events,
    raw_handler,
    said,
    socket_provider,
    text_of,
    websocket_handler,
)
from tokenwire.connection_settings import PoolSettings
from tokenwire.messages import Message
from tokenwire_trio.socket_connection import FAREWELL_S


class Witness:
    """A server that notes how its clients leave.

    Args:
        answers: Whether it answers their farewell.
        ends: Whether its answer has an end.

    Attributes:
        codes: With which codes clients closed.
    """

    def __init__(self, *, answers: bool = True, ends: bool = True) -> None:
        self._answers = answers
        self._ends = ends
        self.codes: list[int] = []

    @property
    def handler(self) -> Handler:
        """What plays it."""
        return raw_handler(self._play)

    async def _play(self, server: RawServer) -> None:
        request = await server.receive_request()
        end = [ended(request)] if self._ends else []
        await server.send(*events(created(request), said(request, "Hi"), *end))
        farewell = await self._farewell(server)
        self.codes.append(farewell.code)
        if self._answers:
            await server.send(farewell.response())
        await server.wait_until_client_leaves()

    async def _farewell(self, server: RawServer) -> CloseConnection:
        while True:
            for event in await server.receive():
                if isinstance(event, CloseConnection):
                    return event


@BOTH_WIRES
async def test_the_end_of_the_block_is_told_to_the_server(
    section_of: SectionOf, autojump_clock: MockClock
) -> None:
    """A server that answers at once keeps nobody waiting."""
    witness = Witness()
    began = trio.current_time()
    with nothing_left_behind():
        async with socket_provider(witness.handler, section_of=section_of) as (provider, network):
            assert await text_of(provider) == "Hi"
        assert all(each.closed for each in network.connections)
    assert witness.codes == [1000]
    assert trio.current_time() == began


@BOTH_WIRES
async def test_closing_under_an_answer_is_told_as_well(
    section_of: SectionOf, autojump_clock: MockClock
) -> None:
    """The answer ends at once; the call does not wait for the farewell."""
    witness = Witness(answers=False, ends=False)
    handler = witness.handler
    async with (
        socket_provider(handler, section_of=section_of) as (provider, network),
        trio.open_nursery() as nursery,
        provider.complete(HELLO) as stream,
    ):
        await anext(stream)
        nursery.start_soon(provider.aclose)
        began = trio.current_time()
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)
        assert trio.current_time() == began
    assert network.connections[0].closed
    assert witness.codes == [1000]


async def test_a_server_that_does_not_answer_the_farewell_is_left(
    autojump_clock: MockClock,
) -> None:
    """After a moment, however many connections there are."""
    witness = Witness(answers=False)
    async with socket_provider(witness.handler, quirks={"lanes": 1}) as (provider, network):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(text_of, provider)
        began = trio.current_time()
        await provider.aclose()
        assert trio.current_time() - began == pytest.approx(FAREWELL_S)
        assert [each.closed for each in network.connections] == [True] * 5
    assert witness.codes == [1000] * 5


async def test_a_cancelled_close_closes_at_once(autojump_clock: MockClock) -> None:
    """Whether the end of the block is cancelled, or a call of `aclose`."""
    witness = Witness(answers=False)
    with nothing_left_behind():
        with trio.CancelScope() as scope:
            async with socket_provider(witness.handler) as (provider, network):
                assert await text_of(provider) == "Hi"
                scope.cancel()
        assert scope.cancelled_caught
        async with socket_provider(witness.handler) as (provider, network):
            assert await text_of(provider) == "Hi"
            began = trio.current_time()
            with trio.move_on_after(FAREWELL_S / 2):
                await provider.aclose()
            assert network.connections[0].closed
            assert trio.current_time() - began == pytest.approx(FAREWELL_S / 2)


async def test_a_farewell_waits_for_a_message_that_is_being_written(
    autojump_clock: MockClock,
) -> None:
    """Half a message and a farewell would be neither."""
    codes: list[int] = []
    go_on = trio.Event()

    async def slow(server: RawServer) -> None:
        await go_on.wait()
        while not codes:
            codes.extend(e.code for e in await server.receive() if isinstance(e, CloseConnection))

    async with socket_provider(raw_handler(slow), lockstep_stream_pair) as (provider, _):
        with trio.move_on_after(1):
            await text_of(provider, [Message.user("x" * 100_000)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.aclose)
            await wait_all_tasks_blocked()
            go_on.set()
    assert codes == [1000]


async def test_a_flood_does_not_hold_up_the_farewell(autojump_clock: MockClock) -> None:
    """What comes after the end of the block is thrown away, for as long as there is time."""

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        await peer.begin(request, "r1")
        while True:
            await peer.say(request, "x")
            await trio.sleep(0.001)

    handler = websocket_handler(script)
    async with socket_provider(handler, memory_stream_pair) as (provider, network):
        async with provider.complete(HELLO) as stream:
            await anext(stream)
        began = trio.current_time()
        await provider.aclose()
        assert trio.current_time() - began <= FAREWELL_S
        assert network.connections[0].closed


@pytest.mark.parametrize("rotates", [True, False])
async def test_a_connection_that_is_given_up_says_so(
    rotates: bool, autojump_clock: MockClock
) -> None:
    """For its age, or because there are too many."""
    witness = Witness()
    pool = PoolSettings() if rotates else PoolSettings(max_idle=0)
    handler = witness.handler
    async with socket_provider(handler, pool=pool, quirks={"rotate_after": 5}) as (provider, net):
        assert await text_of(provider) == "Hi"
        await trio.sleep(30 if rotates else 1)
        assert witness.codes == [1000]
        assert net.connections[0].closed


@BOTH_WIRES
async def test_a_ping_in_answer_to_the_farewell_does_no_harm(
    section_of: SectionOf, autojump_clock: MockClock
) -> None:
    """Nobody may answer it any more."""

    async def pings(server: RawServer) -> None:
        request = await server.receive_request()
        await server.send(*events(created(request), said(request, "Hi"), ended(request)))
        await server.receive()
        await server.send_bytes(b"\x89\x00")
        await server.wait_until_client_leaves()

    handler = raw_handler(pings)
    with nothing_left_behind():
        async with socket_provider(handler, section_of=section_of) as (provider, network):
            assert await text_of(provider) == "Hi"
    assert network.connections[0].closed
