"""What has come for one answer and was not read yet: bounded, so that a slow reader slows its peer.

Several answers share a connection, so whoever reads too slowly holds up the others, too. There is
no way around it: a WebSocket has no flow control for a part of it.
"""

from __future__ import annotations

from typing import Final, final

import trio

from tokenwire.errors import ProviderError
from tokenwire.exchange import Events
from tokenwire.session import Delivery

#: Most tokens that wait for their reader before the connection is read no further. A few screens of
#: text, and far less memory than the answer itself takes.
MAX_TOKENS: Final = 1024


@final
class Inbox:
    """Carries deliveries from the task that reads a connection to the one that reads an answer.

    Attributes:
        begun: Something has come, if only the news that the answer has begun.
        elsewhere: The request has to be made again over another connection.
    """

    __slots__ = ("_arrived", "_closed", "_events", "_is_refused", "_room", "begun", "elsewhere")

    def __init__(self) -> None:
        self._events: Events = []
        self._arrived = trio.Event()
        self._room = trio.Event()
        self._closed = False
        self._is_refused = False
        self.begun: bool = False
        self.elsewhere: bool = False

    def put(self, delivery: Delivery) -> None:
        """Add what has come."""
        if not self.begun:
            self._is_refused = isinstance(next(iter(delivery.events), None), ProviderError)
        self.begun = True
        self.elsewhere = delivery.elsewhere
        self._events += delivery.events
        self._arrived.set()

    async def wait_for_room(self) -> None:
        """Wait until the reader has taken what is too much."""
        while len(self._events) > MAX_TOKENS and not self._closed:
            self._room = trio.Event()
            await self._room.wait()

    async def wait_for_beginning(self) -> Events:
        """Wait until the answer has begun.

        Returns:
            The error that came in its place, if one did. Anything else is left to `receive`,
            however much of it has come meanwhile.

        Raises:
            trio.ClosedResourceError: The inbox is closed, or was closed meanwhile.
        """
        while not self.begun and not self._closed:
            await self._wait()
        return self._take() if self._is_refused or self._closed else []

    async def receive(self) -> Events:
        """Wait for events, and take all that have come.

        Returns:
            No events only if the request has to be made elsewhere.

        Raises:
            trio.ClosedResourceError: The inbox is closed, or was closed meanwhile.
        """
        while not (self._events or self._closed or self.elsewhere):
            await self._wait()
        return self._take()

    async def _wait(self) -> None:
        self._arrived = trio.Event()
        await self._arrived.wait()

    def _take(self) -> Events:
        if self._closed:
            raise trio.ClosedResourceError
        events, self._events = self._events, []
        self._room.set()
        return events

    def close(self) -> None:
        """Take nothing in any more, and keep nobody waiting."""
        self._closed = True
        self._events = []
        self._arrived.set()
        self._room.set()
