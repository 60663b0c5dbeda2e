"""What a response says besides its answer, in every wire format of this API's family."""

from __future__ import annotations

from collections.abc import Mapping

from tokenwire.errors import ProviderError
from tokenwire.response import RateLimit
from tokenwire.wire.openai_chat.failures import failed_response
from tokenwire.wire.openai_chat.headers import rate_limits, request_id


class ReadsHead:
    """The methods of a `Wire` that read heads and failed responses as OpenAI sends them."""

    __slots__ = ()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request, or of a connection that was refused."""
        return failed_response(status, body)

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the provider's id of the request."""
        return request_id(headers)

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Read ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``."""
        return rate_limits(headers)
