"""Whether anything came on a connection that nobody used: what makes it unfit for a request.

After a complete response a server has nothing to say until it is asked again. So whatever can be
read is the end of the connection, or bytes that would pass for the beginning of the next response.
"""

from __future__ import annotations

import select
import ssl
import sys
from contextlib import suppress
from typing import Final

import trio

from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.patient_stream import PatientStream
from tokenwire_trio.tls_stream import TLSStream

#: Trips through the scheduler that a stream gets to say what it has. One suffices for a socket; the
#: others are for streams on top of it, and for those in memory.
_TRIPS: Final = 5

#: Streams whose socket can be asked itself.
_OVER_SOCKET: Final = (PatientStream, trio.SocketStream)


async def is_quiet(stream: trio.abc.Stream) -> bool:
    """Tell whether nothing has come: neither a byte, nor the end, nor a failure.

    For a stream that nobody is reading, and that is closed if the answer is no: what came is lost.
    """
    if not may_have_data(stream):
        return True
    if isinstance(stream, _OVER_SOCKET):
        return False
    # Slow, but it works for every stream, and under TLS tells data from the tickets for later
    # handshakes that servers send after the first one (RFC 8446 section 4.6.1).
    return await _receives_nothing(stream)


def _is_readable(socket: trio.socket.SocketType) -> bool:
    if sys.platform == "win32":
        return bool(select.select([socket.fileno()], [], [], 0)[0])
    # `select` takes no descriptor above 1023.
    poller = select.poll()
    poller.register(socket.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def may_have_data(stream: trio.abc.Stream) -> bool:
    """Tell whether something may have come, down to the socket; yes, where that can't be asked.

    For any stream, also one that a task is reading.
    """
    below = stream
    while type(below) is TLSStream:  # which is final; trio's abstract classes take longer to ask
        if below.holds_data:
            return True
        below = below.transport
    return not isinstance(below, _OVER_SOCKET) or _is_readable(below.socket)


async def _receives_nothing(stream: trio.abc.Stream) -> bool:
    quiet = True

    async def receive() -> None:
        nonlocal quiet
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
            await stream.receive_some(1)
        quiet = False

    async with brief_nursery() as nursery:
        nursery.start_soon(receive)
        for _ in range(_TRIPS):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    return quiet
