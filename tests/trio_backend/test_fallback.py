"""`tokenwire_trio.fallback`: the next provider answers where one failed."""

from __future__ import annotations

from typing import cast

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.foreign import ForeignProvider
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import MemoryNetwork, answer, refusal, replies
from tokenwire import (
    Attempt,
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    Provider,
    ProviderError,
    RateLimitError,
    RetryPolicy,
)
from tokenwire.errors import OtherKind
from tokenwire_trio import Fallback, HTTPProvider, Limited, Retrying, may_succeed_elsewhere
from tokenwire_trio.testing.scripted import ScriptedAnswer, ScriptedProvider


def broken(message: str = "oops") -> OtherError:
    """Make the error of a server that fails."""
    return OtherError(message=message, kind="server", status=500, retryable=True)


def failing(error: Exception) -> ScriptedProvider:
    """Make a provider that fails on entering."""
    return ScriptedProvider(ScriptedAnswer.failing(error), repeat=True)


def answering(text: str) -> ScriptedProvider:
    """Make a provider that works."""
    return ScriptedProvider(ScriptedAnswer.of(text), repeat=True)


async def ask(provider: Provider) -> str:
    """Read an answer to its end."""
    async with provider.complete(HELLO) as stream:
        return (await stream.collect()).text


async def test_the_first_provider_that_works_answers() -> None:
    """The others are not asked, however often one calls."""
    first, second = answering("first"), answering("second")
    fallback = Fallback(first, second)
    assert [await ask(fallback), await ask(fallback)] == ["first", "first"]
    assert second.calls == []


@pytest.mark.parametrize(
    "answer",
    [ScriptedAnswer.failing(broken()), ScriptedAnswer(stream=(broken(),))],
    ids=["entering", "first read"],
)
async def test_the_next_provider_answers_where_one_fails(
    answer: ScriptedAnswer, autojump_clock: MockClock
) -> None:
    """At once, after the first one's block was left, and the caller can see it."""
    first, second = ScriptedProvider(answer), answering("second")
    open_calls: list[int] = []

    def tell(attempt: Attempt) -> None:
        told.append(attempt)

    told: list[Attempt] = []
    began = trio.current_time()
    async with Fallback(first, second, on_attempt=tell).complete(HELLO) as stream:
        assert (await anext(stream)).text == "second"
        open_calls.append(first.open_calls)
        assert [(attempt.number, attempt.delay_s) for attempt in stream.attempts] == [(1, 0.0)]
        assert stream.attempts == tuple(told)
    assert trio.current_time() == began
    assert open_calls == [0]


async def test_nobody_takes_over_an_answer_that_has_begun() -> None:
    """Half an answer of one model and a whole one of another are no answer."""
    first = ScriptedProvider(ScriptedAnswer.of("Hel", broken()))
    second = answering("second")
    async with Fallback(first, second).complete(HELLO) as stream:
        assert (await anext(stream)).text == "Hel"
        with pytest.raises(OtherError) as caught:
            await anext(stream)
    assert "the answer had begun" in caught.value.__notes__[0]
    assert second.calls == []


async def test_an_error_that_tells_of_tokens_counts_as_begun() -> None:
    """Also where the wrapper saw none of them."""
    cut = NetworkError(message="cut", phase="body", tokens_emitted=3)
    second = answering("second")
    with pytest.raises(NetworkError):
        await ask(Fallback(failing(cut), second))
    assert second.calls == []


async def test_the_last_providers_error_tells_of_the_others() -> None:
    """Whoever reads the traceback learns why each of them failed."""
    fallback = Fallback(failing(broken("one")), failing(broken("two")), failing(broken("three")))
    with pytest.raises(OtherError, match="three") as caught:
        await ask(fallback)
    [note] = caught.value.__notes__
    assert [word in note for word in ("one", "two", "no attempt is left")] == [True] * 3


async def test_notes_of_nested_wrappers_say_whose_attempts_they_count() -> None:
    """Else one seems to contradict the other."""
    fallback = Fallback(failing(broken("one")), failing(broken("two")))
    with pytest.raises(OtherError, match="two") as caught:
        await ask(Retrying(fallback))
    inner, outer = caught.value.__notes__
    assert inner.startswith("Fallback: attempt 2 was the last: no attempt is left")
    assert outer.startswith("Retrying: attempt 1 was the last: the request was sent")


def other(kind: str) -> OtherError:
    """Make an error of a kind."""
    return OtherError(message="no", kind=cast("OtherKind", kind))


