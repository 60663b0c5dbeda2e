"""The contract can fail: whoever breaks one promise fails the check of that promise."""

# ruff: noqa: D102  # the methods are those of the protocol

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Self, TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.providers import NO_SETTINGS
from tests.trio_backend.testing.own_providers import KEY, SCRIPTED
from tokenwire import (
    Completion,
    Message,
    NetworkError,
    Provider,
    ProviderConfig,
    ProviderError,
    ResponseInfo,
    Token,
    TokenStream,
)
from tokenwire.tokens import End, TextDelta
from tokenwire_trio.testing import OpenProvider, ProviderSample, provider_contract

ONE_END = "answering: an answer has one end"
COLLECT = "answering: collect gives the whole"
PARTIAL = "answering: partial has what was read"
OBJECT = "answering: a stream is an object"
APART = "answering: calls do not mix"
NO_TOKEN = "answering: a cancelled read takes no token"
BREAK = "stalling: it can be left by break"
EXCEPTION = "stalling: it can be left by an exception"
CANCELLED = "stalling: it can be left by cancellation"
TWICE = "stalling: closing twice is closing"
CLOSES = "stalling: closing works when cancelled"
ANOTHER = "stalling: another task may close it"
ONE_READER = "stalling: one task reads at a time"
FAILS = "breaking: it fails with what had come"
RAISES = "breaking: collect raises"
LEAVES = "breaking: the failure leaves the block"
REFUSES = "refusing: entering fails"


class AnotherStream:
    """A stream that does as another one."""

    def __init__(self, stream: TokenStream) -> None:
        self.stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Token:
        return await anext(self.stream)

    async def aclose(self) -> None:
        await self.stream.aclose()

    @property
    def response(self) -> ResponseInfo:
        return self.stream.response

    def partial(self) -> Completion:
        return self.stream.partial()

    async def collect(self) -> Completion:
        return await self.stream.collect()


class AnotherProvider:
    """A provider that does as another one, to be broken at one place."""

    def __init__(
        self, provider: Provider, streams: Callable[[TokenStream], TokenStream] = AnotherStream
    ) -> None:
        self.provider = provider
        self.streams = streams

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = NO_SETTINGS
    ) -> AbstractAsyncContextManager[TokenStream]:
        return self.block(messages, config)

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        async with self.provider.complete(messages, config) as stream:
            yield self.streams(stream)


Breaking: TypeAlias = Callable[[Provider], Provider]


def with_stream(stream: Callable[[TokenStream], TokenStream]) -> Breaking:
    """Return what gives a provider another kind of stream."""
    return lambda provider: AnotherProvider(provider, stream)


def broken_sample(breaking: Breaking) -> ProviderSample:
    """Return the scripted provider in all situations, broken."""

    def broken(opened: OpenProvider) -> OpenProvider:
        @asynccontextmanager
        async def open_broken() -> AsyncGenerator[Provider, None]:
            async with opened() as provider:
                yield breaking(provider)

        return open_broken

    return attrs.evolve(
        SCRIPTED,
        key=KEY,
        answering=broken(SCRIPTED.answering),
        stalling=broken(SCRIPTED.stalling),
        breaking=broken(SCRIPTED.breaking),
        refusing=broken(SCRIPTED.refusing),
    )


class GoesOn(AnotherStream):
    """Says more behind the end."""

    ended = False

    async def __anext__(self) -> Token:
        if self.ended:
            return TextDelta("more")
        token = await anext(self.stream)
        self.ended = isinstance(token, End)
        return token


class ForgetsWhatWasRead(AnotherStream):
    """Collects only what is still to come."""

    async def collect(self) -> Completion:
        before = self.stream.partial()
        whole = await self.stream.collect()
        rest = whole.text.removeprefix(before.text)
        first = attrs.evolve(whole.first, parts=Message.assistant(rest).parts)
        return attrs.evolve(whole, choices=(first,))


class KeepsNothing(AnotherStream):
    """Has no partial answer."""

    def partial(self) -> Completion:
        return Completion()


class Generator(AnotherStream):
    """Can be thrown into, as a generator can."""

    async def athrow(self, error: BaseException) -> None:
        raise error


class Mixes(AnotherProvider):
    """Confuses calls at the same time."""

    calls = 0

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        self.calls += 1
        try:
            async with self.provider.complete(messages, config) as stream:
                await trio.lowlevel.checkpoint()
                if self.calls > 1:
                    await anext(stream)
                    stream = ForgetsWhatWasRead(stream)  # noqa: PLW2901  # another one
                yield stream
        finally:
            self.calls -= 1


