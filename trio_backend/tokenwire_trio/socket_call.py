"""One call over a WebSocket: the twin of `tokenwire_trio.call` for what is no HTTP exchange.

The connection belongs to the provider, and its reader feeds the answer's exchange; the call waits
under its deadlines for what that brought.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, final

import attrs

from tokenwire.endpoint import Endpoint
from tokenwire.errors import AuthError, NetworkError, ProviderError
from tokenwire.exchange import Events, Exchange
from tokenwire.messages import Message, as_conversation
from tokenwire.provider_config import ProviderConfig
from tokenwire.receiving_exchange import ReceivingExchange
from tokenwire.response import ResponseInfo
from tokenwire.session import (
    AnswerTap,
    OpenAnswer,
    SentRequest,
    SocketWire,
    in_place_of_answer,
)
from tokenwire_trio import log
from tokenwire_trio.deadlines import CallClock, Limit
from tokenwire_trio.failures import TransportError, attempt
from tokenwire_trio.inbox import Inbox
from tokenwire_trio.socket_connection import SocketConnection
from tokenwire_trio.socket_pool import SocketPool
from tokenwire_trio.socket_refusal import Refusal, upgrade_request
from tokenwire_trio.tap import Tap

T = TypeVar("T")

#: How often a request is made again because the connection was at its end before it.
_MOVES: Final = 1


@final
class SocketCall:
    """A call under way; see `tokenwire_trio.stream.OngoingCall`.

    Args:
        wire: The wire format.
        endpoint: Where it goes; with the credential itself.
        messages: The conversation.
        config: The settings of the call.
        pool: Where its connection comes from.
        clock: The call's time, running since its start.
        tap: Watches what comes for it.

    Raises:
        LocalProtocolError: If the wire format cannot carry what was asked.
    """

    def __init__(
        self,
        wire: SocketWire,
        endpoint: Endpoint,
        messages: Sequence[Message],
        config: ProviderConfig,
        *,
        pool: SocketPool,
        clock: CallClock,
        tap: Tap | None = None,
    ) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._messages = as_conversation(messages)
        self._config = config
        self._pool = pool
        self.clock = clock
        self._tap = tap
        self._progress = pool.progress()
        self._connection: SocketConnection | None = None
        self._begin_request()
        self._moves_left = _MOVES
        self._is_overdue = False

    def _begin_request(self) -> None:
        """Make the request, without asking for anything yet."""
        exchange = Exchange(self._wire, self._endpoint)
        self._request = exchange.send(self._messages, self._config)
        # Reads the refusal of a connection, and any failure before there is one.
        self._opening: ReceivingExchange = exchange
        if self._tap is not None:
            self._opening = self._tapped(self._tap, exchange, self._endpoint)
        self._answer: OpenAnswer | None = None
        self._inbox = Inbox()

    def _tapped(
        self, tap: Tap, exchange: Exchange, endpoint: Endpoint, sent: SentRequest | None = None
    ) -> ReceivingExchange:
        request = attrs.evolve(upgrade_request(self._request), body=self._request.body)
        return tap(exchange, request, self._wire, endpoint, sent)

    @property
    def exchange(self) -> ReceivingExchange:
        """What reads the answer."""
        return self._answer.exchange if self._answer is not None else self._opening

    @property
    def response(self) -> ResponseInfo:
        """The response as far as it has begun, and the timings."""
        continued = self._answer is not None and self._answer.continues
        return attrs.evolve(self.exchange.response, timings=self.clock.timings, continued=continued)

    async def start(self) -> Events:
        """Find a connection, ask for the answer, and wait until it begins.

        Returns:
            Nothing, or the error that came in place of an answer.
        """
        while True:
            failure = await self._ask()
            if failure is not None:
                return failure
            events = await self._begin()
            if not self._inbox.elsewhere:
                return events
            self._leave_connection()
            self._begin_request()
            if not self._moves_left:
                return self._failed(_no_connection_lasts(self._progress.peer))
            self._moves_left -= 1

    async def warm(self, connections: int) -> None:
        """Have so many connections open, in place of asking for anything.

        Raises:
            ValueError: If there may not be so many.
            ProviderError: One could not be opened.
        """
        failure = await self._pool.warm(
            connections,
            self._messages,
            self._config,
            endpoint=self._endpoint,
            request=self._request,
            progress=self._progress,
            clock=self.clock,
        )
        if failure is not None:
            *_, error = self._not_opened(failure)
            assert isinstance(error, ProviderError)  # what is refused ends in one
            raise error

    async def _ask(self) -> Events | None:
        """Have the request sent; return the failure if there is one."""
        found = await self._pool.find(
            self._messages,
            self._config,
            endpoint=self._endpoint,
            request=self._request,
            progress=self._progress,
            clock=self.clock,
        )
        if not isinstance(found, SocketConnection):
            return self._not_opened(found)
        self._connection = found
        tap = self._answer_tap(found.endpoint)
        self._answer, self._inbox, writing = found.send(self._messages, self._config, tap)
        log.request(self._request)
        self._progress.phase = "send"
        failure = await self._attempt(writing.over.wait, self.clock.send_limit())
        self._progress.sent = writing.sent
        if failure is not None:
            return self._failed(failure)
        self.clock.request_sent()
        return None

    def _answer_tap(self, endpoint: Endpoint) -> AnswerTap | None:
        """Return what watches an answer over a connection to this endpoint."""
        if (tap := self._tap) is None:
            return None
        return lambda exchange, sent: self._tapped(tap, exchange, endpoint, sent)

    def _not_opened(self, failure: Refusal | ProviderError) -> Events:
        """Return the error for a connection that could not be opened."""
        if isinstance(failure, ProviderError):
            return self._failed(failure)
        head = failure.head
        events = self._opening.receive_head(head.status, head.headers)
        events += self._opening.receive_data(failure.body) if not events else []
        events += self._opening.receive_eof(clean=True) if not events else []
        return self._completed(in_place_of_answer(events))

    async def _begin(self) -> Events:
        self._progress.phase = "head"
        events = await self._attempt(self._inbox.wait_for_beginning, self.clock.head_limit())
        if isinstance(events, ProviderError):
            return self._failed(events)
        if not self._inbox.elsewhere:
            self.clock.head_received()
        return self._completed(events)

    async def receive(self) -> Events:
        """Wait for what comes next.

        Returns:
            At least one token, or the error; an error is the last of them.

        Raises:
            trio.ClosedResourceError: If the call is closed, or was closed meanwhile.
        """
        self._progress.phase = "body"
        limit = self.clock.begin_wait()
        events: Events = []
        try:
            outcome = await self._attempt(self._inbox.receive, limit)
            if isinstance(outcome, ProviderError):
                events = self._failed(outcome)
            elif self._inbox.elsewhere:
                events = self._failed(_lost_before_it_began_again(self._progress.peer))
            else:
                events = self._completed(outcome)
        finally:
            self.clock.end_wait(with_token=bool(events))
        return events

    async def settle(self) -> None:
        """Give the answer's place up, because the last event has come."""
        await self.aclose()

    async def finish(self) -> None:
        """Give the answer's place up. May be called again, and from any task."""
        await self.aclose()

    async def aclose(self) -> None:
        """Give the answer up: nothing of it comes any more. May be called again."""
        self.clock.ended()
        self._inbox.close()
        self._leave_connection()

    def _leave_connection(self) -> None:
        if self._connection is not None and self._answer is not None:
            self._connection.abandon(self._answer, overdue=self._is_overdue)

    async def _attempt(self, step: Callable[[], Awaitable[T]], limit: Limit) -> T | TransportError:
        return await attempt(step, limit, self._progress)

    def _failed(self, error: ProviderError) -> Events:
        self._is_overdue = isinstance(error, NetworkError) and error.timeout is not None
        return self._completed(self.exchange.receive_failure(error))

    def _completed(self, events: Events) -> Events:
        """Add to an error what only the transport knows."""
        last = events[-1] if events else None
        if isinstance(last, AuthError) and self._connection is not None:
            self._connection.distrust()
        if isinstance(last, ProviderError):
            events[-1] = attrs.evolve(last, sent=self._progress.sent)
        return events


def _lost_before_it_began_again(peer: str) -> NetworkError:
    return NetworkError(
        phase="body",
        message=f"{peer} began an answer to a conversation that it then did not know any more, and"
        " ended the connection before it could be sent whole",
        retryable=True,
    )


def _no_connection_lasts(peer: str) -> NetworkError:
    return NetworkError(
        phase="head",
        message=f"{peer} ends each connection before it takes a request: try again later",
        retryable=True,
    )
