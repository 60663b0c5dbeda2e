"""The connections of one provider: opened when needed, used again, never too many.

A call holds a `Lease`: first a place in line, then, while it lasts, a connection. A connection is
used again only where nothing speaks against it:

* its last response came whole and left nothing behind (`RequestCycle.complete`), and so did the
  answer in it;
* it was not idle for longer than `PoolSettings.idle_expiry`;
* nothing has come on it since (`quiet`): not its end, and not a byte of a response that nobody
  asked for;
* its server is not known to end connections without a word (`keep_alive`).

One that fails this is closed, and another takes its place before a byte was sent. Once bytes are
sent, nothing is repeated here: a POST may have been carried out though its response got lost (RFC
9110 section 9.2.2), so the caller gets the error, which says how much was `sent`.

There is no background task, so a connection that expires is closed by the next call, or with the
provider.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from math import inf
from typing import Final, final

import trio

from tokenwire.connection_settings import PoolSettings
from tokenwire.endpoint import Deadlines
from tokenwire_trio.connection import HTTPConnection
from tokenwire_trio.deadlines import CallClock, Limit
from tokenwire_trio.dialing import Dialer
from tokenwire_trio.failures import TransportError, attempt
from tokenwire_trio.keep_alive import KeepAlive
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.progress import Observer, Progress
from tokenwire_trio.request_heads import RequestHeads

#: For what does not wait for the peer.
_NO_LIMIT: Final = Limit("connect", inf)


@final
class Connections:
    """Opens connections, keeps those that may be used again, and lets none outlive the provider.

    Args:
        dialer: Opens the streams.
        settings: How many, and for how long.
        observer: Watches every call.

    Attributes:
        places: For so many connections at a time.
        heads: Of the requests that go over them.
    """

    def __init__(
        self, dialer: Dialer, settings: PoolSettings, observer: Observer | None = None
    ) -> None:
        self._dialer = dialer
        self._peer = str(dialer.origin)
        self._settings = settings
        self._observer = observer
        # A lease has its place before it has a connection, and gives both back in one step. So
        # places that are taken and idle connections together are never more than there may be.
        self.places: trio.CapacityLimiter = trio.CapacityLimiter(settings.max_connections or inf)
        self._leases: set[Lease] = set()
        self._idle: deque[HTTPConnection] = deque()  # the one that was used last is the last
        self._keep_alive = KeepAlive()
        self._closed = False
        self.heads: RequestHeads = RequestHeads()

    def progress(self) -> Progress:
        """Return the progress of a call that is about to begin."""
        return Progress(self._peer, observer=self._observer)

    def prepare(self) -> None:
        """Check what can be checked before a byte moves.

        Raises:
            ConfigError: If the settings cannot be used.
            trio.ClosedResourceError: If the provider is closed.
        """
        self.check_open()
        self._dialer.prepare()

    def check_open(self) -> None:
        """Check that the provider is not closed.

        Raises:
            trio.ClosedResourceError: If it is.
        """
        if self._closed:
            raise trio.ClosedResourceError("the provider is closed")

    def lease(self) -> Lease:
        """Make a claim to a connection, to be ended with `Lease.aclose`."""
        lease = Lease(self)
        self._leases.add(lease)
        return lease

    def forget(self, lease: Lease) -> None:
        """Strike out a lease that has ended."""
        self._leases.discard(lease)

    async def take_at_once(self) -> HTTPConnection | None:
        """Take the connection that was used last, if it is good and need not be waited for."""
        await self._close_expired()
        if self._idle and self._keep_alive.trusted_from(self._idle[-1]) <= trio.current_time():
            return await self._take(self._idle.pop())
        return None

    async def take_idle(self) -> HTTPConnection | None:
        """Take the connection that was used last and is still good, if there is one."""
        await self._close_expired()
        while self._idle:
            connection = await self._take(self._idle.pop())
            if connection is not None:
                return connection
        return None

    async def _close_expired(self) -> None:
        expired = trio.current_time() - self._settings.idle_expiry
        while self._idle and self._idle[0].idle_since <= expired:
            await self._idle.popleft().aclose()

    async def _take(self, connection: HTTPConnection) -> HTTPConnection | None:
        """Return an idle connection if it still stands, and close it otherwise."""
        still_good = False
        try:
            still_good = await self._still_stands(connection)
        finally:
            if not still_good:
                await connection.aclose()
        if not still_good:
            return None
        connection.take()
        return connection

    async def _still_stands(self, connection: HTTPConnection) -> bool:
        quiet = await connection.is_quiet()
        trusted_from = self._keep_alive.trusted_from(connection)
        if quiet and trusted_from > trio.current_time():
            await trio.sleep_until(trusted_from)
            quiet = await connection.is_quiet()
        if quiet:
            self._keep_alive.found_standing(connection)
        else:
            self._keep_alive.found_ended(connection)
        return quiet

    async def open(self, progress: Progress) -> HTTPConnection:
        """Open another connection."""
        return HTTPConnection(await self._dialer.open(progress), self._peer)

    def park(self, connection: HTTPConnection) -> bool:
        """Keep a connection for the next lease.

        Returns:
            Whether there was room for it.
        """
        if self._closed or len(self._idle) >= self._settings.max_idle:
            return False
        if connection.answered and not self._keep_alive.worthwhile:
            return False
        connection.idle_since = trio.current_time()
        self._idle.append(connection)
        return True

    def found_ended(self, connection: HTTPConnection) -> None:
        """Note that a connection ended under a request, unanswered."""
        self._keep_alive.found_ended(connection)

    async def warm(self, count: int, deadlines: Deadlines) -> TransportError | None:
        """See to it that so many connections are open and idle, as far as there is room for them.

        Returns:
            The first error, if there was one; the connections that could be opened are kept.

        Raises:
            ValueError: If there may not be so many.
        """
        most = min(self._settings.max_idle, self._settings.max_connections or inf)
        if not 1 <= count <= most:
            raise ValueError(f"connections must be from 1 to {most:g}, as the pool settings allow")
        errors: list[TransportError] = []
        async with AsyncExitStack() as stack:
            leases = list(self._leases_at_once(count))
            for lease in leases:
                stack.push_async_callback(lease.aclose)
            async with brief_nursery() as nursery:
                for lease in leases:
                    nursery.start_soon(self._warm_one, lease, deadlines, errors)
            for lease in leases:
                lease.park()
        return errors[0] if errors else None

    def _leases_at_once(self, count: int) -> Iterator[Lease]:
        """Make up to so many leases that need not wait.

        Two tasks that each waited for several could wait for each other.
        """
        for _ in range(count):
            lease = self.lease()
            if not lease.take_place_at_once():
                self.forget(lease)
                return
            yield lease

    async def _warm_one(
        self, lease: Lease, deadlines: Deadlines, errors: list[TransportError]
    ) -> None:
        connection = await lease.open(self.progress(), CallClock(deadlines))
        if not isinstance(connection, HTTPConnection):
            errors.append(connection)

    async def aclose(self) -> None:
        """Close every connection, also under a stream that is still being read."""
        self._closed = True
        self.places.total_tokens = inf  # whoever waits for one sees that it is over
        async with AsyncExitStack() as stack:  # all are closed, even where closing one fails
            for connection in self._idle:
                stack.push_async_callback(connection.aclose)
            for lease in self._leases:
                stack.push_async_callback(lease.aclose)
            self._idle.clear()


@final
class Lease:
    """A call's claim to a connection; see `Connections.lease`.

    Attributes:
        ended: It is over: the connection is closed, or another's.
    """

    __slots__ = ("_connection", "_connections", "_has_place", "ended")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._connection: HTTPConnection | None = None
        self._has_place = False
        self.ended: bool = False

    async def open(self, progress: Progress, clock: CallClock) -> HTTPConnection | TransportError:
        """Wait in line, and get a connection: one that is open already, or a new one.

        Returns:
            The connection, ready for a request, or why there is none.

        Raises:
            trio.ClosedResourceError: The provider is closed, or was closed meanwhile.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.take_place_at_once():
            failure = await attempt(self._wait_for_place, clock.pool_limit(), progress)
            if failure is not None:
                return failure
        self._connections.check_open()
        connection = await attempt(self._connections.take_at_once, _NO_LIMIT, progress)
        if connection is None:
            step = partial(self._take_or_open, progress, clock)
            connection = await attempt(step, clock.connect_limit(), progress)
        if isinstance(connection, HTTPConnection):
            await self._keep(connection)
        return connection

    def take_place_at_once(self) -> bool:
        """Take a place if one is free, and tell whether this has one now."""
        if self._has_place:
            return True
        try:
            # None is free where somebody waits: each is handed over as it is given back.
            self._connections.places.acquire_on_behalf_of_nowait(self)
        except trio.WouldBlock:
            return False
        self._has_place = True
        return True

    async def _wait_for_place(self) -> None:
        # Trio hands places over in the order of asking, so nobody overtakes, and whoever is
        # cancelled while waiting has taken none.
        await self._connections.places.acquire_on_behalf_of(self)
        self._has_place = True

    async def _take_or_open(self, progress: Progress, clock: CallClock) -> HTTPConnection:
        connection = await self._connections.take_idle()
        if connection is None:
            began = trio.current_time()
            connection = await self._connections.open(progress)
            clock.connected(trio.current_time() - began)
        return connection

    async def _keep(self, connection: HTTPConnection) -> None:
        if self.ended:  # meanwhile, with the provider
            await connection.aclose()
            raise trio.ClosedResourceError("the provider is closed")
        self._connection = connection

    def went_unanswered(self) -> None:
        """Note that the connection ended under the request, for others to beware of the server."""
        if self._connection is not None:
            self._connections.found_ended(self._connection)

    def park(self) -> None:
        """Give the connection back in good condition, for others to use, if there is room."""
        if self._connection is not None and self._connections.park(self._connection):
            self._connection = None
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._connections.forget(self)
        if self._has_place:
            self._has_place = False
            self._connections.places.release_on_behalf_of(self)

    async def aclose(self) -> None:
        """Close the connection, if there is one, and give up the place. May be called again."""
        connection, self._connection = self._connection, None
        self.ended = True
        try:
            if connection is not None:
                await connection.aclose()
        finally:
            self._end()
