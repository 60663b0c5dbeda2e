"""A provider that is asked no more than so much at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from types import TracebackType
from typing import Final, final

import attrs
import trio

from tokenwire import _validation as check
from tokenwire.messages import Message, as_conversation
from tokenwire.provider import Provider, TokenStream
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio.wrapping import require_provider

_NOTHING_SET: Final = ProviderConfig()


@final
@attrs.frozen
class Rate:
    """How many requests may begin in any span of time.

    ``Rate(60, per_s=60)`` lets sixty begin at once and then none for a minute, ``Rate(1, per_s=1)``
    spreads them evenly. Providers that state a limit per minute may enforce it by the second.

    Attributes:
        requests: So many at most.
        per_s: The span, in seconds; it slides, so that no minute holds more than its sixty.
    """

    requests: int = attrs.field(validator=check.integer(at_least=1))
    per_s: float = attrs.field(kw_only=True, validator=check.number(above=0))


@final
class Limited:
    """Wraps a provider, and lets calls wait until there is room for them.

    Waiting is strictly first come, first served, and no part of any deadline of the endpoint: those
    begin when the call does. Put `trio.move_on_after` around a call to bound its waiting. A call
    that is cancelled while it waits takes nothing with it.

    A call's place is taken until its block is left, not only until its answer is complete. Around a
    `Retrying` it is also kept during the pauses; inside one it is given back for them.

    Args:
        provider: Whoever answers. Who opened it closes it.
        concurrency: How many calls may be open at a time; None for any number.
        rate: How many may begin in a span of time; None for any number.

    Raises:
        ValueError: If neither limit is set, or one makes no sense.
        TypeError: If the rate is no `Rate`, or what is to be wrapped no provider.
    """

    __slots__ = ("_line", "_provider")

    def __init__(
        self, provider: Provider, *, concurrency: int | None = None, rate: Rate | None = None
    ) -> None:
        require_provider(provider, "what Limited wraps")
        if concurrency is None and rate is None:
            raise ValueError("Limited needs a limit: set concurrency, rate or both")
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        if rate is not None and not isinstance(rate, Rate):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError(f"rate must be a Rate, such as Rate(60, per_s=60), not {rate!r:.100}")
        self._provider = provider
        self._line = _Line(inf if concurrency is None else concurrency, rate)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._provider!r}>"

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._line.waiting

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[TokenStream]:
        """Ask for an answer when it is this call's turn; see `tokenwire.provider.Provider`.

        Returns:
            A context manager that waits when it is entered. The stream in it is the wrapped
            provider's own.
        """
        return _LimitedCompletion(self._provider, as_conversation(messages), config, self._line)


@final
class _Line:
    """Where calls wait for their turn.

    Args:
        places: How many may be inside at a time.
        rate: How many may begin in a span of time.
    """

    __slots__ = ("_begun", "_first", "_places", "_rate", "waiting")

    def __init__(self, places: float, rate: Rate | None) -> None:
        self.waiting = 0
        # Whoever is first in the line waits for a place and then for the rate; everybody else waits
        # here. Trio's locks are handed over in order, so nobody overtakes between the two.
        self._first = trio.Lock()
        self._places = trio.CapacityLimiter(places)
        self._rate = rate
        self._begun = deque[float](maxlen=0 if rate is None else rate.requests)

    async def enter(self, holder: object) -> None:
        """Wait for a turn and take a place, to be given back with `leave`."""
        self.waiting += 1
        try:
            async with self._first:
                await self._places.acquire_on_behalf_of(holder)
                try:
                    await self._wait_for_rate()
                except BaseException:
                    self.leave(holder)
                    raise
        finally:
            self.waiting -= 1

    async def _wait_for_rate(self) -> None:
        if self._rate is None:
            return
        if len(self._begun) == self._rate.requests:
            await trio.sleep_until(self._begun[0] + self._rate.per_s)
        self._begun.append(trio.current_time())

    def leave(self, holder: object) -> None:
        """Give the place back."""
        self._places.release_on_behalf_of(holder)


@final
class _LimitedCompletion:
    """The block of one answer."""

    __slots__ = ("_block", "_config", "_line", "_messages", "_provider")

    def __init__(
        self,
        provider: Provider,
        messages: Sequence[Message],
        config: ProviderConfig,
        line: _Line,
    ) -> None:
        self._provider = provider
        self._messages = messages
        self._config = config
        self._line = line
        self._block: AbstractAsyncContextManager[TokenStream] | None = None

    async def __aenter__(self) -> TokenStream:
        await self._line.enter(self)
        try:
            self._block = self._provider.complete(self._messages, self._config)
            return await self._block.__aenter__()
        except BaseException:
            self._line.leave(self)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._block is not None
        try:
            # The wrapped block sees to its own end under cancellation.
            return await self._block.__aexit__(kind, error, traceback)  # noqa: ASYNC102
        finally:
            self._line.leave(self)
