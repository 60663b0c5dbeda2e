"""OpenAI's chat completions as Azure serves them.

Messages, chunks and most failures are those of `tokenwire.wire.openai_chat`; here stands what is
Azure's own: addresses (``quirks``), credentials, request ids and content filters (``failures``).
Chunks that only report on content filters bring no token: the first, without choices, the ones
that come while the answer is checked on the side, without deltas.

With the API of today, the base URL ends in ``/openai/v1`` and the model is the deployment's name.
With the classic one it ends in ``/openai``, and the quirk ``api_version`` is set.

Reference: https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final
from urllib.parse import quote

import attrs

from tokenwire.endpoint import AuthStyle, Limits
from tokenwire.errors import LocalProtocolError, ProviderError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.wire.azure_chat.failures import azure_failure
from tokenwire.wire.azure_chat.quirks import DESCRIPTIONS, Quirks, read_quirks
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.event_stream import EventStreamAnswer
from tokenwire.wire.header_values import first_of
from tokenwire.wire.openai_chat.answer import ChatReader
from tokenwire.wire.openai_chat.headers import rate_limits
from tokenwire.wire.openai_chat.request import encode_body

_REQUEST_ID_HEADERS: Final = ("apim-request-id", "x-request-id")


#: For a key; tokens of Microsoft Entra ID take the endpoint's bearer.
_API_KEY: Final = AuthStyle("api-key")


@final
@attrs.frozen
class AzureChat:
    """The wire format ``azure-chat``.

    ``POST {base_url}/chat/completions``, or with the quirk ``api_version``
    ``POST {base_url}/deployments/{deployment}/chat/completions?api-version={api_version}``. See
    `Wire` for what its methods promise.
    """

    kind = "azure-chat"
    auth = _API_KEY
    quirks = DESCRIPTIONS

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks."""
        read_quirks(quirks)

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """``/chat/completions``, in the classic API below the deployment."""
        return _deployment_path(config, read_quirks(quirks)) + "/chat/completions"

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation."""
        known = read_quirks(quirks)
        version = known.api_version
        return EncodedRequest(
            body=encode_body(messages, config, known.chat),
            accept="text/event-stream",
            query={"api-version": version} if version is not None else {},
        )

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> EventStreamAnswer:
        """Begin to decode the body of a successful response."""
        reader = ChatReader(limits)
        return EventStreamAnswer(reader, limits, reader.read_texts)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request."""
        return azure_failure(status, body)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the provider's id of the request."""
        return first_of(headers, _REQUEST_ID_HEADERS)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Read ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``."""
        return rate_limits(headers)


def _deployment_path(config: ProviderConfig, quirks: Quirks) -> str:
    if quirks.api_version is None:
        return ""
    deployment = quirks.deployment or config.model
    if deployment is None:
        raise LocalProtocolError(
            "the classic API needs a deployment: set the quirk deployment, or the model"
        )
    return f"/deployments/{quote(deployment, safe='')}"
