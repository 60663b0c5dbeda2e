"""Ollama's own chat API.

Everything about this API stands in this package: `request` (what is sent), `lines` and `answer`
(what comes back), `failures` (what goes wrong). It has no quirks so far.

Reference: https://docs.ollama.com/api/chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import attrs

from tokenwire import _validation as check
from tokenwire.endpoint import BEARER, Limits
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.ndjson_answer import NDJSONAnswer
from tokenwire.wire.ollama.answer import ChatLineReader
from tokenwire.wire.ollama.failures import classify, read_error_body
from tokenwire.wire.ollama.request import encode_body

_NO_QUIRKS: Final[Mapping[str, str]] = check.empty()


@final
@attrs.frozen
class Ollama:
    """The wire format ``ollama``: ``POST {base_url}/chat``, lines of JSON back.

    The base URL is what Ollama's documentation calls so: it ends in ``/api``. See `Wire` for what
    the methods promise.
    """

    kind = "ollama"
    auth = BEARER  # one's own server asks for none
    quirks = _NO_QUIRKS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Refuse every quirk."""
        for name in quirks:
            raise ValueError(f"unknown quirk {name!r:.100}: the wire format ollama has none")

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """``/chat``."""
        return "/chat"

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        return EncodedRequest(body=encode_body(messages, config), accept="application/x-ndjson")

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> NDJSONAnswer:
        """Begin to decode the body of a successful response."""
        reader = ChatLineReader(limits)
        return NDJSONAnswer(reader, limits, reader.read_texts)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request."""
        return classify(read_error_body(body), status)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the id that a server in front gave the request: the API itself gives none."""
        return headers.get("x-request-id")

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Return nothing: the API reports no allowances."""
        return ()
