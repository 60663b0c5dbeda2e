"""A provider as somebody else may write one: it imports nothing of this library.

Its block is a generator under `asynccontextmanager`, so it also sees how the block is left.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any


class ForeignToken:
    """A piece of text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.choice = 0


class ForeignStream:
    """Brings tokens, or raises the exceptions among them."""

    def __init__(self, steps: list[str | Exception]) -> None:
        self._steps: Iterator[str | Exception] = iter(steps)
        self._texts: list[str] = []
        self.response = None

    def __aiter__(self) -> ForeignStream:
        """Return itself."""
        return self

    async def __anext__(self) -> ForeignToken:
        """Return the next token."""
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            self._texts.append(step)
            return ForeignToken(step)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close it."""

    def partial(self) -> str:
        """Return what was read."""
        return "".join(self._texts)

    async def collect(self) -> str:
        """Read to the end."""
        async for _ in self:
            pass
        return self.partial()


class ForeignProvider:
    """Answers each call with the next list of steps.

    Attributes:
        left_with: How each block was left: with this exception, or None.
    """

    def __init__(self, *answers: list[str | Exception]) -> None:
        self._answers = iter(answers)
        self.left_with: list[BaseException | None] = []

    def complete(self, messages: object, config: object = None) -> AbstractAsyncContextManager[Any]:
        """Ask for an answer."""
        return self._answer()

    @asynccontextmanager
    async def _answer(self) -> AsyncGenerator[ForeignStream]:
        try:
            yield ForeignStream(next(self._answers))
        except BaseException as error:
            self.left_with.append(error)
            raise
        self.left_with.append(None)
