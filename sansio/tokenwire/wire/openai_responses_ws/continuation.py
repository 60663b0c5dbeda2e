"""What a lane holds of a conversation, and what a longer one adds to it.

The server keeps the latest response of each lane, for as long as the connection lives. A request
that names it and brings only what is new means the same as the whole conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import attrs

from tokenwire.completion import Completion
from tokenwire.messages import Message
from tokenwire.tokens import End


@final
@attrs.frozen
class HeldAnswer:
    """A response that the server keeps.

    Attributes:
        response_id: Its id.
        messages: The conversation that it answered.
        forms: The messages in which it may have gone into the conversation: as it came, and without
            its reasoning.
    """

    response_id: str
    messages: tuple[Message, ...] = attrs.field(repr=False)
    forms: tuple[Message, ...] = attrs.field(repr=False)

    def addition(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Return what a conversation adds to this answer, nothing if it is another one."""
        length = len(self.messages)
        if len(messages) < length + 2 or messages[length] not in self.forms:
            return ()
        if tuple(messages[:length]) != self.messages:
            return ()
        return tuple(messages[length + 1 :])


def held_answer(
    messages: tuple[Message, ...], completion: Completion, end: End
) -> HeldAnswer | None:
    """Return what the server keeps of an answer, None where that is not to be relied on."""
    if end.response_id is None or end.finish not in ("stop", "tool_calls"):
        return None
    forms: list[Message] = []
    try:
        forms.append(completion.message)
        forms.append(completion.message.without_reasoning())
    except ValueError:
        pass  # an empty answer, or nothing but reasoning
    return HeldAnswer(end.response_id, messages, tuple(forms)) if forms else None
