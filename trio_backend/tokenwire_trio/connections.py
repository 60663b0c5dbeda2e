"""The connections of one provider."""

from __future__ import annotations

from typing import final

import trio

from tokenwire_trio.connection import HTTPConnection
from tokenwire_trio.dialing import Dialer
from tokenwire_trio.progress import Progress


@final
class Connections:
    """Opens connections, and sees to it that none outlives the provider.

    Args:
        dialer: Opens the streams.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._in_use: set[HTTPConnection] = set()
        self._closed = False

    @property
    def peer(self) -> str:
        """Host and port that they lead to."""
        return str(self._dialer.origin)

    def prepare(self) -> None:
        """Check what can be checked before a byte moves.

        Raises:
            ConfigError: If the TLS settings cannot be used.
            trio.ClosedResourceError: If the provider is closed.
        """
        self._check_open()
        self._dialer.prepare()

    async def acquire(self, progress: Progress) -> HTTPConnection:
        """Open a connection; give it back with `release`."""
        connection = HTTPConnection(await self._dialer.open(progress))
        if self._closed:  # meanwhile
            await connection.aclose()
            self._check_open()
        self._in_use.add(connection)
        return connection

    async def release(self, connection: HTTPConnection) -> None:
        """Take a connection back and close it. May be called again."""
        self._in_use.discard(connection)
        await connection.aclose()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the provider is closed")

    async def aclose(self) -> None:
        """Close every connection, also under a stream that is still being read."""
        self._closed = True
        while self._in_use:
            await self.release(self._in_use.pop())
