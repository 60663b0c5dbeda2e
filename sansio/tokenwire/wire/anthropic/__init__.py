"""Anthropic's Messages API, and the servers that speak the same.

Everything about this API stands in this package: `request` (what is sent), `events` and `answer`
(what comes back), `thinking` (what goes back of it), `failures` (what goes wrong), `quirks` (how
versions and servers differ), `headers`.

Reference: https://platform.claude.com/docs/en/api/messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import attrs

from tokenwire.endpoint import AuthStyle, Limits
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.wire.anthropic.answer import MessageReader
from tokenwire.wire.anthropic.failures import failed_response
from tokenwire.wire.anthropic.headers import rate_limits, request_id
from tokenwire.wire.anthropic.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.anthropic.request import encode_body
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.event_stream import EventStreamAnswer

_API_KEY: Final = AuthStyle("x-api-key")


@final
@attrs.frozen
class Anthropic:
    """The wire format ``anthropic``: ``POST {base_url}/messages``, an event stream back.

    See `Wire` for what its methods promise.
    """

    kind = "anthropic"
    auth = _API_KEY
    quirks = DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """``/messages``."""
        return "/messages"

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        chosen = read_quirks(quirks)
        return EncodedRequest(
            body=encode_body(messages, config, chosen),
            accept="text/event-stream",
            headers={"anthropic-version": chosen.version},
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> EventStreamAnswer:
        """Begin to decode the body of a successful response."""
        reader = MessageReader(limits)
        return EventStreamAnswer(reader, limits, reader.read_texts)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request."""
        return failed_response(status, body)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the provider's id of the request."""
        return request_id(headers)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Read ``anthropic-ratelimit-{requests,tokens,…}-{limit,remaining,reset}``."""
        return rate_limits(headers)
