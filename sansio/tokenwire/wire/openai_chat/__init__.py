"""OpenAI's chat completions, and the many servers that speak the same or nearly the same.

Everything about this API stands in this package: `request` (what is sent), `chunks` and `answer`
(what comes back), `failures` (what goes wrong), `quirks` (how servers differ), `headers`.

Reference: https://developers.openai.com/api/reference/resources/chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import attrs

from tokenwire.endpoint import BEARER, Limits
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.event_stream import EventStreamAnswer
from tokenwire.wire.openai_chat.answer import ChatReader
from tokenwire.wire.openai_chat.head import ReadsHead
from tokenwire.wire.openai_chat.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.openai_chat.request import encode_body


@final
@attrs.frozen
class OpenAIChat(ReadsHead):
    """The wire format ``openai-chat``: ``POST {base_url}/chat/completions``, an event stream back.

    See `Wire` for what its methods promise.
    """

    kind = "openai-chat"
    auth = BEARER
    quirks = DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """``/chat/completions``."""
        return "/chat/completions"

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        return EncodedRequest(
            body=encode_body(messages, config, read_quirks(quirks)),
            accept="text/event-stream",
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> EventStreamAnswer:
        """Begin to decode the body of a successful response."""
        reader = ChatReader(limits)
        return EventStreamAnswer(reader, limits, reader.read_texts)
