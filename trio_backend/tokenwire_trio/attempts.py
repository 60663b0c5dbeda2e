"""One answer out of several attempts: what `Retrying` and `Fallback` have in common.

They differ in whom the next attempt asks and whether there is one; that is their `Plan`. Making the
attempts, one after the other and each left before the next begins, is the same for both.

An attempt may fail on entering its block, and also later, while its first token is awaited. The
next one then begins inside the reader's ``__anext__``, in the middle of the caller's block. So a
wrapped provider must keep no cancel scope and no nursery open between two calls (no `TokenStream`
should): the caller's own scopes would not nest with them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import ClassVar, Protocol, TypeAlias, final

import trio

from tokenwire.completion import Completion
from tokenwire.errors import ProviderError
from tokenwire.provider import TokenStream
from tokenwire.response import ResponseInfo
from tokenwire.retry_policy import Attempt, attempts_note
from tokenwire.tokens import Token
from tokenwire_trio import log
from tokenwire_trio.collected_stream import CollectedStream
from tokenwire_trio.conflict import ConflictDetector

#: Is told of each attempt that failed, at once: the place for a log line or a counter.
OnAttempt: TypeAlias = Callable[[Attempt], None]


class Plan(Protocol):
    """How one call goes about its attempts.

    Attributes:
        whose: Who makes them, as a note says it.
    """

    whose: ClassVar[str]

    def block(self, number: int) -> AbstractAsyncContextManager[TokenStream]:
        """Return the block of an attempt, not entered yet; numbers count from 1."""
        ...

    def judge(self, error: ProviderError, number: int, *, answer_begun: bool) -> Attempt:
        """Decide what follows the failure of an attempt."""
        ...


@final
class AttemptedStream(CollectedStream):
    """One answer, by the first attempt that brings a token; see `TokenStream`.

    Until the first token has come, reading may make further attempts, with pauses in between. After
    it this is the stream of the attempt that brought it, and its errors are final.

    For one task at a time: a second one that asks for a token meanwhile gets
    `trio.BusyResourceError`.
    """

    __slots__ = (
        "_again",
        "_again_over",
        "_attempts",
        "_begun",
        "_block",
        "_closed",
        "_failure",
        "_next_at",
        "_on_attempt",
        "_one_reader",
        "_plan",
        "_stream",
    )

    def __init__(self, plan: Plan, on_attempt: OnAttempt | None) -> None:
        self._plan = plan
        self._on_attempt = on_attempt
        self._attempts: tuple[Attempt, ...] = ()
        self._next_at: float | None = None  # when the next attempt is due, if one is
        self._block: AbstractAsyncContextManager[TokenStream] | None = None
        self._stream: TokenStream | None = None  # of the last block, also when that is left
        self._begun = False
        self._failure: ProviderError | None = None
        self._closed = False
        self._one_reader = ConflictDetector("another task is reading this stream")
        self._again: trio.CancelScope | None = None  # around what a reader does between attempts
        self._again_over = trio.Event()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that failed so far, in order; empty where the first one worked."""
        return self._attempts

    async def open(self) -> None:
        """Make attempts until one gives a stream; called once, by whoever made this.

        Raises:
            ProviderError: The last attempt failed; notes tell of those before it.
        """
        while self._block is None:
            if self._next_at is not None:
                await trio.sleep_until(self._next_at)
                self._next_at = None
                # What is only remembered must not keep alive the frames that it passed through.
                self._attempts[-1].error.with_traceback(None)
            await self._enter()

    async def _enter(self) -> None:
        """Make one attempt."""
        block = self._plan.block(len(self._attempts) + 1)
        try:
            self._stream = await block.__aenter__()
        except ProviderError as error:
            self._judge(error)
            if self._next_at is None:
                raise
        except BaseException:
            # The request may have been sent: another read must not send it again unasked.
            self._closed = True
            raise
        else:
            self._block = block

    def _judge(self, error: ProviderError) -> None:
        number = len(self._attempts) + 1
        attempt = self._plan.judge(error, number, answer_begun=self._begun)
        self._attempts += (attempt,)
        log.attempt(self._plan.whose, attempt)
        if attempt.delay_s is None:
            self._failure = error
            # Of wrappers in one another each adds its note, and their attempts are not the same.
            error.add_note(f"{self._plan.whose}: {attempts_note(self._attempts)}")
        else:
            self._next_at = trio.current_time() + attempt.delay_s
        if self._on_attempt is not None:
            self._on_attempt(attempt)

    async def __anext__(self) -> Token:
        """Return the next token.

        Raises:
            ProviderError: The answer failed, and no attempt follows. Later calls raise it again.
            StopAsyncIteration: After the `End` token.
            trio.ClosedResourceError: The stream is closed, or was closed meanwhile; also after an
                attempt was cancelled while its request was being sent.
            trio.BusyResourceError: Another task is waiting for a token.
        """
        if self._begun:
            return await self._next_token()
        with self._one_reader:
            return await self._first_token()

    async def _first_token(self) -> Token:
        while True:  # noqa: ASYNC913  # what raises no error here is a wrapped stream's read
            if self._next_at is not None:
                await self._try_again()
            try:
                token = await self._next_token()
            except ProviderError:
                if self._next_at is None:
                    raise
            else:
                self._begun = True
                return token

    async def _next_token(self) -> Token:
        self._check_open()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        try:
            return await self._current.__anext__()
        except ProviderError as error:
            self._judge(error)
            raise

    async def _try_again(self) -> None:
        """Leave the attempt that failed, and make others until one gives a stream."""
        self._check_open()
        error = self._attempts[-1].error
        self._again_over = trio.Event()
        try:
            with trio.CancelScope() as self._again:
                await self._leave(type(error), error, error.__traceback__)
                await self.open()
        finally:
            self._again_over.set()

    async def _leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        block, self._block = self._block, None
        return None if block is None else await block.__aexit__(kind, error, traceback)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the stream is closed: it ends with its `async with`")

    async def aclose(self) -> None:
        """Close the stream and its connection now, even when cancelled.

        May be called again, and from any task: a call that waits for a token, or for its next
        attempt, then raises `trio.ClosedResourceError`.
        """
        await self._stop()
        await self._current.aclose()

    async def end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Leave the block that is open, as the caller's is left; the stream is closed then."""
        await self._stop()
        return await self._leave(kind, error, traceback)

    async def _stop(self) -> None:
        """Make no more attempts, not even in another task that is about to."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
            # Not for long: what is cancelled there closes without waiting for its peer.
            with trio.CancelScope(shield=True):
                await self._again_over.wait()

    @property
    def _current(self) -> TokenStream:
        assert self._stream is not None  # callers get this stream when `open` has succeeded
        return self._stream

    @property
    def response(self) -> ResponseInfo:
        """The response of the last attempt that had one."""
        return self._current.response

    def partial(self) -> Completion:
        """Return what the last attempt has brought so far, also after a failure."""
        return self._current.partial()


@final
class AttemptedCompletion:
    """The block of one answer."""

    __slots__ = ("_stream",)

    def __init__(self, plan: Plan, on_attempt: OnAttempt | None) -> None:
        self._stream = AttemptedStream(plan, on_attempt)

    async def __aenter__(self) -> AttemptedStream:
        await self._stream.open()
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        # The wrapped block sees to its own end under cancellation.
        return await self._stream.end(kind, error, traceback)  # noqa: ASYNC102
