"""Gemini's ``streamGenerateContent``, from Google's own address, Vertex, or a server like them.

Everything about this API stands in this package: `request` (what is sent), `chunks`, `calls` and
`answer` (what comes back), `signatures` and `call_ids` (what must go back as it came), `failures`,
`quirks`.

The base URL ends in the API's version, for Vertex in ``/publishers/google``; Vertex wants a token
instead of a key: set the endpoint's auth to bearer and its credential to a callable.

Reference: https://ai.google.dev/api/generate-content.
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
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.event_stream import EventStreamAnswer
from tokenwire.wire.gemini.answer import GenerateContentReader
from tokenwire.wire.gemini.failures import failed_response
from tokenwire.wire.gemini.quirks import DESCRIPTIONS, read_quirks
from tokenwire.wire.gemini.request import encode_body, model_path
from tokenwire.wire.header_values import first_of

#: The API documents none; gateways in front of it send one of these.
_REQUEST_ID_HEADERS: Final = ("x-goog-request-id", "x-request-id")

#: Never in the URL: URLs end up in logs.
_API_KEY: Final = AuthStyle("x-goog-api-key")


@final
@attrs.frozen
class Gemini:
    """The wire format ``gemini``.

    ``POST {base_url}/models/{model}:streamGenerateContent?alt=sse``, an event stream back. See
    `Wire` for what its methods promise.
    """

    kind = "gemini"
    auth = _API_KEY
    quirks = DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """Name the model's method that streams: here the model is part of the address."""
        return model_path(config)

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        return EncodedRequest(
            body=encode_body(messages, config, read_quirks(quirks)),
            accept="text/event-stream",
            query={"alt": "sse"},
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> EventStreamAnswer:
        """Begin to decode the body of a successful response."""
        reader = GenerateContentReader(limits)
        return EventStreamAnswer(reader, limits, reader.read_texts)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request."""
        return failed_response(status, body)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the provider's id of the request."""
        return first_of(headers, _REQUEST_ID_HEADERS)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Return nothing: the API reports no allowances."""
        return ()
