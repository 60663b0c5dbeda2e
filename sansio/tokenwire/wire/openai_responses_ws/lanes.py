"""The lanes of one connection: answers side by side, one at a time in each.

The default lane has no name; every other one is named in each message that belongs to it. A
connection knows at most 32 names in its life, and forgets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, final

from tokenwire.exchange import Exchange, State
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire.openai_responses_ws.continuation import HeldAnswer

#: Most names that a connection takes, the default lane not counted.
MAX_NAMES: Final = 32


@final
class LaneAnswer:
    """An answer on its way; see `OpenAnswer`.

    Attributes:
        exchange: Reads it.
        lane: Where it comes.
        messages: The whole conversation.
        config: The settings of the call.
        continues: Only the new part of the conversation was sent.
    """

    __slots__ = ("config", "continues", "exchange", "lane", "messages")

    def __init__(
        self,
        lane: Lane,
        messages: tuple[Message, ...],
        config: ProviderConfig,
        exchange: Exchange,
        *,
        continues: bool,
    ) -> None:
        self.lane: Lane = lane
        self.messages: tuple[Message, ...] = messages
        self.config: ProviderConfig = config
        self.exchange: Exchange = exchange
        self.continues: bool = continues

    @property
    def begun(self) -> bool:
        """Whether anything of it has come."""
        return self.exchange.state is not State.SENT


@final
class Lane:
    """One lane.

    Attributes:
        name: Its name, None for the default lane.
        busy: The server works on a response in it.
        answer: Who waits for that response; None if nobody does any more.
        created: The event that begins the response has come.
        last_response_id: The id of the latest response that was seen in it.
        held: What the server keeps of the last conversation.
    """

    __slots__ = ("answer", "busy", "created", "held", "last_response_id", "name")

    def __init__(self, name: str | None) -> None:
        self.name: str | None = name
        self.busy: bool = False
        self.answer: LaneAnswer | None = None
        self.created: bool = False
        self.last_response_id: str | None = None
        self.held: HeldAnswer | None = None

    def begin(self, answer: LaneAnswer) -> None:
        """Take an answer in; what was held is not to be relied on from now on."""
        self.busy = True
        self.answer = answer
        self.created = False
        self.held = None

    def end(self) -> None:
        """Note that the server is done with the response."""
        self.busy = False
        self.answer = None
        self.created = False


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

    def busy(self) -> list[Lane]:
        """Return those in which the server works on a response."""
        return [lane for lane in self._by_name.values() if lane.busy]

    def answers(self) -> list[LaneAnswer]:
        """Return the answers that somebody waits for."""
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

    def use(self, lane: Lane) -> None:
        """Note that a lane is used now."""
        self._by_name[lane.name] = self._by_name.pop(lane.name)

    def _free(self) -> Iterator[Lane]:
        return (lane for lane in self._by_name.values() if not lane.busy)

    def _new(self) -> Lane:
        name = f"lane-{len(self._by_name)}"
        lane = self._by_name[name] = Lane(name)
        return lane
