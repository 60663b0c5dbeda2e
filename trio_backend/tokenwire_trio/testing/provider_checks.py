"""What a provider and its streams promise; `tokenwire.provider` has the words of it.

Each function opens a provider of its own, and raises `AssertionError` where a promise is broken.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeAlias, final

import attrs
import trio
import trio.testing
from attrs import field

from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.provider import Provider, TokenStream
from tokenwire.provider_config import ProviderConfig
from tokenwire.testing.invariants import (
    check_error,
    check_events,
    check_hides,
    check_one_end,
    shown_by_error,
)
from tokenwire.tokens import End, Token

#: Opens a provider for as long as a block lasts, with all that it needs.
OpenProvider: TypeAlias = Callable[[], AbstractAsyncContextManager[Provider]]

#: More than any sample says: a stream that goes on has no end, and may never let time pass.
_TOO_MANY_TOKENS: Final = 1000


@final
@attrs.frozen(kw_only=True)
class ProviderSample:
    """A provider in each of the situations that its contract speaks of.

    The first four open one anew for each check; servers of `tokenwire_trio.testing.serve` are a way
    to bring a provider into them. Two calls at least are made on each.

    Attributes:
        answering: Answers every call in full, with `text` in several tokens.
        stalling: Begins every answer with some text, and then says nothing more.
        breaking: Fails in every answer after some text.
        refusing: Fails every call before there is an answer.
        text: What `answering` says.
        key: The credential, which no error may show; empty if there is none.
        messages: What to ask.
        config: With which settings.
    """

    answering: OpenProvider
    stalling: OpenProvider
    breaking: OpenProvider
    refusing: OpenProvider
    text: str
    key: str = field(default="", repr=False)
    messages: tuple[Message, ...] = field(default=(Message.user("Hi"),), repr=False)
    config: ProviderConfig = field(factory=ProviderConfig)

    @asynccontextmanager
    async def stream(self, opened: OpenProvider) -> AsyncGenerator[TokenStream, None]:
        """Give the stream of one call."""
        async with opened() as provider, self.call(provider) as stream:
            yield stream

    def call(self, provider: Provider) -> AbstractAsyncContextManager[TokenStream]:
        """Make a call."""
        return provider.complete(self.messages, self.config)


class _LeavingError(Exception):
    """A program's own."""


# A whole answer


async def check_one_end_of_answer(sample: ProviderSample) -> None:
    """It ends in one `End`, and then asking for a token says for good that there is none."""
    async with sample.stream(sample.answering) as stream:
        tokens: list[Token] = []
        await _read(stream, tokens)
        check_events(tokens)
        check_one_end(tokens)
        text = "".join(token.text for token in tokens)
        assert text == sample.text, f"the answer is {text!r}, not {sample.text!r}"
        assert await _next(stream) is None, "a token comes behind the End"


async def check_collect(sample: ProviderSample) -> None:
    """Collecting gives all of it, also what was read before, and the same as `partial`."""
    async with sample.stream(sample.answering) as stream:
        await anext(stream)
        completion = await stream.collect()
        assert completion.text == sample.text, (
            f"collect gives {completion.text!r}: it has to keep the tokens that were read before"
        )
        assert completion.complete, "what collect gives has no end"
        assert stream.partial() == completion, "partial differs from collect at the end"


async def check_partial(sample: ProviderSample) -> None:
    """What has been read is always in `partial`, and nothing that is not the answer."""
    async with sample.stream(sample.answering) as stream:
        text = ""
        while (token := await _next(stream)) is not None and len(text) <= len(sample.text):
            text += token.text
            so_far = stream.partial().text
            assert so_far.startswith(text), f"partial is {so_far!r} where {text!r} was read"
            assert sample.text.startswith(so_far), f"partial holds {so_far!r}, which nobody said"
        assert stream.partial().complete, "partial has no end behind the End"


