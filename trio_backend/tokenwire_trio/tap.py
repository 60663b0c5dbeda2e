"""Where a third party may watch the bytes of a call: between the transport and the exchange."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tokenwire.completion import Completion
from tokenwire.endpoint import Endpoint
from tokenwire.errors import ProviderError
from tokenwire.exchange import Events, Exchange, State
from tokenwire.request import HTTPRequest
from tokenwire.response import ResponseInfo
from tokenwire.wire.base import Wire


class ReceivingExchange(Protocol):
    """What a call feeds: an `Exchange` that made its request, or what stands in front of one."""

    @property
    def state(self) -> State:
        """Where the exchange stands."""
        ...

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head has come."""
        ...

    def receive_head(self, status: int, headers: Iterable[tuple[str, str]]) -> Events:
        """Take a response head."""
        ...

    def receive_data(self, data: bytes) -> Events:
        """Take the next bytes of the response body."""
        ...

    def receive_eof(self, clean: bool) -> Events:
        """Take the end of the response body."""
        ...

    def receive_failure(self, error: ProviderError) -> Events:
        """Take a failure of the transport."""
        ...

    def partial(self) -> Completion:
        """Return what has come so far."""
        ...


class Tap(Protocol):
    """Puts something in front of the exchange of each request of a call."""

    def __call__(
        self, exchange: Exchange, request: HTTPRequest, wire: Wire, endpoint: Endpoint
    ) -> ReceivingExchange:
        """Return what the call is to feed in place of the exchange.

        Called before anything is sent, and again where the request is made again with a new
        credential.

        Args:
            exchange: Made the request.
            request: With its key.
            wire: How it is written.
            endpoint: Where it goes, with the credential itself.
        """
        ...
