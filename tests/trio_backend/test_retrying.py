"""`tokenwire_trio.retrying`: another attempt, but only where it does no harm."""

from __future__ import annotations

import random
import traceback
from itertools import chain, repeat

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.foreign import ForeignProvider
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import (
    Handler,
    MemoryNetwork,
    answer,
    answers_each,
    socket_server,
)
from tokenwire import (
    Attempt,
    LocalProtocolError,
    Message,
    NetworkError,
    Provider,
    ProviderConfig,
    ProviderError,
    RateLimitError,
    RetryBudget,
    RetryPolicy,
)
from tokenwire_trio import AttemptedStream, HTTPProvider, Limited, Retrying
from tokenwire_trio.testing.scripted import SILENCE, ScriptedAnswer, ScriptedProvider

STEADY = RetryPolicy(jitter=0)
EAGER = RetryPolicy(jitter=0, retry_overloaded=True, retry_sent=True)
GOOD = ScriptedAnswer.of("Hel", "lo")


def unsent(message: str = "refused") -> NetworkError:
    """Make the error of a request of which nothing was sent."""
    return NetworkError(message=message, phase="tcp", sent="nothing", retryable=True)


def cut() -> NetworkError:
    """Make the error of a connection that broke while the answer was awaited."""
    return NetworkError(message="reset", phase="body", in_stream=True, retryable=True)


FIRST_READ_FAILS = ScriptedAnswer(stream=(unsent(),))


async def ask(provider: Provider) -> str:
    """Read an answer to its end."""
    async with provider.complete(HELLO) as stream:
        return (await stream.collect()).text


async def test_a_failure_on_entering_is_followed_by_another_attempt(
    autojump_clock: MockClock,
) -> None:
    """The block is entered when an attempt works, and knows of those that did not."""
    failure = unsent()
    provider = ScriptedProvider(ScriptedAnswer.failing(failure), GOOD)
    async with Retrying(provider, STEADY).complete(HELLO) as stream:
        assert stream.attempts == (Attempt(number=1, error=failure, delay_s=0.5),)
        assert (await stream.collect()).text == "Hello"
    assert len(provider.calls) == 2


async def test_a_failure_before_the_first_token_is_followed_by_another_attempt(
    autojump_clock: MockClock,
) -> None:
    """Reading goes on as if nothing had happened, with the answer of the second attempt."""
    provider = ScriptedProvider(ScriptedAnswer(stream=(1.0, cut())), GOOD)
    async with Retrying(provider, EAGER).complete(HELLO) as stream:
        assert len(provider.calls) == 1
        assert [token.text async for token in stream] == ["Hel", "lo", ""]
        assert [attempt.number for attempt in stream.attempts] == [1]
        assert stream.partial().text == "Hello"
        assert stream.response.status == 200


@pytest.mark.parametrize(
    "failing",
    [ScriptedAnswer.failing(unsent(), after_s=1), ScriptedAnswer(stream=(1.0, unsent()))],
    ids=["entering", "first read"],
)
async def test_an_attempt_is_left_before_the_pause(
    failing: ScriptedAnswer, autojump_clock: MockClock
) -> None:
    """Its connection is closed at once, and the next one opened after the pause."""
    provider = ScriptedProvider(failing, GOOD)
    assert await ask(Retrying(provider, STEADY)) == "Hello"
    first, second = provider.calls
    assert first.left_at == first.entered_at + 1
    assert second.entered_at == first.entered_at + 1.5


async def test_nothing_is_tried_again_after_the_first_token(autojump_clock: MockClock) -> None:
    """The error comes through, and what had come is still there."""
    failure = cut()
    provider = ScriptedProvider(ScriptedAnswer.of("Hel", failure), GOOD)
    async with Retrying(provider, EAGER).complete(HELLO) as stream:
        assert (await anext(stream)).text == "Hel"
        with pytest.raises(NetworkError) as caught:
            await anext(stream)
        assert caught.value is failure
        assert stream.partial().text == "Hel"
        assert stream.attempts == (Attempt(number=1, error=failure, gave_up="answer_begun"),)
    assert len(provider.calls) == 1


async def test_the_last_error_tells_of_all_attempts(autojump_clock: MockClock) -> None:
    """It is the last attempt's own, with a note, and no chain that leads to the others' frames."""
    provider = ScriptedProvider(
        ScriptedAnswer.failing(unsent("first")),
        ScriptedAnswer(stream=(unsent("second"),)),
        ScriptedAnswer.failing(unsent("third")),
    )
    async with Retrying(provider, STEADY).complete(HELLO) as stream:
        with pytest.raises(NetworkError, match="third") as caught:
            await anext(stream)
        with pytest.raises(NetworkError, match="third"):
            await anext(stream)
        assert [attempt.gave_up for attempt in stream.attempts] == [None, None, "attempts"]
        assert [attempt.error.__traceback__ for attempt in stream.attempts[:2]] == [None, None]
    note = "\n".join(caught.value.__notes__)
    assert "no attempt is left" in note
    assert "first" in note
    assert "second" in note
    assert caught.value.__cause__ is caught.value.__context__ is None


