"""What a wire format is: how a conversation becomes a request body, and bytes become tokens.

A `Wire` is stateless and knows nothing of connections, credentials or URLs; an `Answer` holds the
state of one response body. Both are structural. `Exchange` adds all that is the same for every wire
format: addresses, credentials, HTTP statuses, the state machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.endpoint import AuthStyle, Limits
from tokenwire.errors import ProviderError
from tokenwire.messages import Message, size_only
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.tokens import Token


@final
@attrs.frozen(kw_only=True)
class EncodedRequest:
    """A request as far as the wire format decides about it.

    Attributes:
        body: The JSON text in UTF-8.
        accept: Media type to ask for.
        headers: Headers that the API demands, lower case.
        query: Query parameters that the API demands.
        opens_socket: The request asks for a WebSocket, and the body's lines go over it as messages.
    """

    body: bytes = field(repr=size_only)
    accept: str
    headers: Mapping[str, str] = field(factory=check.empty)
    query: Mapping[str, str] = field(factory=check.empty)
    opens_socket: bool = False


class Answer(Protocol):
    """The state of one successful response body."""

    @property
    def complete(self) -> bool:
        """Whether a terminal marker has come, so that the body may stop here and be whole."""
        ...

    def receive_data(self, data: bytes, tokens: list[Token]) -> None:
        """Take the next bytes and append the tokens that they complete.

        An `End` is the last token ever appended.

        Raises:
            ProviderError: The answer failed; what was appended before still counts.
        """
        ...

    def receive_eof(self, tokens: list[Token]) -> None:
        """Take a clean end of the body, and append what was still held back and the `End`.

        Raises:
            ProviderError: What had come is no whole answer.
        """
        ...

    def receive_cut(self, tokens: list[Token]) -> None:
        """Take a broken end after a terminal marker (`complete`), and append the `End`."""
        ...


class Wire(Protocol):
    """One wire format. Implementations are immutable values."""

    @property
    def kind(self) -> str:
        """Its name in configurations, for instance ``"openai-chat"``."""
        ...

    @property
    def auth(self) -> AuthStyle:
        """How a credential is sent unless the endpoint says otherwise."""
        ...

    @property
    def quirks(self) -> Mapping[str, str]:
        """Every quirk that `Endpoint.quirks` may set, with a sentence on what it does."""
        ...

    def check_quirks(self, quirks: Mapping[str, Any]) -> None:
        """Check an endpoint's quirks.

        Raises:
            ValueError: If one is unknown or has a bad value.
        """
        ...

    def path(self, config: ProviderConfig, quirks: Mapping[str, Any]) -> str:
        """Name the place under the base URL that a request with these settings goes to.

        Returns:
            What follows the base URL, beginning with a slash; percent-encoded, without a query.

        Raises:
            LocalProtocolError: If a setting that is part of the address is missing.
        """
        ...

    def encode(
        self, messages: Sequence[Message], config: ProviderConfig, quirks: Mapping[str, Any]
    ) -> EncodedRequest:
        """Encode a conversation.

        Raises:
            LocalProtocolError: If the format cannot carry a part of it; the message names the part.
        """
        ...

    def answer(self, limits: Limits, quirks: Mapping[str, Any]) -> Answer:
        """Begin to decode the body of a successful response."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Read the response of a failed request.

        Args:
            status: HTTP status, 300 or above.
            headers: By lower-case name.
            body: As far as it came and `Limits.error_body_bytes` allowed.
        """
        ...

    def request_id(self, headers: Mapping[str, str]) -> str | None:
        """Return the provider's id of the request."""
        ...

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
        """Return the allowances that the response headers report."""
        ...
