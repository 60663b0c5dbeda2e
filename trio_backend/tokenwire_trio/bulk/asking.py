"""Asks many questions side by side.

The block of `ask_all` owns the tasks. A feeder takes questions from wherever they come, one ahead
at most; so many tasks as may ask at a time each take one, ask it, and hand over its result. Nothing
is queued in between, so a million questions need no more memory than those under way, and whoever
reads results slowly is asked slowly for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import asynccontextmanager
from typing import Final, Self, TypeAlias, final

import attrs
import trio

from tokenwire.completion import Completion
from tokenwire.errors import LocalProtocolError, ProviderError
from tokenwire.provider import Provider, TokenStream
from tokenwire.tokens import End
from tokenwire_trio.bulk.question import Question
from tokenwire_trio.bulk.result import Answered, Failed, Result
from tokenwire_trio.wrapping import require_provider

#: Where questions come from: a list, a generator, a channel.
Questions: TypeAlias = Iterable[Question] | AsyncIterable[Question]

#: Providers limit the requests of a minute rather than those at a time; few mind this many.
DEFAULT_CONCURRENCY: Final = 8


@asynccontextmanager
async def ask_all(
    provider: Provider, questions: Questions, *, concurrency: int = DEFAULT_CONCURRENCY
) -> AsyncGenerator[Answers, None]:
    """Ask many questions, and give their results as they come.

    Leaving the block, in any way, gives up what is still under way before the block returns. An
    exception that leaves it comes out as it was raised, not in an exception group.

    Wrap the provider for all that is not about one question: `Retrying` tries again, `Limited`
    keeps to a rate.

    Args:
        provider: Whoever answers. Who opened it closes it.
        questions: What to ask, taken one by one as there is room: a generator that reads a file is
            never more than one question ahead of what is asked.
        concurrency: How many answers may be under way at a time, at least 1.

    Yields:
        The results, to be read with ``async for``.

    Raises:
        ValueError: On entering, if the concurrency makes no sense.
        TypeError: On entering, if what is to be asked is no provider.
    """
    require_provider(provider, "what ask_all asks")
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    work = _Work(provider)
    failure: BaseException | None = None
    results_in, results = trio.open_memory_channel[Result | _Crash](0)
    try:
        async with trio.open_nursery() as nursery:
            work.start(nursery, questions, results_in, concurrency)
            yield Answers(work, results)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # Our own tasks raise nothing that is meant for somebody, so this is the caller's exception.
        failure, *others = group.exceptions
        if others:
            raise
    finally:
        results.close()
    if failure is not None:
        raise failure


@final
@attrs.frozen
class _Crash:
    """What is about no single question, to be raised to whoever reads results."""

    error: Exception


@final
class _Work:
    """The tasks that ask, and what they have come to.

    Attributes:
        under_way: How many questions are being asked at the moment.
        deltas: How many tokens all streams together have brought so far.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._feeding = trio.CancelScope()
        self.under_way: int = 0
        self.deltas: int = 0

    def start(
        self,
        nursery: trio.Nursery,
        questions: Questions,
        results: trio.MemorySendChannel[Result | _Crash],
        concurrency: int,
    ) -> None:
        """Begin to ask; the last task to end closes the channel of results."""
        feed, questions_out = trio.open_memory_channel[Question](0)
        nursery.start_soon(self._feed, questions, feed, results.clone())
        for _ in range(concurrency):
            nursery.start_soon(self._ask_each, questions_out.clone(), results.clone())
        questions_out.close()
        results.close()

    def stop(self) -> None:
        """Ask nothing new."""
        self._feeding.cancel()

    async def _feed(
        self,
        questions: Questions,
        feed: trio.MemorySendChannel[Question],
        results: trio.MemorySendChannel[Result | _Crash],
    ) -> None:
        async with feed, results:
            with self._feeding:
                try:
                    if isinstance(questions, AsyncIterable):
                        async for question in questions:
                            await feed.send(question)
                    else:
                        for question in questions:
                            await feed.send(question)
                except Exception as error:  # noqa: BLE001  # raised to whoever reads
                    await results.send(_Crash(error))

    async def _ask_each(
        self,
        questions: trio.MemoryReceiveChannel[Question],
        results: trio.MemorySendChannel[Result | _Crash],
    ) -> None:
        async with questions, results:
            async for question in questions:
                try:
                    result = await self._ask(question)
                except Exception as error:  # noqa: BLE001  # raised to whoever reads
                    await results.send(_Crash(error))
                    return
                await results.send(result)

    async def _ask(self, question: Question) -> Result:
        _require_question(question)
        stream: TokenStream | None = None
        deltas = 0
        self.under_way += 1
        try:
            async with self._provider.complete(question.messages, question.config) as stream:
                async for token in stream:
                    if not isinstance(token, End):
                        deltas += 1
                        self.deltas += 1
            # Only now, because the timings are complete when the block is left.
            return Answered(
                id=question.id,
                completion=stream.partial(),
                response=stream.response,
                deltas=deltas,
            )
        except (ProviderError, LocalProtocolError) as error:
            partial = Completion() if stream is None else stream.partial()
            # What is only remembered must not keep alive the frames that it passed through.
            return Failed(id=question.id, error=error.with_traceback(None), partial=partial)
        finally:
            self.under_way -= 1


def _require_question(value: object) -> None:
    if not isinstance(value, Question):
        example = 'Question(id=1, messages=[Message.user("…")])'
        raise TypeError(
            f"each question must be a Question, such as {example}, not {type(value).__name__}"
        )


@final
class Answers:
    """The results of `ask_all`, in the order in which they are complete; an async iterator.

    Any number of tasks may read it; each result goes to one of them. A call that is cancelled takes
    no result.
    """

    def __init__(self, work: _Work, results: trio.MemoryReceiveChannel[Result | _Crash]) -> None:
        self._work = work
        self._results = results

    @property
    def under_way(self) -> int:
        """How many questions are being asked at the moment."""
        return self._work.under_way

    @property
    def deltas(self) -> int:
        """How many tokens all streams together have brought so far."""
        return self._work.deltas

    def stop_asking(self) -> None:
        """Ask nothing new; the results of what is under way still come, and then no more."""
        self._work.stop()

    def __aiter__(self) -> Self:
        """Return the results themselves."""
        return self

    async def __anext__(self) -> Result:
        """Return the next result.

        Raises:
            StopAsyncIteration: All have come.
            Exception: What holds for every question, such as a `ValueError` because the endpoint
                cannot work as it is set up, a `TypeError` because something else is among the
                questions, or what the iterable of questions raised.
            trio.ClosedResourceError: The block of `ask_all` was left.
        """
        try:
            result = await self._results.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        if isinstance(result, _Crash):
            raise result.error
        return result