class Swallows(AnotherStream):
    """Takes a token, and only then looks whether it is cancelled."""

    async def __anext__(self) -> Token:
        token: Token | None = None
        with trio.CancelScope(shield=True), trio.move_on_after(0.1):
            token = await anext(self.stream)
        await trio.lowlevel.checkpoint()
        return await anext(self.stream) if token is None else token


class Uncancellable(AnotherStream):
    """Does not look whether it is cancelled while tokens are there."""

    async def __anext__(self) -> Token:
        with trio.CancelScope(shield=True) as scope, trio.move_on_after(0.1):
            return await anext(self.stream)
        scope.shield = False
        return await anext(self.stream)


class StaysOpen(AnotherProvider):
    """Leaves the stream to whoever collects garbage."""

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        block = self.provider.complete(messages, config)
        yield await block.__aenter__()


class Wraps(AnotherProvider):
    """Puts every exception into one of its own."""

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        async with self.provider.complete(messages, config) as stream:
            try:
                yield AnotherStream(stream)
            except Exception as error:
                raise RuntimeError("the block failed") from error


class WrapsCancelled(AnotherStream):
    """Takes a cancellation for a failure."""

    async def __anext__(self) -> Token:
        try:
            return await anext(self.stream)
        except trio.Cancelled:  # noqa: ASYNC103  # the fault
            raise NetworkError(message="cancelled", provider="p", phase="body") from None  # noqa: ASYNC104


class ClosesOnce(AnotherStream):
    """Takes a second closing for a mistake."""

    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError("closed already")
        self.closed = True
        await self.stream.aclose()


class SaysGoodbye(AnotherStream):
    """Has something to wait for before it closes."""

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        await self.stream.aclose()


class Deaf(AnotherStream):
    """Does not notice that it is closed while it reads."""

    closed = False

    async def __anext__(self) -> Token:
        if self.closed:
            raise trio.ClosedResourceError
        try:
            return await anext(self.stream)
        except trio.ClosedResourceError:
            await trio.sleep_forever()  # noqa: ASYNC120  # the fault
            raise

    async def aclose(self) -> None:
        await self.stream.aclose()
        self.closed = True


class Queues(AnotherStream):
    """Lets a second reader wait for its turn."""

    def __init__(self, stream: TokenStream) -> None:
        super().__init__(stream)
        self.turn = trio.Lock()

    async def __anext__(self) -> Token:
        async with self.turn:
            return await anext(self.stream)


class HidesFailures(AnotherStream):
    """Takes a failure for the end."""

    async def __anext__(self) -> Token:
        try:
            return await anext(self.stream)
        except ProviderError:
            raise StopAsyncIteration from None

    async def collect(self) -> Completion:
        with suppress(ProviderError):
            await self.stream.collect()
        return self.partial()


class FailsInItsOwnWay(AnotherStream):
    """Raises what the socket raised."""

    async def __anext__(self) -> Token:
        try:
            return await anext(self.stream)
        except ProviderError:
            raise OSError("broken") from None


class Evolves(AnotherStream):
    """Says something else of its failure."""

    def __init__(self, stream: TokenStream, **facts: Any) -> None:
        super().__init__(stream)
        self.facts = facts

    async def __anext__(self) -> Token:
        try:
            return await anext(self.stream)
        except ProviderError as error:
            raise attrs.evolve(error, **self.facts) from None


class FailsOnce(AnotherStream):
    """Fails differently when asked again."""

    failed = False

    async def __anext__(self) -> Token:
        try:
            return await anext(self.stream)
        except ProviderError as error:
            text = "again" if self.failed else error.message
            self.failed = True
            raise attrs.evolve(error, message=text) from None


class CollectsHalves(AnotherStream):
    """Gives what there is."""

    async def collect(self) -> Completion:
        with suppress(ProviderError):
            return await self.stream.collect()
        return self.partial()


class SwallowsFailures(AnotherProvider):
    """Lets a failure end the block in silence."""

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        async with self.provider.complete(messages, config) as stream:
            with suppress(ProviderError):
                yield AnotherStream(stream)


class RefusesLate(AnotherProvider):
    """Enters where there is no answer, and fails at the first token."""

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        refusal: ProviderError | None = None
        try:
            async with self.provider.complete(messages, config) as stream:
                try:
                    yield AnotherStream(stream)
                except ProviderError as error:
                    refusal = error
        except ProviderError:
            async with opens_nothing() as stream:
                yield stream
        if refusal is not None:
            raise refusal


@asynccontextmanager
async def opens_nothing() -> AsyncGenerator[TokenStream, None]:
    """Give the stream of an answer that never begins."""
    async with SCRIPTED.stalling() as provider, provider.complete([Message.user("Hi")]) as stream:
        yield stream


