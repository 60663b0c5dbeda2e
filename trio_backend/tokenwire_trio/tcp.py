"""TCP: from a host's name to a connected stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, final

import attrs
import trio

from tokenwire_trio.nursery import brief_nursery

#: How long one address may take before the next is tried as well. RFC 8305 section 5 recommends
#: this delay, and browsers use it.
HAPPY_EYEBALLS_DELAY_S: Final = 0.25


@final
@attrs.frozen
class Address:
    """One result of a name look-up."""

    family: int
    socket_type: int
    protocol: int
    socket_address: Any  # its shape depends on the family


async def resolve(host: str, port: int) -> list[Address]:
    """Look a name up.

    Returns:
        Its addresses, the two families in turn (RFC 8305 section 4), the preferred one first.

    Raises:
        socket.gaierror: There is no such name, or nobody to ask.
        UnicodeError: It cannot be a name: a label is empty or too long.
    """
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    addresses = [
        Address(family, kind, protocol, where) for family, kind, protocol, _, where in found
    ]
    preferred = [one for one in addresses if one.family == addresses[0].family]
    others = [one for one in addresses if one.family != addresses[0].family]
    return _in_turn(preferred, others)


def _in_turn(first: Sequence[Address], second: Sequence[Address]) -> list[Address]:
    paired = [address for pair in zip(first, second, strict=False) for address in pair]
    shorter = min(len(first), len(second))
    return [*paired, *first[shorter:], *second[shorter:]]


class NoAddressError(OSError):
    """No address of a host could be reached.

    Attributes:
        attempts: Each address with what became of it.
    """

    def __init__(self, attempts: Sequence[tuple[str, OSError]]) -> None:
        super().__init__(attempts[0][1].errno, "no address could be reached")
        self.attempts: tuple[tuple[str, OSError], ...] = tuple(attempts)


async def connect_tcp(addresses: Sequence[Address]) -> trio.SocketStream:
    """Connect to the first address that answers, trying one after the other (RFC 8305).

    `trio.open_tcp_stream` does this and the name look-up as one step, which would leave errors and
    deadlines unable to say which of the two it was.

    Raises:
        NoAddressError: None did.
    """
    race = _ConnectRace()
    try:
        await race.run(addresses)
        return race.finish()
    finally:
        race.close_losers()


@final
class _ConnectRace:
    def __init__(self) -> None:
        self._open: set[trio.socket.SocketType] = set()
        self._winner: trio.socket.SocketType | None = None
        self._failures: list[tuple[str, OSError]] = []

    async def run(self, addresses: Sequence[Address]) -> None:
        if len(addresses) == 1:
            # A nursery takes as much memory as all else of a call that connects, and many may do
            # so at a time.
            await self._enter(addresses[0])
            return
        async with brief_nursery() as nursery:
            for address in addresses:
                failed = trio.Event()
                nursery.start_soon(self._enter_against_others, address, failed, nursery)
                with trio.move_on_after(HAPPY_EYEBALLS_DELAY_S):
                    await failed.wait()

    async def _enter_against_others(
        self, address: Address, failed: trio.Event, nursery: trio.Nursery
    ) -> None:
        if await self._enter(address):
            nursery.cancel_scope.cancel()
        else:
            failed.set()

    async def _enter(self, address: Address) -> bool:
        try:
            socket = trio.socket.socket(address.family, address.socket_type, address.protocol)
            self._open.add(socket)
            await socket.connect(address.socket_address)
        except OSError as error:
            self._failures.append((str(address.socket_address[0]), error))
            return False
        self._winner = socket
        return True

    def finish(self) -> trio.SocketStream:
        if self._winner is None:
            raise NoAddressError(self._failures)
        stream = trio.SocketStream(self._winner)
        self._open.discard(self._winner)
        return stream

    def close_losers(self) -> None:
        for socket in self._open:
            socket.close()
