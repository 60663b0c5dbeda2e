"""What the caller reads: one answer, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Protocol, cast, final

import trio

from tokenwire.completion import Completion
from tokenwire.errors import ProviderError
from tokenwire.exchange import Events
from tokenwire.response import ResponseInfo
from tokenwire.tokens import End, Token
from tokenwire_trio import log
from tokenwire_trio.collected_stream import CollectedStream
from tokenwire_trio.tap import ReceivingExchange


class OngoingCall(Protocol):
    """A call under way, over HTTP or a socket; `tokenwire_trio.call.Call` says what each does."""

    @property
    def exchange(self) -> ReceivingExchange:
        """What reads the answer."""
        ...

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head has come, and the timings."""
        ...

    async def start(self) -> Events:
        """Send the request, and wait until the answer begins."""
        ...

    async def receive(self) -> Events:
        """Wait for what comes next."""
        ...

    async def settle(self) -> None:
        """Give up what is not needed any more, because the last event has come."""
        ...

    async def finish(self) -> None:
        """Give the call up as the end of its block does."""
        ...

    async def aclose(self) -> None:
        """Give the call up now, even when cancelled."""
        ...


@final
class HTTPTokenStream(CollectedStream):
    """One answer while it arrives, as an async iterator; see `tokenwire.provider.TokenStream`.

    For one task at a time: a second one that asks for a token meanwhile gets
    `trio.BusyResourceError`.

    **Cancellation.** A cancelled call takes no token: what was not returned comes with the next
    call. Asking for a token always checks for cancellation, but lets other tasks run only when it
    has to read from the network. A read may bring hundreds of tokens, and a trip through the
    scheduler for each would cost more than all the rest; a program that does much work for each
    token may call `trio.lowlevel.checkpoint` itself.
    """

    __slots__ = ("_call", "_closed", "_complete", "_failure", "_next", "_occupied", "_tokens")

    def __init__(self, call: OngoingCall) -> None:
        self._call = call
        self._tokens: Sequence[Token] = ()
        self._next = 0  # index of the next token to return
        self._complete = False  # the last event has come
        self._failure: ProviderError | None = None
        self._occupied = False  # by a task that waits for a token
        self._closed = False

    async def start(self) -> None:
        """Send the request and wait for the response head; called once, by whoever made this.

        Raises:
            ProviderError: There is no answer to stream from.
        """
        self._complete = self._take(await self._call.start())
        if self._failure is not None:
            raise self._failure

    async def __anext__(self) -> Token:
        """Return the next token.

        Raises:
            ProviderError: The answer failed. Later calls raise it again.
            StopAsyncIteration: After the `End` token. Where the end of the HTTP response did not
                come along with that, it is waited for, up to a tenth of a second, so that the
                connection can be used again.
            trio.ClosedResourceError: The stream is closed, or was closed meanwhile.
            trio.BusyResourceError: Another task is waiting for a token.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise trio.ClosedResourceError("the stream is closed: it ends with its `async with`")
        if self._next == len(self._tokens):
            await self._receive()
        # Nothing from here on can fail or be cancelled: a token is returned or still there.
        token = self._tokens[self._next]
        self._next += 1
        return token

    async def _receive(self) -> None:
        """Wait until there is a token to return, or raise why there will be none."""
        if self._occupied:
            raise trio.BusyResourceError("another task is reading this stream")
        self._occupied = True
        try:
            if not self._complete:
                self._complete = self._take(await self._call.receive())
                if self._complete:
                    await self._call.settle()
            if self._next == len(self._tokens):
                await self._end()
        finally:
            self._occupied = False

    async def _end(self) -> NoReturn:
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        await self._call.finish()
        raise StopAsyncIteration

    def _take(self, events: Events) -> bool:
        """Keep what has come, and tell whether nothing comes after it."""
        # Only the last event can be an error.
        last = events[-1] if events else None
        if isinstance(last, ProviderError):
            self._failure = last
            log.failed(last)
            del events[-1]
        self._tokens = cast("list[Token]", events)
        self._next = 0
        return self._failure is not None or type(last) is End

    async def aclose(self) -> None:
        """Close the stream and give its connection up, now and even when cancelled.

        May be called again, and from any task: a call that waits for a token then raises
        `trio.ClosedResourceError`.
        """
        self._closed = True
        await self._call.aclose()

    async def finish(self) -> None:
        """Close the stream as the end of its block does; see `Call.finish`."""
        self._closed = True
        await self._call.finish()

    @property
    def response(self) -> ResponseInfo:
        """Status, request id, rate limits and timings, as far as they are known."""
        return self._call.response

    def partial(self) -> Completion:
        """Return all that has arrived, also after a failure and what was not asked for yet."""
        return self._call.exchange.partial()
