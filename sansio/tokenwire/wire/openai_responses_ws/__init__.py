"""OpenAI's Responses API over a WebSocket.

What is said is what `tokenwire.wire.openai_responses` says over HTTP, so requests, events and
failures are read there. Here stands what a connection adds: its messages (`frames`), side by side
in `lanes`, a conversation that goes on without being sent again (`continuation`), and the `session`
that keeps all of it in order.

Reference: https://developers.openai.com/api/docs/guides/websocket-mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, final

import attrs

from tokenwire.endpoint import BEARER, Endpoint, Limits
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.encoding import refuse_set
from tokenwire.wire.ndjson_answer import NDJSONAnswer
from tokenwire.wire.openai_chat.head import ReadsHead
from tokenwire.wire.openai_responses.request import encode_members
from tokenwire.wire.openai_responses_ws.frames import FrameReader
from tokenwire.wire.openai_responses_ws.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.openai_responses_ws.session import ResponsesSession
from tokenwire.wire.socket_messages import messages_answer

__all__ = ["OpenAIResponsesSocket", "ResponsesSession"]

#: Members of a request over HTTP that a socket has no use for.
_HTTP_ONLY: Final = ("stream", "background")


@final
@attrs.frozen
class OpenAIResponsesSocket(ReadsHead):
    """The wire format ``openai-responses-ws``: a WebSocket to ``{base_url}/responses``.

    See `Wire` and `SocketWire` for what the methods promise.
    """

    kind = "openai-responses-ws"
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
        """Encode the message that asks for an answer."""
        refuse_set(
            {f"extra[{name!r}]": config.extra.get(name) for name in _HTTP_ONLY},
            "a socket has no such parameter",
        )
        opening = {"type": "response.create"}
        return EncodedRequest(
            body=encode_members(opening, messages, config, read_quirks(quirks)),
            accept="application/json",
            opens_socket=True,
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> NDJSONAnswer:
        """Begin to read the messages of one answer, one a line."""
        return messages_answer(FrameReader(limits), limits)

    def answers_at_once(self, quirks: Mapping[str, Any]) -> int:
        """Return how many answers a new connection has room for."""
        return read_quirks(quirks).answers_at_once

    def session(
        self, endpoint: Endpoint, headers: Iterable[tuple[str, str]], now: float
    ) -> ResponsesSession:
        """Begin a connection that has just been opened."""
        return ResponsesSession(self, endpoint, headers, now)
