"""Tells output items apart, for servers that number them badly or not at all.

The reference gives each item its place in the output (``output_index``) and an id. The place is the
better of the two, because GitHub's server makes up a new id for each event; llama.cpp's has nothing
but the id. Whatever names no item at all belongs to the last one.
"""

from __future__ import annotations

from typing import Final, final

from tokenwire.wire.malformed import limit_error
from tokenwire.wire.openai_responses.events import TextKind

#: The type of item that a text belongs to.
TYPES: Final[dict[TextKind, str]] = {
    "text": "message",
    "refusal": "message",
    "summary": "reasoning",
    "reasoning": "reasoning",
    "arguments": "function_call",
}

#: Longest piece of an item's id that is kept. Ids are under a hundred characters, but for those of
#: GitHub's server, which are not needed.
_MAX_ID_LENGTH: Final = 1024


@final
class Item:
    """An output item.

    Attributes:
        type: Its type, None until an event has told it or where it is of no interest.
        call: Its place among the tool calls, None for other items.
        is_named: The call's id and name have been told.
        shown: The last part of each kind of text that has been shown.
    """

    __slots__ = ("call", "is_named", "shown", "type")

    def __init__(self) -> None:
        self.type: str | None = None
        self.call: int | None = None
        self.is_named: bool = False
        self.shown: dict[TextKind, int] = {}


@final
class Items:
    """The output items of one response.

    Args:
        max_items: How many there may be.

    Attributes:
        calls: How many of them are tool calls.
    """

    def __init__(self, max_items: int) -> None:
        self.calls: int = 0
        self._max_items = max_items
        self._items: dict[int | str, Item] = {}
        self._last_key: int | str = 0

    def find(self, output_index: int | None, item_id: str | None) -> Item:
        """Return the item that an event belongs to, also one that was not announced.

        Raises:
            MalformedResponseError: If it is one too many.
        """
        key = output_index if output_index is not None else item_id or self._last_key
        key = key[:_MAX_ID_LENGTH] if isinstance(key, str) else key
        self._last_key = key
        return self._items.get(key) or self._begin(key)

    def begin(self) -> Item:
        """Return an item that no event has named.

        Raises:
            MalformedResponseError: If it is one too many.
        """
        return self._begin(-1 - len(self._items))  # no output_index is negative

    def call_number(self, item: Item) -> int:
        """Return the item's place among the tool calls; it is one from now on."""
        if item.call is None:
            item.call = self.calls
            self.calls += 1
        return item.call

    def types(self) -> set[str | None]:
        """Return the types of which there are items."""
        announced = {item.type for item in self._items.values()}
        return announced | {TYPES[kind] for item in self._items.values() for kind in item.shown}

    def _begin(self, key: int | str) -> Item:
        if len(self._items) >= self._max_items:
            raise limit_error("tool_calls", self._max_items)
        item = self._items[key] = Item()
        return item
