"""A socket as trio's stream, for a reader who mostly has to wait.

`trio.SocketStream` reads at once, and waits only where that brought nothing. But nothing has come
yet when the next token is asked for: the answer takes its time, and a read takes all that is there.
So each token would cost a system call in vain, with the exception that tells of it.
"""

from __future__ import annotations

import os
import sys
from operator import index
from typing import Final, final

import trio

#: As trio's own sockets do it. More is nothing gained, see `tokenwire_trio.connection.READ_BYTES`.
_READ_BYTES: Final = 64 * 1024


def patient(stream: trio.SocketStream) -> trio.abc.Stream:
    """Return the same stream, but one that waits before it reads, where the system can do that."""
    return stream if sys.platform == "win32" else PatientStream(stream)


@final
class PatientStream(trio.abc.Stream):
    """A stream over a socket that waits before it reads. Not for Windows.

    Args:
        stream: What it is over, which belongs to this one from now on.

    Attributes:
        socket: The socket.
    """

    __slots__ = ("_stream", "socket")

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket: trio.socket.SocketType = stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it; see `trio.SocketStream`."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the system takes more; see `trio.SocketStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait until something has come, and return it.

        Returns:
            At most `max_bytes`; empty once the peer has closed its side.

        Raises:
            trio.BrokenResourceError: The connection broke.
            trio.ClosedResourceError: It is closed, or was closed meanwhile.
            trio.BusyResourceError: Another task is receiving.
        """
        most = _READ_BYTES if max_bytes is None else index(max_bytes)
        if most < 1:
            raise ValueError("max_bytes must be at least 1")
        while True:
            await trio.lowlevel.wait_readable(self._descriptor())
            try:
                return os.read(self._descriptor(), most)
            except BlockingIOError:
                continue  # a false alarm, which select(2) warns of
            except OSError as error:
                raise trio.BrokenResourceError(f"the connection broke: {error}") from error

    def _descriptor(self) -> int:
        # To be asked for again after each wait: the socket may have been closed by another task
        # since it woke this one, and its number be another's.
        descriptor = self.socket.fileno()
        if descriptor < 0:
            raise trio.ClosedResourceError("this socket is closed")
        return descriptor

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()
