"""The trait: what a provider of answers looks like, for those who use one and those who write one.

Both protocols are structural: an implementation needs no import of this library to fit them.
Retrying, limiting, falling back and recording are themselves providers that wrap a provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from tokenwire.completion import Completion
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import ResponseInfo
from tokenwire.tokens import Token


class TokenStream(Protocol):
    """One answer while it arrives: an async iterator, `Token` by `Token`.

    It is an object and never an async generator (see PEP 789), and it lives inside the ``async
    with`` block that made it: leaving the block ends the request, however it is left.
    """

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        ...

    async def __anext__(self) -> Token:
        """Return the next token.

        Raises:
            ProviderError: The answer failed; the last thing the stream does.
            StopAsyncIteration: After the `End` token.
        """
        ...

    async def aclose(self) -> None:
        """End the request now; may be called again, and from any task."""
        ...

    @property
    def response(self) -> ResponseInfo:
        """The response around the answer: status, request id, rate limits, timings."""
        ...

    def partial(self) -> Completion:
        """Return what has arrived so far, also after a failure."""
        ...

    async def collect(self) -> Completion:
        """Read to the end and return the whole answer.

        Raises:
            ProviderError: The answer failed; `partial` has what had come.
        """
        ...


class Provider(Protocol):
    """Whoever answers a conversation."""

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = ...
    ) -> AbstractAsyncContextManager[TokenStream]:
        """Ask for an answer.

        Args:
            messages: The conversation so far, at least one message.
            config: The settings of this call.

        Returns:
            A context manager that sends the request when it is entered, and in which the stream
            lives.

        Raises:
            LocalProtocolError: On entering, if the wire format cannot carry what was asked.
            ProviderError: On entering, if there is no response to stream from.
        """
        ...
