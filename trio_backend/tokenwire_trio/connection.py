"""One HTTP/1.1 connection: a trio stream, and the request cycle that is under way on it."""

from __future__ import annotations

from math import inf
from typing import Final, final

import h11
import trio

from tokenwire_trio import log
from tokenwire_trio.closing import close_now
from tokenwire_trio.http1 import BodyPart, PeerClosedError, RequestCycle, ResponseHead
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.quiet import is_quiet

#: Most bytes to take from the network at once. Nothing is gained beyond 16 KiB; a pool of streams
#: that were idle for a moment catches up in fewer turns.
READ_BYTES: Final = 64 * 1024

#: Most bytes to read behind the end of an answer to get the connection back. What providers send
#: there is a chunk of none to a few hundred.
DRAIN_BYTES: Final = 64 * 1024

#: A request up to this size fits into the buffers of both kernels, so that writing it cannot block
#: on a peer that answers instead of reading. Larger ones are watched while they are written.
UNWATCHED_BYTES: Final = 64 * 1024


@final
class HTTPConnection:
    """A connection that carries one request at a time.

    Args:
        stream: A stream to the server.
        peer: Its host and port.

    Every method but `aclose` raises what the stream and the framing raise: `PeerClosedError`,
    `h11.RemoteProtocolError`, `trio.BrokenResourceError`; and `trio.ClosedResourceError` once it
    is closed.

    Attributes:
        closed: Nothing goes over it any more.
        answered: A response has come over it.
        announces_limits: Its server said how long, or for how many requests, it keeps it: in a
            ``Keep-Alive`` field, which RFC 9112 section C.2.2 knows from HTTP/1.0.
        idle_since: When it was last given back for others to use, on trio's clock; minus infinity
            before that.
    """

    __slots__ = ("_peer", "_stream", "announces_limits", "answered", "closed", "idle_since")

    def __init__(self, stream: trio.abc.Stream, peer: str) -> None:
        self._stream = stream
        self._peer = peer
        log.connection("opened", peer)
        self.closed: bool = False
        self.answered: bool = False
        self.announces_limits: bool = False
        self.idle_since: float = -inf

    async def send(self, cycle: RequestCycle) -> bool:
        """Write the request.

        Returns:
            Whether all of it was written: a server that refuses it before it was read (401, 413)
            gets no more of it.
        """
        if len(cycle.request_data) <= UNWATCHED_BYTES:
            await self._stream.send_all(cycle.request_data)
            return True
        complete = False
        async with brief_nursery() as nursery:
            nursery.start_soon(self._watch_for_refusal, cycle, nursery.cancel_scope)
            await self._stream.send_all(cycle.request_data)
            complete = True
            nursery.cancel_scope.cancel()
        return complete

    async def _watch_for_refusal(self, cycle: RequestCycle, sending: trio.CancelScope) -> None:
        """Stop the sending when an answer comes that is none, and leave it for `receive_head`."""
        try:
            head = await self.receive_head(cycle)
        except (trio.BrokenResourceError, PeerClosedError, h11.RemoteProtocolError):
            return  # whoever reads next meets the same
        if not head.successful:
            sending.cancel()

    async def receive_head(self, cycle: RequestCycle) -> ResponseHead:
        """Wait for the head of the final response."""
        while True:
            head = cycle.head()
            if head is not None:
                self.answered = True
                self.announces_limits = any(name == "keep-alive" for name, _ in head.headers)
                return head
            cycle.receive(await self._stream.receive_some(READ_BYTES))

    async def receive_part(self, cycle: RequestCycle) -> BodyPart:
        """Wait for the next part of the body."""
        while True:
            part = cycle.next_part()
            if part is not None:
                return part
            cycle.receive(await self._stream.receive_some(READ_BYTES))

    async def drain(self, cycle: RequestCycle) -> None:
        """Read what is left of the body, unless that is long."""
        left = DRAIN_BYTES
        while left > 0:
            part = await self.receive_part(cycle)
            if part.complete:
                return
            left -= len(part.data)

    def take(self) -> None:
        """Note that it is used again."""
        log.connection("reused", self._peer)

    async def is_quiet(self) -> bool:
        """Tell whether nothing came since the last response; see `quiet`."""
        return await is_quiet(self._stream)

    async def aclose(self) -> None:
        """Close the connection now, without a farewell to the peer and even when cancelled."""
        if not self.closed:
            log.connection("closed", self._peer)
        self.closed = True
        await close_now(self._stream)
