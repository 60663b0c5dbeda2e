"""Puts tool call fragments in order, for servers that number them badly.

The reference numbers calls by ``index`` and names each once by ``id``. Real servers leave out the
index, send 0 for every parallel call, repeat the id or empty it, and skip numbers. What identifies
a call here: its index; where there is none, or where another id comes for an index that is in use,
its id, and with an id that is new a call begins; fragments with arguments alone belong to the calls
that were open last.
"""

from __future__ import annotations

from typing import final

from tokenwire.wire.openai_chat.chunks import ToolCallFragment


@final
class PlacedCall:
    """A call that fragments belong to.

    Attributes:
        number: Its stable index.
        id: The provider's id, None until a fragment has told it.
        name: The tool's name, likewise.
    """

    __slots__ = ("id", "name", "number")

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.id: str | None = None
        self.name: str | None = None

    def learn(self, fragment: ToolCallFragment) -> tuple[str | None, str | None]:
        """Return id and name where the fragment brings them as news."""
        new_id = new_name = None
        if self.id is None and fragment.id:
            self.id = new_id = fragment.id
        if self.name is None and fragment.function is not None and fragment.function.name:
            self.name = new_name = fragment.function.name
        return new_id, new_name


@final
class ToolCallSorter:
    """The tool calls of one choice."""

    def __init__(self) -> None:
        self._calls: list[PlacedCall] = []
        self._by_index: dict[int, PlacedCall] = {}
        self._by_id: dict[str, PlacedCall] = {}
        self._last: PlacedCall | None = None

    def place(self, fragment: ToolCallFragment, position: int, count: int) -> PlacedCall:
        """Return the call that a fragment belongs to.

        Args:
            fragment: The fragment.
            position: Its place in its delta, from 0.
            count: How many fragments that delta has.
        """
        call = self._find(fragment, position, count) or self._begin(fragment)
        if fragment.id:
            self._by_id[fragment.id] = call
        self._last = call
        return call

    def _find(self, fragment: ToolCallFragment, position: int, count: int) -> PlacedCall | None:
        if fragment.index is not None:
            call = self._by_index.get(fragment.index)
            if call is not None and fragment.id and call.id not in (None, fragment.id):
                return self._by_id.get(fragment.id)
            return call
        if fragment.id:
            return self._by_id.get(fragment.id)
        if fragment.function is not None and fragment.function.name:
            return None
        if 1 < count <= len(self._calls):  # Moonshot: the same calls as before, in their order
            return self._calls[position - count]
        return self._last

    def _begin(self, fragment: ToolCallFragment) -> PlacedCall:
        call = PlacedCall(len(self._calls))
        self._calls.append(call)
        if fragment.index is not None:
            self._by_index[fragment.index] = call
        return call
