"""One WebSocket: a session, and the tasks that move its messages.

A connection runs as one task of the provider's nursery, with a nursery of its own for what
trio-websocket reads, what is written, and the pings that show that the peer is still there. Only
here are exceptions of trio-websocket and wsproto met; none gets out.

Callers never write themselves: one who is cancelled in the middle of it would leave half a message
on a connection that others use. What waits to be written stays with the session until its turn, so
a request that is given up before is never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast, final
from urllib.parse import urlsplit

import attrs
import h11
import trio
import trio_websocket
from wsproto.utilities import ProtocolError

from tokenwire.endpoint import Endpoint
from tokenwire.errors import MalformedResponseError, NetworkError, ProviderError, Sent
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.session import (
    AnswerTap,
    Delivery,
    OpenAnswer,
    OutgoingMessage,
    Session,
    SocketWire,
)
from tokenwire.wire.malformed import limit_error
from tokenwire_trio import log
from tokenwire_trio.close_codes import closed_error
from tokenwire_trio.http1 import RequestCycle
from tokenwire_trio.inbox import Inbox
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.quiet import may_have_data
from tokenwire_trio.socket_logging import log_nothing_from_here
from tokenwire_trio.socket_refusal import Refusal, read_refusal, upgrade_request
from tokenwire_trio.upgrade import UpgradeStream

#: Seconds between pings. Proxies close connections on which nothing comes for a minute.
PING_INTERVAL_S: Final = 20.0

#: How long a peer may take to answer a ping.
PONG_WAIT_S: Final = 20.0

#: How long the peer is given to answer the farewell of a connection.
FAREWELL_S: Final = 1.0

#: What trio-websocket lets through of its own and of the libraries below it.
_FOREIGN: Final = (
    trio_websocket.HandshakeError,
    trio_websocket.ConnectionClosed,
    ProtocolError,
    h11.ProtocolError,
    UnicodeError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    OSError,
)


@final
@attrs.define(eq=False)
class Writing:
    """A request on its way out.

    Attributes:
        sent: How much of what asks for the answer has been written.
        over: Set when it was, or never will be.
    """

    sent: Sent = "nothing"
    over: trio.Event = attrs.field(factory=trio.Event)


#: What opening comes to: None for a connection that stands.
Opening = Refusal | MalformedResponseError | None


@final
class SocketConnection:
    """One connection; see `run`.

    Args:
        wire: The wire format.
        endpoint: Where it leads; with the credential itself.
        request: What asks for it.
        peer: What errors call the other side.
        on_change: Called whenever there may be room that was not there before.

    Attributes:
        endpoint: Where it leads, with the credential that it was opened with.
        closed: It takes nothing more; the farewell may still be under way.
        over: Set when nothing is left of it.
        failure: What it was lost by, if it was.

    Raises:
        LocalProtocolError: If HTTP/1.1 cannot carry the request.
    """

    _raw: trio.abc.Stream
    _stream: UpgradeStream

    def __init__(
        self,
        wire: SocketWire,
        endpoint: Endpoint,
        request: HTTPRequest,
        *,
        peer: str,
        on_change: Callable[[], None],
    ) -> None:
        self._wire = wire
        self.endpoint: Final = endpoint
        self._request = upgrade_request(request)
        # Also refuses headers that cannot be sent, before anything that would show them.
        self._cycle = RequestCycle(self._request, max_head_bytes=endpoint.limits.head_bytes)
        self._peer = peer
        self._on_change = on_change
        self._scope = trio.CancelScope()
        self._inboxes: dict[OpenAnswer, Inbox] = {}
        self._writings: dict[OpenAnswer, Writing] = {}
        self._something_to_write = trio.Event()
        self._told_to_end = trio.Event()
        self._waits_for_reader = False
        self._has_spoken = False
        self._vacancy = (True, True)
        self._session: Session | None = None
        self._has_been_closed = False
        self.failure: ProviderError | None = None
        self.closed: bool = False
        self.over: trio.Event = trio.Event()

    # For callers

    @property
    def url(self) -> str:
        """Where it leads, as the request for it said."""
        return self._request.url

    @property
    def session(self) -> Session:
        """The state of the connection, once it is open."""
        assert self._session is not None  # callers get connections that are
        return self._session

    @property
    def may_have_news(self) -> bool:
        """Whether something may have come that is not dealt with yet: the end, for instance."""
        return not self._stream.is_awaited or may_have_data(self._raw)

    def send(
        self, messages: Sequence[Message], config: ProviderConfig, tap: AnswerTap | None = None
    ) -> tuple[OpenAnswer, Inbox, Writing]:
        """Ask for an answer.

        Args:
            messages: The conversation.
            config: The settings of the call.
            tap: Watches how the answer comes.

        Returns:
            The answer, where its tokens come, and how the request is getting out.

        Raises:
            LocalProtocolError: If the wire format cannot carry what was asked.
        """
        answer = self.session.send(messages, config, trio.current_time(), tap)
        inbox = self._inboxes[answer] = Inbox()
        writing = self._writings[answer] = Writing()
        self._something_to_write.set()
        self._vacancy = self._vacancy_now
        return answer, inbox, writing

    def abandon(self, answer: OpenAnswer, *, overdue: bool = False) -> None:
        """Give an answer up: nothing of it is kept from now on. May be called again.

        Args:
            answer: The answer.
            overdue: A deadline ran out. If nobody waits for another one here, the connection ends:
                nothing else would stop a server that goes on with it, or replace one that is mute.
        """
        inbox = self._inboxes.pop(answer, None)
        if inbox is not None:
            inbox.close()
            self._writings.pop(answer, None)
            self.session.abandon(answer)
            self._something_to_write.set()
            if overdue and not self._inboxes:
                self.retire()
            self.retire_if_over()
            self._tell_of_vacancy()

    def distrust(self) -> None:
        """Take no more requests: the credential that opened it is refused by now."""
        self.closed = True
        self.retire_if_over()

    def retire_if_over(self) -> None:
        """End a connection that takes no more requests and has nothing left to do."""
        if self._is_over:
            self.retire()

    def retire(self) -> None:
        """End a connection that has nothing left to do; what came over it can still be read."""
        self.closed = True
        self._told_to_end.set()

    def close(self) -> None:
        """End the connection, also under answers that are still being read: they end at once.

        The peer is told, and given a moment to answer.
        """
        self._has_been_closed = True
        self._end_answers()
        self.retire()
        if self._session is None:
            self._scope.cancel()

    def abort(self) -> None:
        """End what `close` left of the connection, without another word to the peer."""
        self._scope.cancel()

    # The tasks

    async def run(  # noqa: ASYNC114  # its nursery lives as long as the provider's block
        self, stream: trio.abc.Stream, *, task_status: trio.TaskStatus[Opening]
    ) -> None:
        """Open the connection, tell what came of it, and keep it going until its end.

        Until it is open, this is part of the call that started it, and ends with that.

        Args:
            stream: A stream to the server; it belongs to the connection from now on.
            task_status: Is told what the opening came to.

        Raises:
            PeerClosedError: The connection ended in place of an answer.
            h11.RemoteProtocolError: The peer does not speak HTTP/1.1.
            trio.BrokenResourceError, OSError: The connection broke before it was open.
        """
        log_nothing_from_here()
        limits = self.endpoint.limits
        opening: Opening = None
        self._raw = stream
        self._stream = UpgradeStream(
            stream,
            max_head_bytes=limits.head_bytes,
            max_silent_bytes=limits.event_bytes + limits.silent_bytes,
        )
        try:
            with self._scope:
                opening = await self._run(task_status)
        except BaseException:  # with the provider, or with the program
            self._has_been_closed = True
            raise
        finally:
            await self._leave()  # noqa: ASYNC102  # closes the stream, which waits for nobody
        if self._session is None:
            task_status.started(opening)

    async def _leave(self) -> None:
        self.closed = True
        try:
            await self._stream.aclose()  # shields itself, and waits for nobody
        finally:
            self._end_answers()
            self.over.set()
            if self._session is not None:
                log.connection("closed", self._peer)
                self._on_change()

    async def _run(self, status: trio.TaskStatus[Opening]) -> Opening:
        try:
            async with brief_nursery() as nursery:
                websocket = await self._open(nursery)
                if websocket is not None:
                    log.connection("opened", self._peer)
                    status.started(None)
                    await self._serve(websocket, nursery)
                nursery.cancel_scope.cancel()
        except _FOREIGN:  # not chained: it may quote what was sent
            if self._session is None:
                return _no_upgrade(self._peer)
            self.failure = self.failure or closed_error(self._peer, 1002, None)
        return None if self._session is not None else await self._read_refusal()

    async def _open(self, nursery: trio.Nursery) -> trio_websocket.WebSocketConnection | None:
        """Have the server agree to a WebSocket; None if it does not."""
        url = urlsplit(self._request.url)
        headers = dict(self._request.headers)
        host = headers.pop("host", url.netloc)
        with trio.CancelScope() as handshake:
            self._stream.on_refusal = handshake.cancel
            websocket = await trio_websocket.wrap_client_stream(
                nursery,
                # It takes any stream, whatever its types say.
                cast("trio.SocketStream", self._stream),
                host,
                (url.path or "/") + (f"?{url.query}" if url.query else ""),
                extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                max_message_size=self.endpoint.limits.event_bytes,
                receive_buffer_size=None,
            )
            answered = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in websocket.handshake_headers
            ]
            self._session = self._wire.session(self.endpoint, answered, trio.current_time())
            return websocket
        return None

    async def _read_refusal(self) -> Refusal:
        if self._stream.failure is not None:
            raise self._stream.failure
        self._cycle.receive(bytes(self._stream.head))
        limits = self.endpoint.limits
        return await read_refusal(self._raw, self._cycle, max_body_bytes=limits.error_body_bytes)

    async def _serve(
        self, websocket: trio_websocket.WebSocketConnection, nursery: trio.Nursery
    ) -> None:
        """Move messages until the connection ends, and take leave of the peer."""
        nursery.start_soon(self._read, websocket)
        nursery.start_soon(self._write, websocket)
        nursery.start_soon(self._watch, websocket)
        await self._told_to_end.wait()
        with trio.move_on_after(FAREWELL_S), suppress(*_FOREIGN):
            await websocket.aclose()

    async def _read(self, websocket: trio_websocket.WebSocketConnection) -> None:
        """Deliver messages until nothing can be expected of the connection any more."""
        try:
            while not self._is_over:
                await self._receive(await websocket.get_message())
        except _FOREIGN:
            if websocket.closed is None:  # its reader failed, and that comes out of the nursery
                return
            self.failure = self.failure or self._lost(websocket)
        self.retire()

    async def _receive(self, message: str | bytes) -> None:
        self._stream.silent_bytes = 0
        self._has_spoken = True
        deliveries = self.session.receive_message(message)
        if self.session.wants_to_send:
            self._something_to_write.set()
        # Everybody is told before anybody is waited for: what ends one answer may end them all.
        inboxes = [self._deliver(delivery) for delivery in deliveries]
        self._tell_of_vacancy()
        for inbox in inboxes:
            self._waits_for_reader = True
            await inbox.wait_for_room()
            self._waits_for_reader = False

    @property
    def _vacancy_now(self) -> tuple[bool, bool]:
        """Whether there is room for a request, and for another connection in place of this one."""
        return self.session.has_room(trio.current_time()), self.session.idle

    def _tell_of_vacancy(self) -> None:
        """Tell the pool, but not of each message: with many connections it has much to look at."""
        vacancy = self._vacancy_now
        if vacancy != self._vacancy:
            self._vacancy = vacancy
            self._on_change()

    def _deliver(self, delivery: Delivery) -> Inbox:
        """Put what came where its reader finds it; nothing comes for what was given up."""
        inbox = self._inboxes[delivery.answer]
        inbox.put(delivery)
        if delivery.elsewhere:  # written or not: the server may have stopped reading
            self._writings[delivery.answer].over.set()
        return inbox

    @property
    def _is_over(self) -> bool:
        """Whether nothing is left to come, and nothing may be asked for."""
        takes_no_more = self.closed or self.session.expired(trio.current_time())
        return takes_no_more and self.session.idle

    async def _write(self, websocket: trio_websocket.WebSocketConnection) -> None:
        # Where writing fails, whoever reads meets the end, too, once the rest of what came is read.
        with suppress(*_FOREIGN):
            while websocket.closed is None:  # so that what it cannot take any more stays unsent
                message = self.session.message_to_send()
                if message is not None:
                    await _write_message(websocket, message.text, self._writing_of(message))
                else:
                    self._something_to_write = trio.Event()
                    await self._something_to_write.wait()

    def _writing_of(self, message: OutgoingMessage) -> Writing:
        """Return who waits for a message to be written, if anybody does."""
        asks_for = message.asks_for
        return self._writings.get(asks_for, Writing()) if asks_for is not None else Writing()

    async def _watch(self, websocket: trio_websocket.WebSocketConnection) -> None:
        """Notice a peer that is gone, and end a connection of which nothing is to be expected."""
        async with trio.open_nursery() as nursery:
            while True:
                self._has_spoken = False
                await trio.sleep(PING_INTERVAL_S)
                self.retire_if_over()
                if self._is_forsaken:
                    self.retire()
                answered = trio.Event()
                nursery.start_soon(self._ping, websocket, answered)
                while not answered.is_set():
                    with trio.move_on_after(PONG_WAIT_S):
                        await answered.wait()
                    if not answered.is_set() and self._is_silent:
                        self.failure = _silent_peer(self._peer)
                        self._scope.cancel()

    @property
    def _is_forsaken(self) -> bool:
        """Whether it only waits for the end of what was given up, of which no word comes."""
        return not (self._inboxes or self._has_spoken or self.session.idle)

    @property
    def _is_silent(self) -> bool:
        """Whether nothing moves, in either direction, though it could."""
        # While a reader holds up the connection, nobody reads the answer to a ping, either; and
        # behind a long message on a slow way, no ping has got out yet.
        quiet_s = trio.current_time() - self._stream.active_at
        return quiet_s >= PONG_WAIT_S and not self._waits_for_reader

    async def _ping(
        self, websocket: trio_websocket.WebSocketConnection, answered: trio.Event
    ) -> None:
        """Send a ping, in a task of its own: cancelling it might leave half of it sent."""
        with suppress(*_FOREIGN):  # whoever reads meets the end, too
            await websocket.ping()
            answered.set()

    # The end

    def _lost(self, websocket: trio_websocket.WebSocketConnection) -> ProviderError:
        """Return what the end of the connection means for those who wait for an answer."""
        limits = self.endpoint.limits
        if self._stream.flooded:
            return limit_error("silent_bytes", limits.silent_bytes)
        closed = websocket.closed
        assert closed is not None  # or it would not be lost
        if closed.code == 1009 and str(limits.event_bytes) in (closed.reason or ""):
            return limit_error("event_bytes", limits.event_bytes)  # trio-websocket's own words
        return closed_error(self._peer, closed.code, closed.reason)

    def _end_answers(self) -> None:
        """Tell everybody who waits that nothing more comes."""
        for writing in self._writings.values():
            writing.over.set()
        if self._has_been_closed:
            for inbox in self._inboxes.values():
                inbox.close()
        elif self._session is not None:
            failure = self.failure or closed_error(self._peer, 1006, None)
            for delivery in self._session.receive_failure(failure):
                self._deliver(delivery)


def _no_upgrade(peer: str) -> MalformedResponseError:
    return MalformedResponseError(
        reason="framing",
        message=f"{peer} answers the request for a WebSocket against the rules (RFC 6455): is a"
        " proxy in between?",
    )


def _silent_peer(peer: str) -> NetworkError:
    return NetworkError(
        phase="body",
        message=f"{peer} has not answered a ping for {PONG_WAIT_S:g} s: the connection is lost",
        retryable=True,
    )


async def _write_message(
    websocket: trio_websocket.WebSocketConnection, text: str, writing: Writing
) -> None:
    writing.sent = "partly"
    try:
        await websocket.send_message(text)
        writing.sent = "all"
    finally:
        writing.over.set()
