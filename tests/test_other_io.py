"""The examples with other I/O come to the same as the trio transport, against the same servers."""

from __future__ import annotations

import asyncio
import runpy
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from pathlib import Path
from threading import Event
from typing import Any, Final

import attrs
import pytest
import trio

from tests.conftest import TLSServer
from tests.patience import HANGS_S, longer_and_longer
from tests.trio_backend.cli_process import child_environment
from tests.trio_backend.playing import section_for
from tests.trio_backend.providers import HELLO, provider_section, streaming
from tokenwire import (
    Deadlines,
    End,
    Events,
    NetworkError,
    ProviderConfig,
    ProviderError,
    ProviderSection,
    TLSSettings,
)
from tokenwire_trio.testing import SCENARIOS, MisbehavingServer, Outcome, serve
from tokenwire_trio.testing.scenario import Over

_EXAMPLES: Final = Path(__file__).parents[1] / "examples"
_NAMES: Final = ("asyncio_streams", "blocking_sockets", "over_httpx")

pytestmark = pytest.mark.skipif(
    not (_EXAMPLES / f"{_NAMES[0]}.py").is_file(), reason="the examples are not here"
)

#: Says something, and then waits for as long as somebody listens.
_STALLING: Final = SCENARIOS["stall-in-mid-token"]

each_example = pytest.mark.parametrize("name", _NAMES)


def _call(name: str, section: ProviderSection, show: Callable[[Events], object]) -> Any:
    """Make the call of an example, without asking yet."""
    return runpy.run_path(str(_EXAMPLES / f"{name}.py"))["Call"](section, show)


async def _ask(call: Any) -> None:
    """Let an example ask in a thread, where it finds the event loop that it wants, or none."""

    def ask() -> None:
        asking = call.ask(HELLO[0])
        if isawaitable(asking):
            asyncio.run(_awaiting(asking))

    await trio.to_thread.run_sync(ask)


async def _awaiting(asking: Any) -> None:
    await asking


def _error(events: Events) -> ProviderError | None:
    return next((event for event in events if isinstance(event, ProviderError)), None)


@each_example
@pytest.mark.parametrize("over", ["tcp", "tls"])
async def test_a_model_says_the_same(
    name: str, over: Over, request: pytest.FixtureRequest, llama_url: str
) -> None:
    """A real server's answer has the same text and the same end as under trio."""
    section = provider_section(llama_url)
    if over == "tls":
        server: TLSServer = request.getfixturevalue("llama_tls")
        section = provider_section(server.base_url, tls=TLSSettings(ca_file=str(server.ca_file)))
    config = ProviderConfig(model="tiny-chat", temperature=0, seed=1, max_output_tokens=16)
    section = attrs.evolve(section, defaults=config)
    async with streaming(section) as stream:
        expected = await stream.collect()
    events: Events = []
    await _ask(call := _call(name, section, events.extend))
    assert call.exchange.partial().text == expected.text != ""
    assert isinstance(end := events[-1], End)
    assert (end.finish, end.usage) == (expected.finish, expected.usage)
    assert len(events) > 3


#: One of each sort: whole in odd ways, cut, an error after the head, a refusal, no HTTP at all.
_SCENARIOS: Final = (
    "well-behaved",
    "one-byte-segments",
    "interim-responses",
    "connection-close",
    "done-held-open",
    "no-answer",
    "cut-after-head",
    "cut-in-mid-chunk",
    "closed-in-mid-answer",
    "reset-in-mid-body",
    "rate-limit-in-mid-stream",
    "error-object",
    "bad-json",
    "html-page",
    "gzip",
    "bad-key",
    "too-many-requests",
    "echo-in-a-refusal",
    "redirect",
    "another-protocol",
    "chunk-size-no-number",
)


