"""One call: a request over a connection and its response into an exchange, under deadlines.

Here the pieces meet: `Exchange` says what bytes mean, `HTTPConnection` moves them, `CallClock` says
how long that may take, `failures` says what went wrong. What comes out is what the core's methods
return, so a peer's fault is a value here too.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final, TypeVar, final

import attrs
import h11
import trio

from tokenwire.errors import NetworkError, ProviderError
from tokenwire.exchange import Events, State
from tokenwire.request import HTTPRequest
from tokenwire.response import ResponseInfo
from tokenwire_trio.connection import HTTPConnection
from tokenwire_trio.connections import Connections
from tokenwire_trio.deadlines import CallClock
from tokenwire_trio.failures import TransportError, attempt
from tokenwire_trio.http1 import BodyPart, PeerClosedError, RequestCycle, ResponseHead
from tokenwire_trio.tap import ReceivingExchange

T = TypeVar("T")

#: How long the rest of a refusal is waited for. Its status is known and says most; a server that
#: keeps the body to itself must not hide it.
REFUSAL_WAIT_S: Final = 5.0

#: How long to look for an answer after the request could not be sent. It has come already, or the
#: server never meant to send one.
EARLY_ANSWER_WAIT_S: Final = 1.0

#: How long the end of the body is waited for once the answer is complete, to use the connection
#: again. It mostly comes along with the answer's end, but some servers hold the connection open.
#: OpenAI's own Python client waits as long.
DRAIN_WAIT_S: Final = 0.1


@final
class Call:
    """A call under way.

    Args:
        exchange: The exchange that made the request.
        request: The request.
        max_head_bytes: Largest response head to accept.
        connections: Where its connection comes from and goes to.
        clock: The call's time, running since its start.
        h11_only: See `RequestCycle`.

    Raises:
        LocalProtocolError: If HTTP/1.1 cannot carry the request.
    """

    __slots__ = (
        "_at_hand",
        "_connection",
        "_cycle",
        "_draining",
        "_lease",
        "_progress",
        "clock",
        "exchange",
    )

    def __init__(
        self,
        exchange: ReceivingExchange,
        request: HTTPRequest,
        *,
        max_head_bytes: int,
        connections: Connections,
        clock: CallClock,
        h11_only: bool = False,
    ) -> None:
        self.exchange: ReceivingExchange = exchange
        self.clock: CallClock = clock
        self._cycle = RequestCycle(
            request, max_head_bytes=max_head_bytes, h11_only=h11_only, heads=connections.heads
        )
        self._lease = connections.lease()
        self._connection: HTTPConnection | None = None
        self._at_hand: Events = []  # what came along with the head
        self._draining = False
        self._progress = connections.progress()

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head has come, and the timings."""
        return attrs.evolve(self.exchange.response, timings=self.clock.timings)

    async def start(self) -> Events:
        """Connect, send the request and read the response head.

        Returns:
            Nothing, or the error: of the transport, or of a response that is a refusal, whose body
            is read for it.
        """
        connection = await self._connect()
        if isinstance(connection, ProviderError):
            return self._failed(connection)
        failure = await self._send(connection)
        head = await self._receive_head(connection, failure)
        if isinstance(head, ProviderError):
            if isinstance(head, NetworkError) and head.timeout is None:
                self._lease.went_unanswered()
            return self._failed(failure or head)
        events = self._completed(self.exchange.receive_head(head.status, head.headers))
        self._cycle.forget_head()
        self._progress.phase = "body"
        if events:
            return events
        if head.successful:
            self._at_hand = self._read_at_hand()
            return events
        limit = self.clock.call_limit().within(REFUSAL_WAIT_S)
        return self._events_of(await attempt(self._read_events, limit, self._progress))

    async def receive(self) -> Events:
        """Wait for what comes next.

        Returns:
            At least one token, or the error; an error is the last of them.

        Raises:
            trio.ClosedResourceError: If the call is closed, or was closed meanwhile.
        """
        if self._connection is None or self._lease.ended:
            raise trio.ClosedResourceError
        if self._at_hand:
            events, self._at_hand = self._at_hand, []
            self.clock.end_wait(with_token=True)
            return self._completed(events)
        limit = self.clock.begin_wait()
        events = []
        try:
            events = self._events_of(await attempt(self._read_events, limit, self._progress))
        finally:
            self.clock.end_wait(with_token=bool(events))
        return events

    async def settle(self) -> None:
        """Give the connection up after the last event, unless its end is yet to be read.

        That would keep the caller waiting for the `End`; see `finish`.
        """
        self.clock.ended()
        if not self._may_drain:
            await self.aclose()

    async def finish(self) -> None:
        """Give the connection up, after a short look for the end of an answer that is complete.

        When cancelled it looks no further. May be called again, and from any task.
        """
        try:
            if self._may_drain:
                await self._drain()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Give the connection up, now and even when cancelled. May be called again."""
        self.clock.ended()
        if self._reusable:
            self._lease.park()
        await self._lease.aclose()

    @property
    def _reusable(self) -> bool:
        """Whether request and response went as they should, to the last byte."""
        status = self.exchange.response.status
        # A refusal is as good as an answer; an answer that failed is not to be trusted.
        refused = status is not None and status >= 300
        healthy = refused or self.exchange.state is State.DONE
        return healthy and self._cycle.complete and self._progress.sent == "all"

    @property
    def _may_drain(self) -> bool:
        """Whether the end of the body is all that keeps the connection from being used again."""
        answered = self.exchange.state is State.DONE and not self._closed
        return answered and self._cycle.nearly_complete and not self._draining

    async def _drain(self) -> None:
        assert self._connection is not None  # or there were no answer
        self._draining = True
        limit = self.clock.call_limit().within(DRAIN_WAIT_S)
        with suppress(trio.ClosedResourceError):  # by another task, which waits no longer
            step = partial(self._connection.drain, self._cycle)
            self._unless_closed(await attempt(step, limit, self._progress))

    @property
    def _closed(self) -> bool:
        """Whether the connection is ours no more: given up, or closed with its provider."""
        return self._lease.ended

    async def _connect(self) -> HTTPConnection | TransportError:
        connection = await self._lease.open(self._progress, self.clock)
        if isinstance(connection, HTTPConnection):
            self._connection = connection
        return connection

    async def _send(self, connection: HTTPConnection) -> TransportError | None:
        self._progress.phase = "send"
        self._progress.sent = "partly"
        step = partial(connection.send, self._cycle)
        limit = self.clock.send_limit()
        sent = self._unless_closed(await attempt(step, limit, self._progress))
        self._cycle.forget_request()
        self.clock.request_sent()
        if isinstance(sent, ProviderError):
            return sent
        if sent:
            self._progress.sent = "all"
        return None

    async def _receive_head(
        self, connection: HTTPConnection, failure: TransportError | None
    ) -> ResponseHead | TransportError:
        if isinstance(failure, NetworkError) and failure.timeout is not None:
            return failure
        self._progress.phase = "head"
        limit = self.clock.head_limit()
        if failure is not None:
            limit = limit.within(EARLY_ANSWER_WAIT_S)
        step = partial(connection.receive_head, self._cycle)
        head = self._unless_closed(await attempt(step, limit, self._progress))
        if isinstance(head, ResponseHead):
            self.clock.head_received()
        return head

    def _read_at_hand(self) -> Events:
        """Read what came along with the head: it need not be waited for."""
        with suppress(PeerClosedError, h11.RemoteProtocolError):  # which reading on raises again
            part = self._cycle.next_part()
            if part is not None:
                return self._events_in(part)
        return []

    async def _read_events(self) -> Events:
        assert self._connection is not None  # or there were no answer
        events: Events = []
        while not events:
            events = self._events_in(await self._connection.receive_part(self._cycle))
        return events

    def _events_in(self, part: BodyPart) -> Events:
        events = self.exchange.receive_data(part.data)
        if part.complete:
            events += self.exchange.receive_eof(clean=True)
        return events

    def _events_of(self, outcome: Events | TransportError) -> Events:
        """Return what came of reading events, a failure as the last of them."""
        if isinstance(outcome, list):
            return self._completed(outcome)
        return self._failed(self._unless_closed(outcome))

    def _unless_closed(self, outcome: T | TransportError) -> T | TransportError:
        """Return what came of a step, unless that is our own doing: then the call was closed."""
        if self._closed and isinstance(outcome, ProviderError):
            raise trio.ClosedResourceError
        return outcome

    def _failed(self, error: ProviderError) -> Events:
        return self._completed(self.exchange.receive_failure(error))

    def _completed(self, events: Events) -> Events:
        """Add to an error what only the transport knows."""
        if events and isinstance(events[-1], ProviderError):
            events[-1] = attrs.evolve(events[-1], sent=self._progress.sent)
        return events