@pytest.mark.parametrize(
    "error",
    [
        NetworkError(message="no", phase="dns", sent="nothing"),
        NetworkError(message="no", phase="head", retryable=True),
        AuthError(message="no"),
        RateLimitError(message="no", scope="quota"),
        RateLimitError(message="no", retryable=True),
        MalformedResponseError(message="no", reason="content_type"),
        *map(other, ("overloaded", "server", "timeout", "conflict", "not_found", "redirect")),
    ],
    ids=str,
)
async def test_what_lies_with_one_provider_falls_over(error: ProviderError) -> None:
    """Its network, its key, its limits, its servers, its models."""
    assert await ask(Fallback(failing(error), answering("second"))) == "second"


@pytest.mark.parametrize("kind", ["rejected", "context_length", "content_filter"])
async def test_what_lies_with_the_request_does_not_fall_over(kind: str) -> None:
    """Asking around until somebody takes it should be a decision."""
    second = answering("second")
    with pytest.raises(OtherError):
        await ask(Fallback(failing(other(kind)), second))
    assert second.calls == []


async def test_the_decision_is_the_callers() -> None:
    """A longer context elsewhere may well be worth asking for."""

    def falls_over(error: ProviderError) -> bool:
        too_long = isinstance(error, OtherError) and error.kind == "context_length"
        return too_long or may_succeed_elsewhere(error)

    small, big = failing(other("context_length")), answering("second")
    assert await ask(Fallback(small, big, falls_over=falls_over)) == "second"


@pytest.mark.parametrize("error", [LocalProtocolError("mistake"), KeyError("mistake")])
async def test_what_is_no_failure_of_the_provider_passes(error: Exception) -> None:
    """A caller's own mistake is the same with everybody."""
    second = answering("second")
    with pytest.raises(type(error), match="mistake"):
        await ask(Fallback(failing(error), second))
    assert second.calls == []


async def test_each_provider_can_have_its_own_retries(autojump_clock: MockClock) -> None:
    """The wrappers nest: the second provider is asked when the first one's attempts are used up."""
    policy = RetryPolicy(retry_sent=True, attempts=3)
    first, second = failing(broken()), answering("second")
    fallback = Fallback(
        Retrying(Limited(first, concurrency=1), policy),
        Retrying(Limited(second, concurrency=1), policy),
    )
    assert await ask(Limited(fallback, concurrency=1)) == "second"
    assert (len(first.calls), len(second.calls)) == (3, 1)


async def test_a_foreign_provider_can_be_wrapped() -> None:
    """Its block is left with the failure, as if that had come up in it."""
    failure = broken()
    one, two = ForeignProvider([failure]), ForeignProvider(["Hel", "lo"])
    wrapped: Provider = Fallback(one, two)
    async with wrapped.complete(HELLO) as stream:
        assert [token.text async for token in stream] == ["Hel", "lo"]
    assert (one.left_with, two.left_with) == ([failure], [None])


async def test_the_connection_that_failed_is_closed_first(nursery: trio.Nursery) -> None:
    """Over HTTP: when the second provider is dialled, nothing is open to the first any more."""
    first = MemoryNetwork(nursery, replies(refusal(500, close=True)))
    second = MemoryNetwork(nursery, replies(answer("second")))

    async def dial(host: str, port: int) -> trio.abc.Stream:
        assert [connection.closed for connection in first.connections] == [True]
        return await second(host, port)

    async with (
        HTTPProvider(provider_section(), dial=first) as one,
        HTTPProvider(provider_section(), dial=dial) as two,
    ):
        assert await ask(Fallback(one, two)) == "second"


def test_without_a_provider_it_is_refused() -> None:
    """There would be nobody to ask."""
    with pytest.raises(ValueError, match="needs a provider"):
        Fallback()


async def test_the_note_names_the_attempts_of_inner_retries(autojump_clock: MockClock) -> None:
    """An attempt of `Fallback` may be three of `Retrying`: the error tells of all."""
    refused = [_refused(f"refused {number}") for number in (1, 2)]
    retried = ScriptedProvider(*map(ScriptedAnswer.failing, refused))
    fallback = Fallback(Retrying(retried, RetryPolicy(attempts=2)), failing(broken("two")))
    with pytest.raises(OtherError, match="two") as caught:
        await ask(fallback)
    [note] = caught.value.__notes__
    assert note.splitlines()[1:] == [
        "attempt 1 failed before it: refused 2",
        "  Retrying: attempt 2 was the last: no attempt is left",
        "  attempt 1 failed before it: refused 1",
    ]


def _refused(message: str) -> NetworkError:
    return NetworkError(message=message, phase="tcp", sent="nothing", retryable=True)


def test_it_shows_what_it_wraps() -> None:
    """Enough for a log, and no message."""
    one = ScriptedProvider()
    assert repr(Fallback(one, one)) == f"<Fallback {one!r}, {one!r}>"