@each_example
@pytest.mark.parametrize("over", ["tcp", "tls"])
@pytest.mark.parametrize("scenario", _SCENARIOS)
async def test_a_misbehaving_server_comes_to_the_same(
    name: str, scenario: str, over: Over, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Whole answers, early ends, errors, refusals and garbage: each as its scenario says."""
    misbehaviour = SCENARIOS[scenario]
    events: Events = []
    async with serve(misbehaviour, tls=server_context if over == "tls" else None) as server:
        section = section_for(server, ca_file, deadlines=Deadlines(total=HANGS_S))
        await _ask(call := _call(name, section, events.extend))
    outcome = Outcome.of(call.exchange.partial().text, _error(events))
    assert outcome.differences(misbehaviour.expected(over)) == {}


@each_example
async def test_the_deadline_ends_a_silent_answer(name: str, ca_file: Path) -> None:
    """What had come is kept, and the error has the deadline's name."""

    async def events_within(total_s: float) -> Events:
        events: Events = []
        async with serve(_STALLING) as server:
            section = section_for(server, ca_file, deadlines=Deadlines(total=total_s))
            await _ask(_call(name, section, events.extend))
        return events

    events = await longer_and_longer(events_within, struck=lambda events: len(events) > 1)
    assert isinstance(error := _error(events), NetworkError)
    assert (error.timeout, error.phase, error.retryable) == ("total", "body", True)
    assert error.message == "the total deadline ran out"
    assert error.tokens_emitted == len(events) - 1 > 0


@each_example
async def test_nobody_is_there(name: str) -> None:
    """A refused connection is told as one: nothing was sent."""
    events: Events = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        section = provider_section(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        await _ask(_call(name, section, events.extend))
    [error] = events
    assert isinstance(error, NetworkError)
    assert (error.phase, error.sent, error.timeout) == ("tcp", "nothing", None)


@each_example
async def test_a_stranger_is_not_trusted(name: str, server_context: ssl.SSLContext) -> None:
    """Without the server's authority there is no connection, and no key for whoever it is."""
    events: Events = []
    async with serve(SCENARIOS["well-behaved"], tls=server_context) as server:
        await _ask(_call(name, provider_section(server.base_url), events.extend))
    [error] = events
    assert isinstance(error, NetworkError)
    assert error.sent == "nothing"
    assert "certificate" in error.message.lower()
    assert server.visits[0].received == b""


@pytest.mark.parametrize("name", ["asyncio_streams", "over_httpx"])
@pytest.mark.parametrize("over", ["tcp", "tls"])
async def test_cancelling_closes_the_connection(
    name: str, over: Over, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """The server sees that nobody listens any more, while the program goes on."""
    begun, left = Event(), Event()

    async def cancel_in_mid_answer(section: ProviderSection) -> None:
        call = _call(name, section, lambda events: begun.set() if events else None)
        asking = asyncio.create_task(call.ask(HELLO[0]))
        await asyncio.to_thread(begun.wait)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # Else the end of the event loop would close what the call left open.
        assert await asyncio.to_thread(left.wait, HANGS_S)

    async with serve(_STALLING, tls=server_context if over == "tls" else None) as server:
        section = section_for(server, ca_file)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                trio.to_thread.run_sync, lambda: asyncio.run(cancel_in_mid_answer(section))
            )
            await trio.to_thread.run_sync(begun.wait)
            await _until_left(server)
            left.set()


@pytest.mark.parametrize("over", ["tcp", "tls"])
async def test_another_thread_ends_a_blocking_call(
    over: Over, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Its own thread gets an error at once, and the server sees that nobody listens any more."""
    begun, events = Event(), list[Any]()

    def show(batch: Events) -> None:
        events.extend(batch)
        begun.set()

    async with serve(_STALLING, tls=server_context if over == "tls" else None) as server:
        call = _call("blocking_sockets", section_for(server, ca_file), show)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ask, call)
            await trio.to_thread.run_sync(begun.wait)
            call.line.shutdown(socket.SHUT_RDWR)
            await _until_left(server)
    assert isinstance(events[-1], NetworkError)
    assert events[-1].phase == "body"


async def _until_left(server: MisbehavingServer) -> None:
    with trio.fail_after(HANGS_S):
        await server.visits[0].over.wait()
    assert server.visits[0].left is not None


@each_example
def test_the_program_answers(name: str, llama_url: str) -> None:
    """Configured by the environment, it prints the text."""
    result = _run(name, "Hello", TOKENWIRE_PROVIDER_BASE_URL=llama_url)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout) > 3


@each_example
async def test_the_program_says_how_it_failed(name: str) -> None:
    """On a line of its own, which is no part of the answer."""

    async def run_within(total_s: float) -> subprocess.CompletedProcess[str]:
        async with serve(_STALLING) as server:
            run = partial(
                _run,
                name,
                "Hello",
                TOKENWIRE_PROVIDER_BASE_URL=server.base_url,
                TOKENWIRE_PROVIDER_DEADLINES_TOTAL=str(total_s),
            )
            return await trio.to_thread.run_sync(run)

    result = await longer_and_longer(run_within, struck=lambda result: bool(result.stdout))
    assert result.returncode == 1
    assert result.stderr == "\nllama.cpp: the total deadline ran out\n"
    assert result.stdout
    assert "deadline" not in result.stdout


@each_example
def test_the_program_says_what_it_wants(name: str) -> None:
    """Without a question there is a line on how to ask one."""
    result = _run(name)
    assert result.returncode == 1
    assert result.stderr.startswith("usage: ")


def _run(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(_EXAMPLES / f"{name}.py"), *arguments],
        env=child_environment(
            TOKENWIRE_PROVIDER_PRESET="llama.cpp", PYTHONIOENCODING="utf-8", **environment
        ),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )


@each_example
def test_the_program_is_short(name: str) -> None:
    """Eighty lines are what people read."""
    assert len((_EXAMPLES / f"{name}.py").read_text("utf-8").splitlines()) <= 80