async def check_object(sample: ProviderSample) -> None:
    """A stream is an object that iterates over itself, and no generator (PEP 789)."""
    async with sample.stream(sample.answering) as stream:
        assert aiter(stream) is stream, "aiter(stream) is another object"
        assert not hasattr(stream, "athrow"), "the stream is an async generator: make it a class"
        status = stream.response.status
        assert status is None or 200 <= status < 300, f"an answer of status {status}"


async def check_calls_apart(sample: ProviderSample) -> None:
    """Calls at the same time and one after the other each get their own answer."""
    texts: list[str] = []

    async def ask(provider: Provider) -> None:
        async with sample.call(provider) as stream:
            texts.append((await stream.collect()).text)

    async with sample.answering() as provider:
        await ask(provider)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, provider)
            nursery.start_soon(ask, provider)
    assert texts == [sample.text] * 3, f"three calls were answered {texts!r}"


async def check_cancelled_read(sample: ProviderSample) -> None:
    """A read that is cancelled takes no token: what it did not return comes with the next."""
    async with sample.stream(sample.answering) as stream:
        text = ""
        while len(text) <= len(sample.text):
            with trio.CancelScope() as scope:
                scope.cancel()
                await anext(stream, None)
            assert scope.cancelled_caught, (
                "a read did not notice that it is cancelled: begin with checkpoint_if_cancelled"
            )
            token = await _next(stream)
            if token is None:
                break
            text += token.text
        assert text == sample.text, f"cancelled reads took tokens: {text!r} is left"


# An answer that is left


async def check_left_by_break(sample: ProviderSample) -> None:
    """Whoever has read enough leaves at once, and the provider takes the next call."""
    async with sample.stalling() as provider:
        for _ in range(2):
            async with sample.call(provider) as stream:
                async for _ in stream:
                    break
            await _check_closed(stream)


async def check_left_by_exception(sample: ProviderSample) -> None:
    """An exception of the program's passes through as it is."""
    error = _LeavingError()
    caught: BaseException | None = None
    try:
        async with sample.stream(sample.stalling) as stream:
            await anext(stream)
            raise error
    except Exception as raised:  # noqa: BLE001  # any but that one is the failure looked for
        caught = raised
    assert caught is error, f"an exception of the block came out as {caught!r}"


async def check_left_by_cancellation(sample: ProviderSample) -> None:
    """Cancelling a read in wait leaves the block at once, and `Cancelled` is not wrapped."""
    ended_in: BaseException | None = None
    async with sample.stalling() as provider:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery, sample.call(provider) as stream:
                await anext(stream)
                nursery.start_soon(_when_all_wait, scope.cancel)
                try:
                    await _next(stream)
                except BaseException as raised:
                    ended_in = raised
                    raise
        assert isinstance(ended_in, trio.Cancelled), (
            f"a cancelled read ended in {ended_in!r}: let trio.Cancelled through"
        )
        assert scope.cancelled_caught, "a cancelled block ended in something else"
        async with sample.call(provider) as stream:
            await anext(stream)


async def check_close_twice(sample: ProviderSample) -> None:
    """Closing again does nothing, and a closed stream says so."""
    async with sample.stream(sample.stalling) as stream:
        await anext(stream)
        await stream.aclose()
        await stream.aclose()
        await _check_closed(stream)


async def check_close_when_cancelled(sample: ProviderSample) -> None:
    """Closing closes, also where it is cancelled."""
    async with sample.stream(sample.stalling) as stream:
        await anext(stream)
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.aclose()
        await _check_closed(stream)


async def check_close_by_another(sample: ProviderSample) -> None:
    """A read in wait ends with `ClosedResourceError` when another task closes the stream."""
    async with sample.stream(sample.stalling) as stream, trio.open_nursery() as nursery:
        await anext(stream)
        nursery.start_soon(_when_all_wait, stream.aclose)
        await _check_closed(stream)


