"""`tokenwire_trio.tcp`: from a host's name to a connected stream."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tokenwire_trio.tcp import (
    HAPPY_EYEBALLS_DELAY_S,
    Address,
    NoAddressError,
    connect_tcp,
    resolve,
)


class FakeSocket(trio.socket.SocketType):
    """A socket whose connection attempts go as the test says."""

    def __init__(self, connect: Callable[[str], Awaitable[None]]) -> None:
        self._connect = connect
        self.open = True

    async def connect(self, address: Any) -> None:
        """Do as the test says."""
        await self._connect(address[0])

    def setsockopt(self, *args: Any, **kwargs: Any) -> None:
        """Take any option."""

    @property
    def type(self) -> Any:
        """Be a stream."""
        return trio.socket.SOCK_STREAM

    def getpeername(self) -> Any:
        """Be connected."""
        return ("peer", 1)

    def close(self) -> None:
        """Close it."""
        self.open = False


class FakeNetwork(trio.abc.SocketFactory):
    """Makes fake sockets and remembers them.

    Attributes:
        behaviours: What happens to who connects to an address.
        attempts: When each address was tried.
    """

    def __init__(self) -> None:
        self.behaviours: dict[str, Callable[[], Awaitable[None]]] = {}
        self.attempts: dict[str, float] = {}
        self.sockets: list[FakeSocket] = []

    def socket(self, *args: Any, **kwargs: Any) -> trio.socket.SocketType:
        """Make one."""
        self.sockets.append(FakeSocket(self._connect))
        return self.sockets[-1]

    async def _connect(self, address: str) -> None:
        self.attempts[address] = trio.current_time()
        await self.behaviours[address]()

    def addresses(self, **behaviours: Callable[[], Awaitable[None]]) -> list[Address]:
        """Make addresses, each with what happens to who connects to it."""
        self.behaviours = behaviours
        return [Address(2, 1, 6, (name, 80)) for name in behaviours]

    @property
    def open_sockets(self) -> int:
        """Count those that are not closed."""
        return sum(socket.open for socket in self.sockets)


@pytest.fixture
async def network() -> AsyncGenerator[FakeNetwork, None]:
    """Give a fake network for this test's trio run."""
    network = FakeNetwork()
    trio.socket.set_custom_socket_factory(network)
    yield network
    trio.socket.set_custom_socket_factory(None)


async def accept() -> None:
    """Connect at once."""
    await trio.lowlevel.checkpoint()


async def refuse() -> None:
    """Refuse at once."""
    await trio.lowlevel.checkpoint()
    raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


async def exhaust_memory() -> None:
    """Fail for a reason that is not the network's."""
    raise MemoryError


async def test_the_next_address_follows_at_once_where_one_refuses(
    network: FakeNetwork, autojump_clock: MockClock
) -> None:
    """A refusal costs no delay, and its socket is closed."""
    start = trio.current_time()
    stream = await connect_tcp(network.addresses(first=refuse, second=accept))
    assert trio.current_time() == start
    assert network.open_sockets == 1
    await stream.aclose()


async def test_a_silent_address_does_not_hold_up_the_next(
    network: FakeNetwork, autojump_clock: MockClock
) -> None:
    """The second address is tried after a short while, and the slow attempt is closed."""
    start = trio.current_time()
    stream = await connect_tcp(network.addresses(first=trio.sleep_forever, second=accept))
    assert network.attempts == {"first": start, "second": start + HAPPY_EYEBALLS_DELAY_S}
    assert network.open_sockets == 1
    await stream.aclose()


async def test_a_slow_address_can_still_win(
    network: FakeNetwork, autojump_clock: MockClock
) -> None:
    """The first one goes on while the second is tried."""

    async def accept_slowly() -> None:
        await trio.sleep(2 * HAPPY_EYEBALLS_DELAY_S)

    await connect_tcp(network.addresses(first=accept_slowly, second=trio.sleep_forever))
    assert [socket.open for socket in network.sockets] == [True, False]


async def test_the_error_knows_what_became_of_every_address(network: FakeNetwork) -> None:
    """Where none answers, all that was tried can be told."""
    with pytest.raises(NoAddressError) as caught:
        await connect_tcp(network.addresses(first=refuse, second=refuse))
    assert [(address, error.errno) for address, error in caught.value.attempts] == [
        ("first", errno.ECONNREFUSED),
        ("second", errno.ECONNREFUSED),
    ]
    assert network.open_sockets == 0


@pytest.mark.parametrize("others", [{}, {"other": trio.sleep_forever}])
async def test_what_is_not_the_networks_comes_out_as_it_is(
    network: FakeNetwork, others: dict[str, Callable[[], Awaitable[None]]]
) -> None:
    """A MemoryError in one attempt is neither a group nor a failed address, and closes all."""
    with pytest.raises(MemoryError):
        await connect_tcp(network.addresses(**others, last=exhaust_memory))
    assert network.open_sockets == 0


@pytest.mark.parametrize("names", [["only"], ["first", "second"]])
async def test_cancelling_closes_every_attempt(
    network: FakeNetwork, autojump_clock: MockClock, names: list[str]
) -> None:
    """Nothing is left of a race that was given up."""
    addresses = network.addresses(**dict.fromkeys(names, trio.sleep_forever))
    with trio.move_on_after(1) as scope:
        await connect_tcp(addresses)
    assert scope.cancelled_caught
    assert len(network.sockets) == len(names)
    assert network.open_sockets == 0


async def test_an_only_address_is_connected_to_without_a_race(network: FakeNetwork) -> None:
    """Nobody else runs for it, so no task is started."""

    async def accept_alone() -> None:
        assert trio.lowlevel.current_task() is caller
        await accept()

    caller = trio.lowlevel.current_task()
    await connect_tcp(network.addresses(only=accept_alone))
    assert network.open_sockets == 1


async def test_an_only_address_that_refuses_is_named(network: FakeNetwork) -> None:
    """The error is the same as where several were tried."""
    with pytest.raises(NoAddressError) as caught:
        await connect_tcp(network.addresses(only=refuse))
    assert [address for address, _ in caught.value.attempts] == ["only"]
    assert network.open_sockets == 0


class FakeResolver(trio.abc.HostnameResolver):
    """Answers every look-up with the addresses that the test gives."""

    def __init__(self, *found: tuple[int, str]) -> None:
        self._found = found

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Answer."""
        return [(family, 1, 6, "", (address, 80)) for family, address in self._found]

    async def getnameinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Be never asked."""
        raise NotImplementedError


async def test_the_two_families_are_tried_in_turn() -> None:
    """A network without IPv6 costs one delay, not one for each address."""
    six, four = trio.socket.AF_INET6, trio.socket.AF_INET
    resolver = FakeResolver((six, "a"), (six, "b"), (six, "c"), (four, "d"), (four, "e"))
    trio.socket.set_custom_hostname_resolver(resolver)
    addresses = await resolve("host.example", 80)
    trio.socket.set_custom_hostname_resolver(None)
    assert [address.socket_address[0] for address in addresses] == ["a", "d", "b", "e", "c"]
