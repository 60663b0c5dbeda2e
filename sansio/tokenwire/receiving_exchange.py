"""What a response is fed to: an exchange, or what stands in front of one to watch it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tokenwire.completion import Completion
from tokenwire.errors import ProviderError
from tokenwire.exchange import Events, State
from tokenwire.response import RateLimit, ResponseInfo


class ReceivingExchange(Protocol):
    """The part of an `Exchange` that is used once its request is made."""

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

    def receive_rate_limits(self, rate_limits: Iterable[RateLimit]) -> None:
        """Take allowances that the provider reports elsewhere than in the response head."""
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