async def test_failed_attempts_are_told_as_they_happen(autojump_clock: MockClock) -> None:
    """Also where entering fails in the end, and there is no stream to ask."""
    told: list[tuple[int, float | None, float]] = []

    def tell(attempt: Attempt) -> None:
        told.append((attempt.number, attempt.delay_s, trio.current_time() - began))

    provider = ScriptedProvider(ScriptedAnswer.failing(unsent(), after_s=1), repeat=True)
    began = trio.current_time()
    with pytest.raises(NetworkError):
        await ask(Retrying(provider, STEADY, on_attempt=tell))
    assert told == [(1, 0.5, 1.0), (2, 1.0, 2.5), (3, None, 4.5)]


async def test_the_pause_that_a_server_asks_for_is_kept(autojump_clock: MockClock) -> None:
    """Not a moment less."""
    busy = RateLimitError(message="wait", retry_after=30.0, retryable=True)
    provider = ScriptedProvider(ScriptedAnswer.failing(busy), GOOD)
    began = trio.current_time()
    assert await ask(Retrying(provider, EAGER)) == "Hello"
    assert trio.current_time() - began == 30


async def test_a_pause_beyond_the_cap_surfaces_at_once(autojump_clock: MockClock) -> None:
    """Nobody sleeps for a day because a server says so."""
    busy = RateLimitError(message="wait", retry_after=86_400.0, retryable=True)
    provider = ScriptedProvider(ScriptedAnswer.failing(busy), GOOD)
    began = trio.current_time()
    with pytest.raises(RateLimitError) as caught:
        await ask(Retrying(provider, EAGER))
    assert trio.current_time() == began
    assert "max_retry_after_s" in caught.value.__notes__[0]


async def test_jitter_comes_from_the_given_randomness(autojump_clock: MockClock) -> None:
    """So a test, or a simulation, can be replayed by its seed."""
    provider = ScriptedProvider(ScriptedAnswer.failing(unsent()), GOOD)
    retrying = Retrying(provider, randomness=random.Random(7))  # noqa: S311  # no secret
    async with retrying.complete(HELLO) as stream:
        delays = [attempt.delay_s for attempt in stream.attempts]
    expected = 0.5 - 0.5 * 0.25 * random.Random(7).random()  # noqa: S311  # the same
    assert delays == [pytest.approx(expected)]


async def test_a_shared_budget_bounds_all_calls(autojump_clock: MockClock) -> None:
    """Two providers that share one make no more retries than it has."""
    budget = RetryBudget(capacity=3, per_request=0, per_second=0)
    providers = [ScriptedProvider(ScriptedAnswer.failing(unsent()), repeat=True) for _ in range(2)]
    for provider in providers:
        for _ in range(5):
            with pytest.raises(NetworkError):
                await ask(Retrying(provider, STEADY, budget=budget))
    assert sum(len(provider.calls) for provider in providers) == 10 + 3


async def test_each_call_pays_into_the_budget_once(autojump_clock: MockClock) -> None:
    """However many attempts it makes."""
    budget = RetryBudget(capacity=10, per_request=0.25, per_second=0)
    for _ in range(5):
        budget.withdraw(trio.current_time())
    provider = ScriptedProvider(ScriptedAnswer.failing(unsent()), GOOD)
    await ask(Retrying(provider, STEADY, budget=budget))
    assert budget.balance(trio.current_time()) == 5 + 0.25 - 1


@pytest.mark.parametrize("error", [LocalProtocolError("mistake"), ValueError("mistake")])
async def test_what_is_no_failure_of_the_provider_passes(error: Exception) -> None:
    """A caller's own mistake, and whatever somebody else's provider raises."""
    provider = ScriptedProvider(ScriptedAnswer.failing(error), GOOD)
    with pytest.raises(type(error), match="mistake"):
        await ask(Retrying(provider, EAGER))
    assert len(provider.calls) == 1


