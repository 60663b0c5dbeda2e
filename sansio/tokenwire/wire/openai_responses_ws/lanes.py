"""The lanes of one connection: answers side by side, one at a time in each.

The default lane has no name; every other one is named in each message that belongs to it. A
connection knows at most 32 names in its life, and forgets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, final

from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.session import AnswerTap
from tokenwire.wire.openai_responses_ws.continuation import HeldAnswer
from tokenwire.wire.socket_session import SocketAnswer

#: Most names that a connection takes, the default lane not counted.
MAX_NAMES: Final = 32


@final
class LaneAnswer(SocketAnswer):
    """An answer on its way.

    Attributes:
        lane: Where it comes.
        config: The settings of the call.
        is_created: The event that begins the response has come.
    """

    __slots__ = ("config", "is_created", "lane")

    def __init__(
        self,
        lane: Lane,
        messages: tuple[Message, ...],
        config: ProviderConfig,
        tap: AnswerTap | None,
        *,
        continues: bool,
    ) -> None:
        super().__init__(messages, tap, continues=continues)
        self.lane: Lane = lane
        self.config: ProviderConfig = config
        self.is_created: bool = False

    @property
    def has_parts(self) -> bool:
        """Whether any of it was delivered."""
        return bool(self.exchange.partial().choices)

    def begin_again(self) -> None:
        """Note that the whole conversation is sent in place of its new part."""
        self.continues = self.is_asked_for = self.is_created = False


@final
class Lane:
    """One lane.

    Attributes:
        name: Its name, None for the default lane.
        answer: The one that has its place here, also if nobody waits for it any more.
        last_response_id: The id of the latest response that was seen in it.
        held: What the server keeps of the last conversation.
    """

    __slots__ = ("answer", "held", "last_response_id", "name")

    def __init__(self, name: str | None) -> None:
        self.name: str | None = name
        self.answer: LaneAnswer | None = None
        self.last_response_id: str | None = None
        self.held: HeldAnswer | None = None


@final
class Lanes:
    """All lanes of a connection."""

    __slots__ = ("_by_name", "default")

    def __init__(self) -> None:
        self.default: Lane = Lane(None)
        self._by_name: dict[str | None, Lane] = {None: self.default}  # the latest used is the last

    def find(self, name: str | None) -> Lane | None:
        """Return the lane of that name, if there is one."""
        return self._by_name.get(name)

    def answers(self) -> list[LaneAnswer]:
        """Return the answers that have their places in them."""
        return [lane.answer for lane in self._by_name.values() if lane.answer is not None]

    def continuing(self, messages: Sequence[Message]) -> Lane | None:
        """Return the free lane that holds all of a conversation but its newest part."""
        for lane in self._free():
            if lane.held is not None and lane.held.addition(messages):
                return lane
        return None

    def free(self) -> Lane:
        """Return a lane for a new conversation, one that holds nothing of value if possible."""
        free = list(self._free())
        empty = next((lane for lane in free if lane.held is None), None)
        if empty is not None:
            return empty
        return self._new() if len(self._by_name) <= MAX_NAMES else free[0]

    def take(self, answer: LaneAnswer) -> None:
        """Give an answer its place."""
        lane = answer.lane
        lane.answer = answer
        self._by_name[lane.name] = self._by_name.pop(lane.name)

    def _free(self) -> Iterator[Lane]:
        return (lane for lane in self._by_name.values() if lane.answer is None)

    def _new(self) -> Lane:
        name = f"lane-{len(self._by_name)}"
        lane = self._by_name[name] = Lane(name)
        return lane
