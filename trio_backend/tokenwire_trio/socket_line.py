"""The calls that wait for a connection, in the order in which they came.

Each waits for an address, and nobody overtakes those who came before for what they could use, too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import final

import attrs
import trio

from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio.socket_connection import SocketConnection
from tokenwire_trio.socket_refusal import Refusal


@final
@attrs.frozen
class Wanted:
    """What a call wants of a connection.

    Attributes:
        url: Where it has to lead.
        messages: The conversation.
        config: The settings of the call.
    """

    url: str
    messages: Sequence[Message]
    config: ProviderConfig

    def may_go_over(self, connection: SocketConnection) -> bool:
        """Whether it may be asked there, now or later."""
        return connection.url == self.url and connection.session.suits(self.messages, self.config)

    def is_continued_over(self, connection: SocketConnection) -> bool:
        """Whether only what is new of it has to be sent there."""
        return connection.session.continues(self.messages, self.config)


@final
@attrs.define(eq=False)
class Place:
    """A place in the line.

    Attributes:
        wanted: What is waited for.
        number: Who came before has a smaller one.
        failure: A connection to its address could not be opened, and this is why.
        called: Set when it is time to look again.
    """

    wanted: Wanted
    number: int
    failure: Refusal | ProviderError | None = None
    called: trio.Event = attrs.field(factory=trio.Event)


@final
class Line:
    """All who wait, by the addresses that they wait for."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Place, None]] = {}
        self._numbers = count()

    @contextmanager
    def place(self, wanted: Wanted) -> Generator[Place, None, None]:
        """Stand in line."""
        url = wanted.url
        place = Place(wanted, next(self._numbers))
        self._waiting.setdefault(url, {})[place] = None
        self.call_firsts()  # with more in the line, it may be time to open another connection
        try:
            yield place
        finally:
            del self._waiting[url][place]
            if not self._waiting[url]:
                del self._waiting[url]
            self.call_firsts()

    def length(self, url: str) -> int:
        """Return how many wait for an address."""
        return len(self._waiting.get(url, ()))

    def first(self, url: str) -> Place | None:
        """Return who waits longest for an address, None if nobody does."""
        return next(iter(self._waiting.get(url, ())), None)

    def firsts_before(self, place: Place | None) -> Iterator[Place]:
        """Return the first for each address, of those who came before, or of all."""
        return (each for each in self._firsts() if place is None or each.number < place.number)

    def _firsts(self) -> list[Place]:
        return [next(iter(places)) for places in self._waiting.values()]

    def call_firsts(self) -> None:
        """Let the first for each address look again."""
        for place in self._firsts():
            place.called.set()

    def call_all(self) -> None:
        """Let everybody look again."""
        for url in self._waiting:
            self.tell(url, None)

    def tell(self, url: str, failure: Refusal | ProviderError | None) -> None:
        """Tell all who wait for an address why they need not, or let them look again."""
        for place in self._waiting.get(url, ()):
            place.failure = failure
            place.called.set()
