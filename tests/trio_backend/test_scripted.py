"""`tokenwire_trio.testing.scripted`: the provider that others' tests rely on."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.trio_backend.providers import HELLO
from tokenwire import NetworkError, Provider, ProviderConfig, TextDelta
from tokenwire_trio.testing.scripted import SILENCE, ScriptedAnswer, ScriptedProvider

FAILURE = NetworkError(message="reset", phase="body")


async def test_it_answers_as_the_script_says(autojump_clock: MockClock) -> None:
    """Texts, pauses and the end come in order, and the call is there to look at."""
    scripted = ScriptedProvider(ScriptedAnswer.of("Hel", 2.0, TextDelta("lo")))
    provider: Provider = scripted
    config = ProviderConfig(model="m")
    async with provider.complete(HELLO, config) as stream:
        assert scripted.open_calls == 1
        completion = await stream.collect()
    assert (completion.text, completion.finish) == ("Hello", "stop")
    [call] = scripted.calls
    assert (list(call.messages), call.config) == (HELLO, config)
    assert call.left_at == call.entered_at + 2


async def test_it_fails_as_the_script_says(autojump_clock: MockClock) -> None:
    """On entering, after some time, or in mid-answer, however often one reads."""
    provider = ScriptedProvider(
        ScriptedAnswer.failing(FAILURE, after_s=3), ScriptedAnswer.of("Hel", FAILURE)
    )
    began = trio.current_time()
    with pytest.raises(NetworkError):
        await provider.complete(HELLO).__aenter__()
    assert trio.current_time() - began == 3
    assert provider.open_calls == 0
    async with provider.complete(HELLO) as stream:
        await anext(stream)
        for _ in range(2):
            with pytest.raises(NetworkError):
                await anext(stream)
        assert stream.partial().text == "Hel"


async def test_a_cancelled_pause_goes_on(autojump_clock: MockClock) -> None:
    """It lasts as long as it says, however often its reader is cancelled."""
    began = trio.current_time()
    async with ScriptedProvider(ScriptedAnswer.of(3.0, "Hello")).complete(HELLO) as stream:
        for _ in range(2):
            with trio.move_on_after(1):
                await anext(stream)
        assert (await anext(stream)).text == "Hello"
    assert trio.current_time() - began == 3


async def test_silence_lasts_until_the_stream_is_closed(nursery: trio.Nursery) -> None:
    """The reader then learns that it is."""

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)

    async with ScriptedProvider(ScriptedAnswer.of(SILENCE)).complete(HELLO) as stream:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(stream)


async def test_a_script_that_is_over_says_so() -> None:
    """A call that nobody thought of fails the test, unless the script repeats."""
    with pytest.raises(AssertionError, match="no answer for call 1"):
        await ScriptedProvider().complete(HELLO).__aenter__()
    repeating = ScriptedProvider(ScriptedAnswer.of("a"), ScriptedAnswer.of("b"), repeat=True)
    texts: list[str] = []
    for _ in range(3):
        async with repeating.complete(HELLO) as stream:
            texts.append((await stream.collect()).text)
    assert texts == ["a", "b", "a"]


def test_a_bare_text_is_no_answer() -> None:
    """The test that says so by mistake learns what to write."""
    text: Any = "Hello"
    with pytest.raises(TypeError, match=r'such as ScriptedAnswer.of\("Hello"\), not str'):
        ScriptedProvider(text)


def test_a_list_of_steps_is_no_step() -> None:
    """It would fail only where the answer is read."""
    texts: Any = ["Hel", "lo"]
    with pytest.raises(TypeError, match="each step is an argument of its own"):
        ScriptedAnswer.of(texts)
