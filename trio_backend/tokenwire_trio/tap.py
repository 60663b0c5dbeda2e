"""Where a third party may watch the bytes of a call: between the transport and the exchange."""

from __future__ import annotations

from typing import Protocol

from tokenwire.endpoint import Endpoint
from tokenwire.exchange import Exchange
from tokenwire.receiving_exchange import ReceivingExchange
from tokenwire.request import HTTPRequest
from tokenwire.session import SentRequest
from tokenwire.wire.base import Wire

__all__ = ["ReceivingExchange", "Tap"]


class Tap(Protocol):
    """Puts something in front of the exchange of each request of a call."""

    def __call__(
        self,
        exchange: Exchange,
        request: HTTPRequest,
        wire: Wire,
        endpoint: Endpoint,
        sent: SentRequest | None = None,
    ) -> ReceivingExchange:
        """Return what the call is to feed in place of the exchange.

        Called before anything is sent, and again where the request is made again with a new
        credential. Over a socket it is called once more when a connection is found: what was
        returned before is then fed no more, and had nothing to read but a refusal of connections.

        Args:
            exchange: Made the request.
            request: With its key; all of the conversation is in its body.
            wire: How it is written.
            endpoint: Where it goes, with the credential itself.
            sent: How it goes out over the socket that was found; this call must not raise.
        """
        ...
