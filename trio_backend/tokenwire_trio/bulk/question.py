"""What is asked in bulk: a conversation and what to know its answer by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, final

import attrs

from tokenwire.messages import Message, as_conversation
from tokenwire.provider_config import ProviderConfig

#: What a caller knows a question by, as far as JSON has such values.
QuestionId: TypeAlias = str | int


def _to_messages(messages: Iterable[Message]) -> tuple[Message, ...]:
    return as_conversation(messages)  # with a type that callers are checked by


@final
@attrs.frozen(kw_only=True)
class Question:
    """One of many conversations to be answered.

    Attributes:
        id: What its result carries as well. Nothing checks that no two are the same.
        messages: The conversation so far, at least one message.
        config: The settings of this call; what it leaves unset comes from the provider's defaults.
    """

    id: QuestionId
    messages: tuple[Message, ...] = attrs.field(converter=_to_messages)
    config: ProviderConfig = attrs.field(factory=ProviderConfig)
