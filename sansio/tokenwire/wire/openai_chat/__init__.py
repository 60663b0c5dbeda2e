"""OpenAI's chat completions, and the many servers that speak the same or nearly the same.

Everything about this API stands in this package: `request` (what is sent), `chunks` and `answer`
(what comes back), `failures` (what goes wrong), `quirks` (how servers differ), here the headers.

Reference: https://developers.openai.com/api/reference/resources/chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import attrs

from tokenwire.endpoint import BEARER, AuthStyle, Limits
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.retry_delay import parse_duration
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.event_stream import EventStreamAnswer
from tokenwire.wire.openai_chat.answer import ChatReader
from tokenwire.wire.openai_chat.failures import classify, read_error_body
from tokenwire.wire.openai_chat.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.openai_chat.request import encode_body

#: JSON of error bodies nests a few levels, some of it quoted from another server.
_MAX_ERROR_DEPTH: Final = 64

_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-generation-id")


@final
@attrs.frozen
class OpenAIChat:
    """The wire format ``openai-chat``: ``POST {base_url}/chat/completions``, an event stream back.

    See `Wire` for what its methods promise.
    """

    @property
    def kind(self) -> str:
        """``"openai-chat"``."""
        return "openai-chat"

    @property
    def auth(self) -> AuthStyle:
        """``Authorization: Bearer KEY``."""
        return BEARER

    @property
    def quirks(self) -> Mapping[str, str]:
        """What `Endpoint.quirks` may set: see `tokenwire.wire.openai_chat.quirks.Quirks`."""
        return DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        return EncodedRequest(
            path="/chat/completions",
            body=encode_body(messages, config, read_quirks(quirks)),
            accept="text/event-stream",
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> EventStreamAnswer:
        """Begin to decode the body of a successful response."""
        return EventStreamAnswer(ChatReader(limits), limits)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request."""
        error = classify(read_error_body(body, _MAX_ERROR_DEPTH), status)
        # The server knows better than its status whether to try again.
        advice = headers.get("x-should-retry")
        if advice in ("true", "false"):
            error = attrs.evolve(error, retryable=advice == "true")
        return error

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the provider's id of the request."""
        return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Read ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``."""
        return tuple(
            RateLimit(
                name=name,
                limit=_count(headers.get(f"x-ratelimit-limit-{name}")),
                remaining=_count(headers.get(f"x-ratelimit-remaining-{name}")),
                reset_after=parse_duration(headers.get(f"x-ratelimit-reset-{name}", "")),
            )
            for name in ("requests", "tokens")
            if f"x-ratelimit-limit-{name}" in headers or f"x-ratelimit-remaining-{name}" in headers
        )


def _count(text: str | None) -> int | None:
    digits = text or ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
