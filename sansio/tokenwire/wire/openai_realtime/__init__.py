"""OpenAI's Realtime API over a WebSocket, as far as it is about text.

Everything about this API stands in this package: `request` (what asks for an answer), `frames`
(events, which are those of `tokenwire.wire.openai_responses` but for a response's end), `answers`
(what a connection holds), and the `session` that keeps all of it in order.

Reference: https://developers.openai.com/api/docs/guides/realtime-websocket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import attrs

from tokenwire.endpoint import BEARER, Endpoint, Limits
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.ndjson_answer import NDJSONAnswer
from tokenwire.wire.openai_chat.head import ReadsHead
from tokenwire.wire.openai_realtime.frames import EventReader
from tokenwire.wire.openai_realtime.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.openai_realtime.request import encode_events
from tokenwire.wire.openai_realtime.session import RealtimeSession
from tokenwire.wire.socket_messages import messages_answer

__all__ = ["OpenAIRealtime", "RealtimeSession"]


@final
@attrs.frozen
class OpenAIRealtime(ReadsHead):
    """The wire format ``openai-realtime``: a WebSocket to ``{base_url}/realtime?model=…``.

    See `Wire` and `SocketWire` for what the methods promise.
    """

    kind = "openai-realtime"
    auth = BEARER
    quirks = DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """``/realtime``."""
        return "/realtime"

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode the messages that ask for an answer, one a line."""
        return EncodedRequest(
            body=encode_events(messages, config, read_quirks(quirks)),
            accept="application/json",
            opens_socket=True,
            query={"model": config.model} if config.model is not None else {},
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> NDJSONAnswer:
        """Begin to read the messages of one answer, one a line."""
        return messages_answer(EventReader(limits), limits)

    def answers_at_once(self, quirks: Mapping[str, Any]) -> int:
        """Return how many answers a new connection has room for."""
        return read_quirks(quirks).answers_at_once

    def session(
        self, endpoint: Endpoint, headers: Iterable[tuple[str, str]], now: float
    ) -> RealtimeSession:
        """Begin a connection that has just been opened."""
        return RealtimeSession(self, endpoint, headers, now)
