"""The answers of one connection, and the conversation that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from tokenwire.messages import Message
from tokenwire.session import AnswerTap
from tokenwire.tokens import End
from tokenwire.wire.openai_responses_ws.continuation import HeldAnswer, held_answer
from tokenwire.wire.socket_session import SocketAnswer


@final
class RealtimeAnswer(SocketAnswer):
    """An answer on its way.

    Attributes:
        name: What its request is called.
        response_id: What the server calls the response, None until it has begun.
    """

    __slots__ = ("name", "response_id")

    def __init__(
        self, name: str, messages: tuple[Message, ...], tap: AnswerTap | None, *, continues: bool
    ) -> None:
        super().__init__(messages, tap, continues=continues)
        self.name: str = name
        self.response_id: str | None = None


@final
class Conversation:
    """What the server keeps of the conversation of a connection.

    It begins empty. From the first item on it is known only as long as its last answer came whole.
    """

    __slots__ = ("_held", "_is_empty")

    def __init__(self) -> None:
        self._is_empty: bool = True
        self._held: HeldAnswer | None = None

    @property
    def is_uncertain(self) -> bool:
        """Whether nothing can go on from it."""
        return not self._is_empty and self._held is None

    def held(self, messages: Sequence[Message]) -> HeldAnswer | None:
        """Return the answer that these messages go on from, if they do."""
        held = self._held
        return held if held is not None and held.addition(messages) else None

    def has_room_for(self, messages: Sequence[Message]) -> bool:
        """Whether the server would answer these messages, and no others before or among them."""
        return self._is_empty or self.held(messages) is not None

    def hold(self, answer: RealtimeAnswer, end: End) -> None:
        """Note that an answer came whole."""
        self._held = held_answer(answer.messages, answer.exchange.partial(), end)

    def go_on(self) -> None:
        """Note that something is added: until it is answered, nothing is to be relied on."""
        self._is_empty = False
        self._held = None