class RefusesWithTokens(AnotherProvider):
    """Counts tokens before there are any."""

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        entered = False
        try:
            async with self.provider.complete(messages, config) as stream:
                entered = True
                yield AnotherStream(stream)
        except ProviderError as error:
            raise error if entered else attrs.evolve(error, tokens_emitted=1) from None


class LeavesTasks(AnotherProvider):
    """Hides a task."""

    @asynccontextmanager
    async def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AsyncGenerator[TokenStream, None]:
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
        async with self.provider.complete(messages, config) as stream:
            yield AnotherStream(stream)


BREACHES: dict[str, tuple[Breaking, str, set[str]]] = {
    "goes on": (with_stream(GoesOn), "does not end", {ONE_END, PARTIAL, NO_TOKEN}),
    "forgets": (with_stream(ForgetsWhatWasRead), "tokens that were read before", {COLLECT}),
    "keeps nothing": (with_stream(KeepsNothing), "where 'Hel' was read", {COLLECT, PARTIAL, FAILS}),
    "is a generator": (with_stream(Generator), "make it a class", {OBJECT}),
    "mixes calls": (Mixes, "three calls were answered", {APART}),
    "swallows tokens": (with_stream(Swallows), "cancelled reads took tokens", {NO_TOKEN}),
    "is deaf to cancelling": (with_stream(Uncancellable), "did not notice", {NO_TOKEN}),
    "stays open": (StaysOpen, "takes longer", {BREAK}),
    "wraps exceptions": (Wraps, "came out as RuntimeError", {EXCEPTION, LEAVES}),
    "wraps Cancelled": (
        with_stream(WrapsCancelled),
        "a cancelled read ended in",
        {CANCELLED, NO_TOKEN, ONE_READER},
    ),
    "closes once": (with_stream(ClosesOnce), "closed already", {TWICE}),
    "says goodbye": (with_stream(SaysGoodbye), "takes longer", {CLOSES}),
    "does not wake": (with_stream(Deaf), "takes longer", {ANOTHER, BREAK, CLOSES}),
    "queues readers": (with_stream(Queues), "BusyResourceError for the second", {ONE_READER}),
    "hides failures": (with_stream(HidesFailures), "as a whole one", {FAILS, RAISES, LEAVES}),
    "fails as sockets do": (with_stream(FailsInItsOwnWay), "OSError", {FAILS}),
    "miscounts": (
        with_stream(lambda stream: Evolves(stream, tokens_emitted=7)),
        "tokens_emitted is 7 where 1 came",
        {FAILS},
    ),
    "shows the key": (
        with_stream(lambda stream: Evolves(stream, code=KEY)),
        "a part of the key shows",
        {FAILS},
    ),
    "fails once": (with_stream(FailsOnce), "the failure is another", {FAILS}),
    "collects halves": (with_stream(CollectsHalves), "collect returns half", {RAISES, LEAVES}),
    "swallows failures": (SwallowsFailures, "left the block as None", {LEAVES}),
    "refuses late": (RefusesLate, "entering ended in None", {REFUSES}),
    "refuses with tokens": (RefusesWithTokens, "before there was an answer", {REFUSES}),
}


async def broken_promises(sample: ProviderSample) -> dict[str, str]:
    """Return the checks that fail, with what they say."""
    found: dict[str, str] = {}
    for check in provider_contract(sample):
        try:
            await check()
        except Exception as error:  # noqa: BLE001  # what a broken provider raises fails it, too
            found[str(check)] = repr(error)
    return found


async def test_an_honest_provider_fails_nothing(autojump_clock: MockClock) -> None:
    """Otherwise what follows would say nothing."""
    assert await broken_promises(broken_sample(AnotherProvider)) == {}


@pytest.mark.parametrize("name", BREACHES)
async def test_a_broken_promise_fails_its_check(name: str, autojump_clock: MockClock) -> None:
    """That one and no other, but for those that the same fault breaks; and it says what to do."""
    breaking, told, promises = BREACHES[name]
    broken = await broken_promises(broken_sample(breaking))
    assert broken.keys() == promises
    assert any(told in message for message in broken.values())


def test_every_promise_can_be_broken() -> None:
    """A check that nothing fails would check nothing."""
    names = {str(check) for check in provider_contract(SCRIPTED)}
    assert names == {promise for _, _, promises in BREACHES.values() for promise in promises}


async def test_a_task_that_stays_fails_every_check(autojump_clock: MockClock) -> None:
    """Whatever the provider does else."""
    broken = await broken_promises(broken_sample(LeavesTasks))
    assert len(broken) == len(provider_contract(SCRIPTED))
    assert all("left behind" in message for message in broken.values())
