"""The WebSockets of one provider: opened when needed, shared by calls, replaced when old or lost.

A call goes to the connection that holds its conversation; else to one that has room and nothing in
it that would get into the answer; else it opens one, unless those that are being opened already
will have room for everybody who waits. Where a setting is part of the address, only connections to
the same address are meant.

Calls wait in a line: only the first for each address looks for room, and who opens a connection has
left it. Where there may be no more connections, the idle one that was used longest ago makes room.
So it does where more are idle than are to be kept.

One address must not keep the others out, nor hold them up. Who needs a connection that there is no
place for is promised one of those that are open, while it is still busy: the one used longest ago,
which takes no requests of those who came later. All others go on meanwhile, so that nobody waits
for more than what is under way on one connection, and for those who came before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import inf
from typing import Final, final

import attrs
import trio

from tokenwire.endpoint import Endpoint
from tokenwire.errors import NetworkError, ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.session import SocketWire
from tokenwire_trio.closing import close_now
from tokenwire_trio.deadlines import CallClock, Limit
from tokenwire_trio.dialing import Dialer
from tokenwire_trio.failures import attempt
from tokenwire_trio.progress import Observer, Progress
from tokenwire_trio.socket_connection import SocketConnection
from tokenwire_trio.socket_line import Line, Place, Wanted
from tokenwire_trio.socket_refusal import Refusal

#: Trips through the scheduler that an idle connection gets to deal with what has come on it: to
#: read it, to answer a close frame, to hand a message on. Where nobody can tell whether something
#: has, as over a stream of the program's own, each call makes them all: some 0.1 ms.
_TRIPS: Final = 10


@final
class SocketPool:
    """Opens connections, finds the best one for a call, and lets none outlive the provider.

    Args:
        wire: The wire format.
        endpoint: Where they lead.
        dialer: Opens the streams.
        observer: Watches every call.
    """

    def __init__(
        self,
        wire: SocketWire,
        endpoint: Endpoint,
        dialer: Dialer,
        observer: Observer | None = None,
    ) -> None:
        self._wire = wire
        self._most = endpoint.pool.max_connections or inf
        self._most_idle = endpoint.pool.max_idle
        self._answers_at_once = wire.answers_at_once(endpoint.quirks)
        self._dialer = dialer
        self._observer = observer
        self._nursery: trio.Nursery | None = None
        # All that are open, those that take nothing more included; the one used last is the last.
        self._connections: list[SocketConnection] = []
        self._unopened: set[SocketConnection] = set()
        self._opening: Counter[str] = Counter()  # how many to each address
        self._line = Line()
        self._closed = False

    def run_in(self, nursery: trio.Nursery) -> None:
        """Let connections run in this nursery, which must outlive the pool."""
        self._nursery = nursery

    def progress(self) -> Progress:
        """Return the progress of a call that is about to begin."""
        return Progress(str(self._dialer.origin), observer=self._observer)

    def prepare(self) -> None:
        """Check what can be checked before a byte moves.

        Raises:
            ConfigError: If the settings cannot be used.
            RuntimeError: If the provider's block was not entered.
            trio.ClosedResourceError: If the provider is closed.
        """
        self.check_open()
        if self._nursery is None:
            raise RuntimeError("a provider over sockets works only inside its `async with` block")
        self._dialer.prepare()

    def check_open(self) -> None:
        """Check that the provider is not closed.

        Raises:
            trio.ClosedResourceError: If it is.
        """
        if self._closed:
            raise trio.ClosedResourceError("the provider is closed")

    async def find(
        self,
        messages: Sequence[Message],
        config: ProviderConfig,
        *,
        endpoint: Endpoint,
        request: HTTPRequest,
        progress: Progress,
        clock: CallClock,
    ) -> SocketConnection | Refusal | ProviderError:
        """Find or open a connection that takes a request now.

        Args:
            messages: The conversation.
            config: The settings of the call.
            endpoint: With the credential itself.
            request: What asks for a new connection.
            progress: The call's.
            clock: The call's.

        Returns:
            The connection, to be used before anything else happens; or why there is none.

        Raises:
            trio.ClosedResourceError: The provider is closed, or was closed meanwhile.
        """
        limit = clock.pool_limit()
        wanted = Wanted(request.url, messages, config)
        found = await self._wait_in_line(wanted, limit, progress)
        if found is not None:
            return found
        return await self._open(endpoint, request, progress, clock)

    async def _wait_in_line(
        self, wanted: Wanted, limit: Limit, progress: Progress
    ) -> SocketConnection | Refusal | ProviderError | None:
        """Wait for a connection with room; None if it is time to open one."""
        holding = await _look_twice(partial(self._holding, wanted))
        if holding is not None:
            return holding
        with self._line.place(wanted) as place:
            while True:  # noqa: ASYNC913  # who finds something need not wait
                self.check_open()
                if place.failure is not None:
                    return place.failure
                if self._line.first(wanted.url) is place:
                    connection = await _look_twice(partial(self._best, place))
                    if connection is not None or self._may_open(place):
                        return connection
                    self._make_room(place)
                place.called = trio.Event()
                failure = await attempt(place.called.wait, limit, progress)
                if failure is not None:
                    return failure

    async def warm(
        self,
        count: int,
        messages: Sequence[Message],
        config: ProviderConfig,
        *,
        endpoint: Endpoint,
        request: HTTPRequest,
        progress: Progress,
        clock: CallClock,
    ) -> Refusal | ProviderError | None:
        """Open connections until so many would take a request, as far as there may be more.

        Returns:
            Why one could not be opened, None if all could.

        Raises:
            ValueError: If there may not be so many.
            trio.ClosedResourceError: The provider was closed meanwhile.
        """
        most = min(self._most, self._most_idle)
        if not 1 <= count <= most:
            raise ValueError(f"connections must be from 1 to {most:g}, as the pool settings allow")
        wanted = Wanted(request.url, messages, config)
        while len(self._ready(wanted)) < count and self._places >= 1:
            opened = await self._open(endpoint, request, progress, clock)
            if not isinstance(opened, SocketConnection):
                return opened
        return None

    def _holding(self, wanted: Wanted) -> SocketConnection | None:
        """Return the connection that holds a conversation, and is of no use to who waits."""
        first = self._line.first(wanted.url)
        if first is None:
            return None
        for connection in filter(wanted.is_continued_over, self._usable(wanted, None)):
            if not first.wanted.may_go_over(connection):
                return self._used(connection)
        return None

    def _best(self, place: Place) -> SocketConnection | None:
        """Return the connection to ask over for the first who waits for an address."""
        for connection in self._connections:
            connection.retire_if_over()
        usable = self._usable(place.wanted, place)
        if not usable:
            return None
        return self._used(next(filter(place.wanted.is_continued_over, usable), usable[-1]))

    def _usable(self, wanted: Wanted, place: Place | None) -> list[SocketConnection]:
        """Return the connections that would take a request now, and are promised to nobody."""
        promised = self._promised_before(place)
        return [each for each in self._ready(wanted) if each not in promised]

    def _used(self, connection: SocketConnection) -> SocketConnection:
        """Note that a connection is used, and return it."""
        self._connections.remove(connection)
        self._connections.append(connection)
        return connection

    def _ready(self, wanted: Wanted) -> list[SocketConnection]:
        """Return the connections that would take a request now."""
        now = trio.current_time()
        return [
            each
            for each in self._open_ones
            if each.session.has_room(now) and wanted.may_go_over(each)
        ]

    @property
    def _open_ones(self) -> list[SocketConnection]:
        """The connections that take requests, if not at this moment."""
        now = trio.current_time()
        return [
            each for each in self._connections if not (each.closed or each.session.expired(now))
        ]

    def _idle(self) -> Iterator[SocketConnection]:
        return (each for each in self._open_ones if each.session.idle)

    def _lacking_before(self, place: Place | None) -> int:
        """Return for how many addresses somebody came before whom no open connection will serve."""
        if self._most == inf:
            return 0
        return sum(
            not any(map(each.wanted.may_go_over, self._open_ones))
            for each in self._line.firsts_before(place)
        )

    def _promised_before(self, place: Place | None) -> list[SocketConnection]:
        """Return the busy connections that are to end for them, as far as no place is free."""
        missing = self._lacking_before(place) - self._places - self._ending
        return self._open_ones[: int(max(0, missing))]

    def _make_room(self, place: Place) -> None:
        """End an idle connection, none of which suits, if there may be no more beside it."""
        coming = self._places + self._ending - self._lacking_before(place)
        if not self._enough_for_all(place, max(0, coming)):
            for connection in islice(self._idle(), 1):
                connection.retire()

    def _may_open(self, place: Place) -> bool:
        """Whether there is room for a connection, nobody before needs it, and it is needed."""
        is_free = self._lacking_before(place) < self._places
        return is_free and not self._enough_for_all(place, 0)

    def _enough_for_all(self, place: Place, more: float) -> bool:
        """Whether what is being opened there, and so many more, has room for all who wait."""
        url = place.wanted.url
        coming = (self._opening[url] + more) * self._answers_at_once
        return coming >= self._line.length(url) + self._opening[url]

    @property
    def _places(self) -> float:
        """How many more connections there may be."""
        return self._most - self._opening.total() - len(self._connections)

    @property
    def _ending(self) -> int:
        """How many connections are about to give their places back."""
        return sum(each.closed and each.session.idle for each in self._connections)

    def _end_surplus(self) -> None:
        """End the connections that were used longest ago, if too many are idle."""
        if len(self._connections) > self._most_idle:
            idle = list(self._idle())
            for connection in idle[: max(0, len(idle) - self._most_idle)]:
                connection.retire()

    def _note_change_of_connection(self) -> None:
        self._connections = [each for each in self._connections if not each.over.is_set()]
        self._end_surplus()
        self._line.call_firsts()

    async def _open(
        self, endpoint: Endpoint, request: HTTPRequest, progress: Progress, clock: CallClock
    ) -> SocketConnection | Refusal | ProviderError:
        """Open another connection; return why not if that fails."""
        began = trio.current_time()
        step = partial(self._open_another, endpoint, request, progress)
        self._opening[request.url] += 1
        try:
            opened = await attempt(step, clock.connect_limit(), progress)
        finally:
            self._opening -= Counter([request.url])  # and forgets the address with the last one
            self._line.call_firsts()
        if isinstance(opened, SocketConnection):
            clock.connected(trio.current_time() - began)
        elif _concerns_all(opened):
            self._line.tell(request.url, opened)
        return opened

    async def _open_another(
        self, endpoint: Endpoint, request: HTTPRequest, progress: Progress
    ) -> SocketConnection | Refusal | ProviderError:
        assert self._nursery is not None  # see `prepare`
        connection = SocketConnection(
            self._wire,
            endpoint,
            request,
            peer=progress.peer,
            on_change=self._note_change_of_connection,
        )
        stream = await self._dialer.open(progress)
        if self._closed:
            await close_now(stream)
            self.check_open()
        progress.phase = "head"
        self._unopened.add(connection)
        try:
            refusal = await self._nursery.start(connection.run, stream)
        finally:
            self._unopened.discard(connection)
        self.check_open()
        failure = refusal or _before_any_request(connection.failure)
        if failure is not None:
            return failure
        self._connections.append(connection)
        return connection

    async def aclose(self) -> None:
        """End every connection, also under an answer that is still being read.

        Peers are told, and given a moment to answer; they are not when this is cancelled.
        """
        self._closed = True
        connections = (*self._connections, *self._unopened)
        for connection in connections:
            connection.close()
        self._line.call_all()
        try:
            await _all_over(connections)
        finally:
            for connection in connections:
                connection.abort()
            with trio.CancelScope(shield=True):  # what is aborted waits for nobody
                await _all_over(connections)


async def _look_twice(
    look: Callable[[], SocketConnection | None],
) -> SocketConnection | None:
    """Look for a connection; an idle one has dealt with what came while the program was busy."""
    connection = look()
    for _ in range(_TRIPS):
        if connection is None or not connection.session.idle or not connection.may_have_news:
            break
        await trio.lowlevel.checkpoint()
        connection = look()
    return connection


async def _all_over(connections: Iterable[SocketConnection]) -> None:
    for connection in connections:
        await connection.over.wait()


def _before_any_request(failure: ProviderError | None) -> ProviderError | None:
    """Return what a connection was lost by right after it was opened, which cut no answer off."""
    if isinstance(failure, NetworkError):
        return attrs.evolve(failure, phase="head")
    return failure


def _concerns_all(failure: Refusal | ProviderError) -> bool:
    """Whether others would meet the same, as they would not a deadline of one call."""
    return not (isinstance(failure, NetworkError) and failure.timeout == "total")