async def check_one_reader(sample: ProviderSample) -> None:
    """A second task that reads gets `BusyResourceError`, and the first one is not disturbed."""
    async with sample.stream(sample.stalling) as stream, trio.open_nursery() as nursery:
        await anext(stream)
        nursery.start_soon(_next, stream)
        await trio.testing.wait_all_tasks_blocked()
        told = False
        with trio.move_on_after(1):  # noqa: ASYNC912  # who is refused needs no checkpoint
            try:
                await _next(stream)
            except trio.BusyResourceError:
                told = True
        nursery.cancel_scope.cancel()
    assert told, "two tasks read one stream: raise trio.BusyResourceError for the second"


# An answer that fails


async def check_broken_answer(sample: ProviderSample) -> None:
    """It fails with one of the five kinds, says so again, and what had come is kept."""
    async with sample.stream(sample.breaking) as stream:
        tokens: list[Token] = []
        error = await _failure(stream, tokens)
        check_events([*tokens, error])
        assert not any(isinstance(token, End) for token in tokens), "a failure behind the End"
        assert error.tokens_emitted == len(tokens), (
            f"tokens_emitted is {error.tokens_emitted} where {len(tokens)} came"
        )
        partial = stream.partial()
        assert not partial.complete, "half an answer that is complete"
        text = "".join(token.text for token in tokens)
        assert partial.text == text, f"partial is {partial.text!r} where {text!r} came"
        again = await _failure(stream, [])
        assert again.facts() == error.facts(), f"asked again, the failure is another: {again!r}"
        check_hides(shown_by_error(error), sample.key)


async def check_broken_collect(sample: ProviderSample) -> None:
    """Collecting raises the failure, and does not pass half an answer for a whole."""
    async with sample.stream(sample.breaking) as stream:
        raised = False
        try:
            await stream.collect()
        except ProviderError:
            raised = True
        assert raised, "collect returns half an answer: it has to raise"


async def check_failure_leaves(sample: ProviderSample) -> None:
    """The failure leaves the block as it is, and the provider takes the next call."""
    async with sample.breaking() as provider:
        for _ in range(2):
            error: BaseException | None = None
            try:
                async with sample.call(provider) as stream:
                    await stream.collect()
            except Exception as raised:  # noqa: BLE001  # any kind but one is the failure looked for
                error = raised
            assert isinstance(error, ProviderError), f"the failure left the block as {error!r}"


async def check_refusal(sample: ProviderSample) -> None:
    """A call without an answer fails on entering, with one of the five kinds."""
    async with sample.refusing() as provider:
        for _ in range(2):
            error: BaseException | None = None
            try:
                async with sample.call(provider):
                    pass
            except Exception as raised:  # noqa: BLE001  # any kind but one is the failure looked for
                error = raised
            assert isinstance(error, ProviderError), (
                f"entering ended in {error!r}: what is known before the answer is raised there"
            )
            check_error(error)
            assert error.tokens_emitted == 0, "tokens were emitted before there was an answer"
            assert not error.in_stream, "in_stream is set before there was an answer"
            check_hides(shown_by_error(error), sample.key)


async def _next(stream: TokenStream) -> Token | None:
    """Return the next token, None behind the last."""
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None


async def _read(stream: TokenStream, tokens: list[Token]) -> None:
    """Add the tokens up to the end."""
    while (token := await _next(stream)) is not None:
        tokens.append(token)
        assert len(tokens) < _TOO_MANY_TOKENS, (
            "the stream does not end: raise StopAsyncIteration behind the End"
        )


async def _failure(stream: TokenStream, tokens: list[Token]) -> ProviderError:
    """Read to the failure, and add what comes before it."""
    try:
        await _read(stream, tokens)
    except ProviderError as error:
        return error
    raise AssertionError("an answer that breaks off is read as a whole one")


async def _check_closed(stream: TokenStream) -> None:
    closed = False
    try:
        await _next(stream)
    except trio.ClosedResourceError:
        closed = True
    assert closed, "a closed stream gives more: raise trio.ClosedResourceError"


async def _when_all_wait(act: Callable[[], Awaitable[None] | None]) -> None:
    await trio.testing.wait_all_tasks_blocked()
    result = act()
    if result is not None:
        await result