async def test_the_same_is_asked_in_each_attempt(autojump_clock: MockClock) -> None:
    """Also where the caller goes on with its list of messages meanwhile."""
    provider = ScriptedProvider(ScriptedAnswer(stream=(unsent(),)), GOOD)
    messages, config = list(HELLO), ProviderConfig(model="m")
    async with Retrying(provider, STEADY).complete(messages, config) as stream:
        messages.append(Message.user("more"))
        await stream.collect()
    for call in provider.calls:
        assert (list(call.messages), call.config) == (HELLO, config)


async def test_the_callers_deadline_ends_a_pause(autojump_clock: MockClock) -> None:
    """The endpoint's deadlines hold for each attempt; the caller's scope for all of them."""
    busy = RateLimitError(message="wait", retry_after=100.0, retryable=True)
    provider = ScriptedProvider(ScriptedAnswer.failing(busy), GOOD)
    began = trio.current_time()
    with trio.move_on_after(2) as scope:
        await ask(Retrying(provider, EAGER))
    assert scope.cancelled_caught
    assert trio.current_time() - began == 2


async def test_a_pause_goes_on_after_a_cancelled_read(autojump_clock: MockClock) -> None:
    """The next read waits for the rest of it, and loses no token."""
    busy = RateLimitError(message="wait", retry_after=3.0, retryable=True)
    provider = ScriptedProvider(ScriptedAnswer(stream=(busy,)), GOOD)
    began = trio.current_time()
    async with Retrying(provider, EAGER).complete(HELLO) as stream:
        with trio.move_on_after(1):
            await anext(stream)
        assert (await stream.collect()).text == "Hello"
    assert trio.current_time() - began == 3


async def test_an_attempt_that_was_cancelled_is_not_made_again(autojump_clock: MockClock) -> None:
    """Its request may have been sent: a read must not send it twice unasked."""
    slow = ScriptedAnswer(entering=(10.0,))
    provider = ScriptedProvider(ScriptedAnswer(stream=(unsent(),)), slow, GOOD)
    async with Retrying(provider, STEADY).complete(HELLO) as stream:
        with trio.move_on_after(1):
            await anext(stream)
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)
    assert len(provider.calls) == 2
    assert provider.open_calls == 0


async def test_an_attempt_that_broke_off_is_not_mistaken_for_the_one_before(
    autojump_clock: MockClock,
) -> None:
    """What a stream says after its block was left is no answer."""
    foreign: Provider = ForeignProvider([unsent(), "stale"])
    async with Retrying(foreign, STEADY).complete(HELLO) as stream:
        with pytest.raises(RuntimeError):  # the second attempt, which it does not expect
            await anext(stream)
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)


async def test_a_closed_stream_makes_no_attempt_that_was_due(autojump_clock: MockClock) -> None:
    """Closing between two reads ends the pause as well."""
    provider = ScriptedProvider(FIRST_READ_FAILS, GOOD)
    async with Retrying(provider, STEADY).complete(HELLO) as stream:
        with trio.move_on_after(0.1):
            await anext(stream)
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)
    assert len(provider.calls) == 1


@pytest.mark.parametrize("how", ["aclose", "leave"])
@pytest.mark.parametrize(
    ("answers", "after_s"),
    [
        ((ScriptedAnswer.of(SILENCE),), 0.1),
        ((FIRST_READ_FAILS, GOOD), 0.1),
        ((FIRST_READ_FAILS, ScriptedAnswer(entering=(10.0,))), 1),
        ((FIRST_READ_FAILS, ScriptedAnswer.of(SILENCE)), 1),
    ],
    ids=["first attempt", "pause", "entering again", "second attempt"],
)
async def test_closing_ends_a_read_in_another_task(
    answers: tuple[ScriptedAnswer, ...], after_s: float, how: str, autojump_clock: MockClock
) -> None:
    """Wherever the reader is, it learns that the stream is closed, and nothing stays open."""
    provider = ScriptedProvider(*answers)

    reader_told = trio.Event()

    async def read(stream: AttemptedStream) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)
        reader_told.set()

    async with trio.open_nursery() as nursery:
        async with Retrying(provider, STEADY).complete(HELLO) as stream:
            nursery.start_soon(read, stream)  # noqa: ASYNC111  # that it closes is the point
            await trio.sleep(after_s)
            if how == "aclose":
                for _ in range(2):
                    await stream.aclose()
                await wait_all_tasks_blocked()
                assert reader_told.is_set()
            calls, began = len(provider.calls), trio.current_time()
        assert provider.open_calls == 0
    assert len(provider.calls) == calls
    assert trio.current_time() == began
    with pytest.raises(trio.ClosedResourceError):
        await anext(stream)


