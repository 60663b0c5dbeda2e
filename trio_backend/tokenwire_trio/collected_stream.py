"""What every stream of tokens does alike, whatever is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from tokenwire.completion import Completion
from tokenwire.tokens import Token


class CollectedStream(ABC):
    """An iterator of tokens that can be read to its end; see `tokenwire.provider.TokenStream`."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    @abstractmethod
    async def __anext__(self) -> Token:
        """Return the next token."""

    @abstractmethod
    def partial(self) -> Completion:
        """Return what has arrived so far, also after a failure."""

    async def collect(self) -> Completion:
        """Read to the end and return the whole answer, tokens read before included.

        Raises:
            ProviderError: The answer failed; `partial` has what had come.
        """
        async for _ in self:
            pass
        return self.partial()
