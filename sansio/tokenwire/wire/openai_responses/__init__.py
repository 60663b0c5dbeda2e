"""OpenAI's Responses API over an event stream, and the servers that speak the same.

Everything about this API stands in this package: `request` (what is sent), `events` and `answer`
(what comes back), `reasoning` (what goes back of it), `failures`, `quirks`. Error codes and headers
are those of the whole family, so their reading is taken from `tokenwire.wire.openai_chat`.

Reference: https://developers.openai.com/api/reference/resources/responses.
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
from tokenwire.wire.openai_chat.head import ReadsHead
from tokenwire.wire.openai_responses.answer import ResponsesReader
from tokenwire.wire.openai_responses.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.openai_responses.request import encode_body


@final
@attrs.frozen
class OpenAIResponses(ReadsHead):
    """The wire format ``openai-responses``: ``POST {base_url}/responses``, an event stream back.

    Stored conversations are reached through `ProviderConfig.extra`: ``previous_response_id``,
    ``store``, ``instructions`` and so on go into the body as they are. See `Wire` for what the
    methods promise.
    """

    kind = "openai-responses"
    auth = BEARER
    quirks = DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """``/responses``."""
        return "/responses"

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
        reader = ResponsesReader(limits)
        return EventStreamAnswer(reader, limits, reader.read_texts)