@pytest.mark.parametrize(
    "answers",
    [(FIRST_READ_FAILS, GOOD), (ScriptedAnswer.of(1.0, "Hello"),), (ScriptedAnswer.of("", 1.0),)],
    ids=["pause", "first token", "later token"],
)
async def test_a_second_reader_is_told(
    answers: tuple[ScriptedAnswer, ...], autojump_clock: MockClock
) -> None:
    """Two tasks that read one answer would each get half of it."""
    async with (
        Retrying(ScriptedProvider(*answers), STEADY).complete(HELLO) as stream,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(stream.collect)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(stream)


async def test_a_failing_body_leaves_the_last_attempts_block() -> None:
    """What the caller raises is seen by the wrapped provider, and comes out."""
    provider = ScriptedProvider(GOOD)
    with pytest.raises(KeyError):
        async with Retrying(provider).complete(HELLO):
            raise KeyError
    assert provider.open_calls == 0


async def test_a_foreign_provider_can_be_wrapped(autojump_clock: MockClock) -> None:
    """Its block is left with the failure, as if that had come up in it."""
    failure = unsent()
    foreign = ForeignProvider([failure], ["Hel", "lo"])
    wrapped: Provider = Retrying(foreign, STEADY)
    async with wrapped.complete(HELLO) as stream:
        assert [token.text async for token in stream] == ["Hel", "lo"]
    assert foreign.left_with == [failure, None]


async def test_a_limit_inside_is_given_back_for_the_pause(autojump_clock: MockClock) -> None:
    """Another call gets the place while this one waits."""
    provider = ScriptedProvider(ScriptedAnswer.failing(unsent()), GOOD, GOOD)
    limited = Limited(provider, concurrency=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, Retrying(limited, STEADY))
        await wait_all_tasks_blocked()
        began = trio.current_time()
        assert await ask(limited) == "Hello"
        assert trio.current_time() == began


async def test_no_prompt_is_in_what_goes_wrong(autojump_clock: MockClock) -> None:
    """Not in a traceback with the local variables of our frames either."""
    provider = ScriptedProvider(ScriptedAnswer.failing(unsent()), repeat=True)
    with pytest.raises(ProviderError) as caught:
        await Retrying(provider).complete([Message.user("canary")]).__aenter__()
    frames = list(traceback.walk_tb(caught.tb))[1:]
    shown = traceback.StackSummary.extract(iter(frames), capture_locals=True).format()
    assert len(frames) >= 3
    assert "canary" not in "".join(shown) + repr(caught.value) + "".join(caught.value.__notes__)
    assert "canary" not in repr(Retrying(provider))


def busy_at_first(headers: str) -> Handler:
    """Make a server that answers 429 with these headers to its first request, then the answer."""
    busy = f"HTTP/1.1 429 Busy\r\n{headers}\r\ncontent-length: 0\r\n\r\n".encode()
    return answers_each(chain([busy], repeat(answer("Hel", "lo"))))


@pytest.mark.parametrize(
    "headers",
    [
        "retry-after: 2",
        "retry-after-ms: 2000",
        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:39 GMT",
    ],
    ids=["seconds", "milliseconds", "date"],
)
async def test_a_servers_retry_after_is_kept_in_each_spelling(
    headers: str, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """From the bytes of the 429 to the second request, it takes the two seconds it says."""
    network = MemoryNetwork(nursery, busy_at_first(headers))
    began = trio.current_time()
    async with HTTPProvider(provider_section(), dial=network) as provider:
        assert await ask(Retrying(provider, EAGER)) == "Hello"
    assert trio.current_time() - began == pytest.approx(2)


async def test_it_works_over_a_real_socket() -> None:
    """A busy server, a real connection and a real clock."""
    async with (
        socket_server(busy_at_first("retry-after-ms: 10")) as base_url,
        HTTPProvider(provider_section(base_url)) as provider,
        Retrying(provider, EAGER).complete(HELLO) as stream,
    ):
        attempt = stream.attempts[0]
        assert isinstance(attempt.error, RateLimitError)
        assert attempt.delay_s == pytest.approx(0.01)
        assert (await stream.collect()).text == "Hello"


async def test_a_refused_connection_is_tried_again_by_default(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nothing was sent, so nothing can be done twice."""
    network = MemoryNetwork(nursery, busy_at_first(""))
    dials = 0

    async def dial(host: str, port: int) -> trio.abc.Stream:
        nonlocal dials
        dials += 1
        if dials == 1:
            raise ConnectionRefusedError
        return await network(host, port)

    async with HTTPProvider(provider_section(), dial=dial) as provider:
        with pytest.raises(RateLimitError) as caught:
            await ask(Retrying(provider))
    assert "retry_overloaded" in caught.value.__notes__[0]
    assert dials == 2
