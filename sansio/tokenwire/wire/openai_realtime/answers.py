"""The answers of one connection, and the conversation that it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, final

from tokenwire.exchange import Exchange, State
from tokenwire.messages import Message
from tokenwire.tokens import End
from tokenwire.wire.openai_responses_ws.continuation import HeldAnswer, held_answer

#: Most items that a connection is trusted with, and the longest id of one; the reference's ids have
#: at most 32 characters.
MAX_ITEMS: Final = 4096
MAX_ID_LENGTH: Final = 128


@final
class RealtimeAnswer:
    """An answer on its way; see `OpenAnswer`.

    Attributes:
        name: What its request is called.
        exchange: Reads it.
        messages: The whole conversation.
        continues: Only the new part of the conversation was sent.
        response_id: What the server calls the response, None until it has begun.
        is_awaited: Somebody waits for it still.
    """

    __slots__ = ("continues", "exchange", "is_awaited", "messages", "name", "response_id")

    def __init__(
        self, name: str, messages: tuple[Message, ...], exchange: Exchange, *, continues: bool
    ) -> None:
        self.name: str = name
        self.messages: tuple[Message, ...] = messages
        self.exchange: Exchange = exchange
        self.continues: bool = continues
        self.response_id: str | None = None
        self.is_awaited: bool = True

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has come."""
        return self.exchange.state is not State.SENT

    @property
    def is_over(self) -> bool:
        """Whether its last event has come."""
        return self.exchange.state in (State.DONE, State.FAILED)


@final
class Conversation:
    """What the server keeps of the conversation of a connection.

    Attributes:
        overflowed: It keeps more than can be remembered here.
    """

    __slots__ = ("_held", "_items", "overflowed")

    def __init__(self) -> None:
        self._held: HeldAnswer | None = None
        self._items: dict[str, None] = {}
        self.overflowed: bool = False

    def held(self, messages: Sequence[Message]) -> HeldAnswer | None:
        """Return the answer that these messages go on from, if they do."""
        held = self._held
        return held if held is not None and held.addition(messages) else None

    def hold(self, answer: RealtimeAnswer, end: End) -> None:
        """Note that an answer came whole."""
        self._held = held_answer(answer.messages, answer.exchange.partial(), end)

    def go_on(self) -> None:
        """Note that something is added: until it is answered, nothing is to be relied on."""
        self._held = None

    def add(self, item_id: str) -> None:
        """Note an item that the server keeps."""
        if len(item_id) > MAX_ID_LENGTH or len(self._items) >= MAX_ITEMS:
            self.overflowed = True
        else:
            self._items[item_id] = None

    def clear(self) -> Iterator[str]:
        """Forget the conversation; yield the items that the server has to forget."""
        items, self._items = self._items, {}
        yield from items
