"""A request for a WebSocket that is answered like any other: it is refused.

The answer is read as HTTP is (`tokenwire_trio.http1`), so that a key that is no good, or a limit
that is reached, says the same here as there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, final

import attrs
import h11
import trio

from tokenwire.request import HTTPRequest
from tokenwire_trio.call import REFUSAL_WAIT_S
from tokenwire_trio.http1 import PeerClosedError, RequestCycle, ResponseHead

#: Headers of a request over HTTP that say something about its body.
_BODY_HEADERS: Final = frozenset({"accept", "content-type", "content-length"})


@final
@attrs.frozen
class Refusal:
    """An HTTP response in place of a WebSocket.

    Attributes:
        head: Status and headers.
        body: As far as it came.
    """

    head: ResponseHead
    body: bytes = attrs.field(repr=False)


def upgrade_request(request: HTTPRequest) -> HTTPRequest:
    """Return the request that asks for a WebSocket where the given one would be sent."""
    headers = tuple((name, value) for name, value in request.headers if name not in _BODY_HEADERS)
    return HTTPRequest("GET", request.url, headers, b"")


async def read_refusal(
    stream: trio.abc.ReceiveStream, cycle: RequestCycle, *, max_body_bytes: int
) -> Refusal:
    """Read what came in place of an agreement.

    Args:
        stream: Brings it.
        cycle: Reads it, and has what came already.
        max_body_bytes: Largest body to take; what is longer is cut off.

    Raises:
        PeerClosedError: The connection ended before that.
        h11.RemoteProtocolError: The peer does not speak HTTP/1.1.
        trio.BrokenResourceError, OSError: The connection broke.
    """
    while (head := cycle.head()) is None:
        cycle.receive(await stream.receive_some())
    body = bytearray()
    # What breaks off here is no loss: the status says most.
    with (
        trio.move_on_after(REFUSAL_WAIT_S),
        suppress(PeerClosedError, h11.RemoteProtocolError, trio.BrokenResourceError, OSError),
    ):
        await _read_body(stream, cycle, body, max_body_bytes)
    return Refusal(head, bytes(body))


async def _read_body(
    stream: trio.abc.ReceiveStream, cycle: RequestCycle, body: bytearray, max_bytes: int
) -> None:
    while len(body) < max_bytes:
        part = cycle.next_part()
        if part is None:
            cycle.receive(await stream.receive_some())
            continue
        body += part.data
        if part.complete:
            return
