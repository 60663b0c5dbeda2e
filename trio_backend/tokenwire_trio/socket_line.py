"""The calls that wait for a connection, in the order in which they came.

Each waits for an address, and nobody overtakes those who came before for the same one.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import final

import attrs
import trio

from tokenwire.errors import ProviderError
from tokenwire_trio.socket_refusal import Refusal


@final
@attrs.define(eq=False)
class Place:
    """A place in the line.

    Attributes:
        url: The address that is waited for.
        number: Who came before has a smaller one.
        failure: A connection to it could not be opened, and this is why.
        called: Set when it is time to look again.
    """

    url: str
    number: int
    failure: Refusal | ProviderError | None = None
    called: trio.Event = attrs.field(factory=trio.Event)


@final
class Line:
    """All who wait, by what they wait for."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Place, None]] = {}
        self._numbers = count()

    @contextmanager
    def place(self, url: str) -> Generator[Place, None, None]:
        """Stand in line."""
        place = Place(url, next(self._numbers))
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

    def is_first(self, place: Place) -> bool:
        """Tell whether nobody came before who waits for the same address."""
        return next(iter(self._waiting[place.url])) is place

    def is_first_of_all(self, place: Place) -> bool:
        """Tell whether nobody came before at all."""
        return min(self._firsts(), key=lambda each: each.number) is place

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
