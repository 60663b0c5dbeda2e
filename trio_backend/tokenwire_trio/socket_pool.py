"""The WebSockets of one provider: opened when needed, shared by calls, replaced when old or lost.

A call goes to the connection that holds its conversation; else to any that has room; else it opens
one, unless those that are being opened already will have room for everybody who waits. Where a
setting is part of the address, only connections to the same address are meant, and idle ones to
others are closed when there may be no more.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import final

import attrs
import trio

from tokenwire.endpoint import Endpoint
from tokenwire.errors import NetworkError, ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.session import SocketWire
from tokenwire_trio.closing import close_now
from tokenwire_trio.deadlines import CallClock
from tokenwire_trio.dialing import Dialer
from tokenwire_trio.failures import attempt
from tokenwire_trio.progress import Observer, Progress
from tokenwire_trio.socket_connection import Refusal, SocketConnection


@final
@attrs.define(eq=False)
class _Change:
    """Something that those who wait for room want to know.

    Attributes:
        failure: A connection could not be opened, and this is why.
        over: Set when it has happened.
    """

    failure: Refusal | ProviderError | None = None
    over: trio.Event = attrs.field(factory=trio.Event)


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
        self._answers_at_once = wire.answers_at_once(endpoint.quirks)
        self._dialer = dialer
        self._observer = observer
        self._nursery: trio.Nursery | None = None
        self._connections: list[SocketConnection] = []
        self._unopened: set[SocketConnection] = set()
        self._opening = 0
        self._waiting = 0
        self._change = _Change()
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
        change: _Change | None = None
        with self._queue():
            while True:  # noqa: ASYNC913  # each way through it waits for something
                self.check_open()
                connection = self._best(messages, config, request.url)
                if connection is not None:
                    return connection
                self._make_room(request.url)
                failure = change.failure if change is not None else None
                if failure is None and self._may_open:
                    failure = await self._open(endpoint, request, progress, clock)
                elif failure is None:
                    change = self._change
                    failure = await attempt(change.over.wait, limit, progress)
                if failure is not None:
                    return failure

    async def warm(
        self,
        count: int,
        *,
        endpoint: Endpoint,
        request: HTTPRequest,
        progress: Progress,
        clock: CallClock,
    ) -> Refusal | ProviderError | None:
        """Open connections until there are so many; return why not if one fails.

        Raises:
            ValueError: If there may not be so many.
            trio.ClosedResourceError: The provider was closed meanwhile.
        """
        if not 1 <= count <= self._most:
            raise ValueError(f"connections must be from 1 to {self._most:g}, as the pool allows")
        while len(self._connections) < count:
            failure = await self._open(endpoint, request, progress, clock)
            if failure is not None:
                return failure
        return None

    @contextmanager
    def _queue(self) -> Generator[None, None, None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _best(
        self, messages: Sequence[Message], config: ProviderConfig, url: str
    ) -> SocketConnection | None:
        now = trio.current_time()
        for connection in self._connections:
            connection.retire_if_over()
        self._connections = [each for each in self._connections if not each.closed]
        leading_there = [each for each in self._connections if each.url == url]
        with_room = [each for each in leading_there if each.session.has_room(now)]
        for connection in with_room:
            if connection.session.continues(messages, config):
                return connection
        return with_room[0] if with_room else None

    def _make_room(self, url: str) -> None:
        """End an idle connection that leads elsewhere, if there may be no more beside it."""
        if self._opening + len(self._connections) >= self._most:
            elsewhere = (each for each in self._connections if each.url != url)
            if idle := next((each for each in elsewhere if each.session.idle), None):
                idle.retire()
                self._connections.remove(idle)

    @property
    def _may_open(self) -> bool:
        enough = self._opening * self._answers_at_once >= self._waiting
        return not enough and self._opening + len(self._connections) < self._most

    def note_change(self, failure: Refusal | ProviderError | None = None) -> None:
        """Let everybody who waits for room look again.

        Args:
            failure: Why a connection could not be opened that they waited for.
        """
        self._connections = [each for each in self._connections if not each.closed]
        change, self._change = self._change, _Change()
        change.failure = failure
        change.over.set()

    async def _open(
        self, endpoint: Endpoint, request: HTTPRequest, progress: Progress, clock: CallClock
    ) -> Refusal | ProviderError | None:
        """Open another connection; return why not if that fails."""
        began = trio.current_time()
        step = partial(self._open_another, endpoint, request, progress)
        self._opening += 1
        failure: Refusal | ProviderError | None = None
        try:
            failure = await attempt(step, clock.connect_limit(), progress)
        finally:
            self._opening -= 1
            self.note_change(failure if _concerns_all(failure) else None)
        if failure is None:
            clock.connected(trio.current_time() - began)
        return failure

    async def _open_another(
        self, endpoint: Endpoint, request: HTTPRequest, progress: Progress
    ) -> Refusal | ProviderError | None:
        assert self._nursery is not None  # see `prepare`
        connection = SocketConnection(
            self._wire, endpoint, request, peer=progress.peer, on_change=self.note_change
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
        if refusal is None and connection.failure is None:
            self._connections.append(connection)
        return refusal or connection.failure

    def close(self) -> None:
        """End every connection, also under an answer that is still being read."""
        self._closed = True
        for connection in (*self._connections, *self._unopened):
            connection.close()
        self.note_change()


def _concerns_all(failure: Refusal | ProviderError | None) -> bool:
    """Whether others would meet the same, as they would not a deadline of one call."""
    return not (isinstance(failure, NetworkError) and failure.timeout == "total")
