"""Keys and prompts are planted in every call, and looked for in all that a program may show."""

from __future__ import annotations

import errno
import logging
import os
import ssl
import warnings
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.playing import play, section_for
from tests.trio_backend.providers import provider_section
from tests.trio_backend.servers import FailingStream
from tests.trio_backend.shown import chain, shown_by
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import Deadlines
from tokenwire.errors import NetworkError
from tokenwire.secret import Secret
from tokenwire_trio import HTTPProvider, open_provider
from tokenwire_trio.testing import (
    SCENARIOS,
    Fault,
    FaultyDial,
    MisbehavingServer,
    Outcome,
    Scenario,
    serve_in_memory,
)
from tokenwire_trio.testing.scenario import Over
from tokenwire_trio.testing.steps import (
    REQUEST_HEAD,
    CloseCleanly,
    Echo,
    Hang,
    ReadRequestHead,
    Send,
    Step,
)

#: Letters of their own, so that no part of one can be found by chance.
CANARIES: Final = {
    "key": "sk-qzxkeyjvwq-0192837465",
    "header": "qhdrzxsecretvj-5647382910",
    "query": "qqryzxsecretvj-9182736450",
    "proxy": "qprxyzxsecretvj-3141592653",
    "prompt": "qprmptzx confessvjq 5544332211",
}

#: So much of a canary is recognised, however it was cut.
_PART: Final = 8

#: As they are, and as a proxy is told them.
_FORMS = (
    *CANARIES.values(),
    b64encode(f"user:{CANARIES['proxy']}".encode()).decode(),
)
_PARTS = frozenset(
    form[start : start + _PART] for form in _FORMS for start in range(len(form) - _PART + 1)
)


def planted(server: MisbehavingServer, ca_file: Path, scenario: Scenario) -> ProviderSection:
    """Describe a provider that is full of secrets."""
    return section_for(
        server,
        ca_file,
        credential=Secret(CANARIES["key"]),
        headers={"x-api-key": CANARIES["header"], "x-more": Secret(CANARIES["header"])},
        query={"code": Secret(CANARIES["query"])},
        deadlines=scenario.deadlines(3.5),
    )


def canaries_in(text: str) -> list[str]:
    """Find the parts of canaries that a text holds."""
    return sorted(part for part in _PARTS if part in text)


def _cases() -> list[object]:
    return [
        pytest.param(scenario, over, id=f"{scenario.name}-{over}")
        for scenario in SCENARIOS.values()
        for over in sorted(scenario.over)
    ]


@pytest.mark.parametrize(("scenario", "over"), _cases())
async def test_nothing_shows_a_canary(
    *,
    scenario: Scenario,
    over: Over,
    server_context: ssl.SSLContext,
    ca_file: Path,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No error, no object, no log, no warning and no output, whatever the server does."""
    caplog.set_level(logging.DEBUG)
    tls = server_context if over == "tls" else None
    shown: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with serve_in_memory(scenario, tls=tls) as server:
            section = planted(server, ca_file, scenario)
            async with open_provider(section, dial=server.dial) as provider:
                error = (await play(provider, scenario, CANARIES["prompt"])).error
                shown += [repr(provider), str(provider), provider.url, repr(section)]
    if error is not None:
        shown.append(shown_by(error))
        assert list(chain(error)) == [error]
    shown += [str(warning) for warning in caught]
    shown += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    shown += capfd.readouterr()
    assert canaries_in("\n".join(shown)) == []
    if not scenario.in_place_of_tls:
        assert canaries_in(server.visits[0].received.decode("latin-1")) != []


def _as_a_proxy(name: str, *steps: Step) -> Scenario:
    return Scenario(name=name, shows=name, steps=steps, outcome=Outcome())


@pytest.mark.parametrize(
    "scenario",
    [
        _as_a_proxy(
            "refuses and echoes",
            ReadRequestHead(),
            Echo(b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\n\r\n" + REQUEST_HEAD),
            CloseCleanly(),
        ),
        _as_a_proxy("echoes", ReadRequestHead(), Echo(REQUEST_HEAD + b"\r\n\r\n"), CloseCleanly()),
        _as_a_proxy("is another server", ReadRequestHead(), Send(b"SSH-2.0\r\n"), CloseCleanly()),
        _as_a_proxy("closes", ReadRequestHead(), CloseCleanly()),
        _as_a_proxy("stalls", ReadRequestHead(), Hang()),
    ],
    ids=lambda scenario: scenario.name,
)
async def test_a_failing_proxy_shows_no_canary(
    scenario: Scenario, ca_file: Path, autojump_clock: MockClock
) -> None:
    """Neither its own login nor the provider's key, which it never gets."""
    async with serve_in_memory(scenario) as server:
        section = section_for(
            server,
            ca_file,
            credential=Secret(CANARIES["key"]),
            deadlines=Deadlines(connect=1),
            allow_plaintext=True,
            proxy=ProxySettings(
                url="http://proxy.example", username="user", password=Secret(CANARIES["proxy"])
            ),
        )
        async with open_provider(section, dial=server.dial) as provider:
            error = (await play(provider, scenario, CANARIES["prompt"])).error
            assert canaries_in(f"{provider!r} {section!r}") == []
    assert isinstance(error, NetworkError)
    assert error.phase == "proxy"
    assert canaries_in(shown_by(error)) == []
    received = server.visits[0].received
    assert _FORMS[-1].encode() in received
    assert CANARIES["key"].encode() not in received


@pytest.mark.parametrize("over", ["tcp", "tls"])
async def test_an_exception_that_passes_shows_no_canary(
    over: Over,
    server_context: ssl.SSLContext,
    ca_file: Path,
    autojump_clock: MockClock,
    figures: Figures,
) -> None:
    """`MemoryError` is not ours, but it comes through our frames, from every operation."""
    scenario = SCENARIOS["well-behaved"]
    async with serve_in_memory(scenario, tls=server_context if over == "tls" else None) as server:
        assert server.dial is not None
        faults = 0
        while True:
            dial = FaultyDial(server.dial, Fault.OUT_OF_MEMORY, at=faults)
            provider = open_provider(planted(server, ca_file, scenario), dial=dial)
            error = await _memory_error(provider, scenario)
            if dial.failed is None:
                break
            assert error is not None
            assert canaries_in(shown_by(error)) == []
            faults += 1
    figures(f"canaries: {len(SCENARIOS)} scenarios and {faults} faults over {over}")


async def _memory_error(
    opening: AbstractAsyncContextManager[HTTPProvider], scenario: Scenario
) -> MemoryError | None:
    """Play a scenario, and close the provider, which may fail as well."""
    try:
        async with opening as provider:
            await play(provider, scenario, CANARIES["prompt"])
    except MemoryError as error:
        return error
    return None


@pytest.mark.parametrize("times", [1, 10_000], ids=["short", "long"])
async def test_an_interrupted_request_shows_no_canary(times: int) -> None:
    """`KeyboardInterrupt` comes from anywhere; a long request is watched while it is sent."""

    async def dial(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return FailingStream(KeyboardInterrupt)

    section = provider_section(credential=Secret(CANARIES["key"]))
    prompt = CANARIES["prompt"] * times
    async with open_provider(section, dial=dial) as provider:
        with pytest.raises(KeyboardInterrupt) as caught:
            await play(provider, SCENARIOS["well-behaved"], prompt)
    assert canaries_in(shown_by(caught.value)) == []


async def test_a_failed_connection_shows_no_canary() -> None:
    """The system's error, whose frames hold the request, is not chained to ours."""

    async def refuse(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    section = provider_section(credential=Secret(CANARIES["key"]))
    async with open_provider(section, dial=refuse) as provider:
        error = (await play(provider, SCENARIOS["well-behaved"], CANARIES["prompt"])).error
    assert error is not None
    assert "connection refused" in error.message
    assert list(chain(error)) == [error]
    assert canaries_in(shown_by(error)) == []


async def test_a_cancelled_call_shows_no_canary(
    ca_file: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """`Cancelled` passes through our frames as well, and some programs log it."""
    caplog.set_level(logging.DEBUG)
    scenario = SCENARIOS["stall-before-head"]
    shown: list[str] = []
    async with (
        serve_in_memory(scenario) as server,
        open_provider(planted(server, ca_file, scenario), dial=server.dial) as provider,
    ):
        with trio.move_on_after(1) as scope:
            try:
                await play(provider, scenario, CANARIES["prompt"])
            except trio.Cancelled as cancelled:
                shown.append(shown_by(cancelled))
                raise
    assert scope.cancelled_caught
    assert shown != []
    assert canaries_in("\n".join(shown)) == []


def test_the_search_finds_canaries() -> None:
    """What is planted where it does not belong is found: in text, locals, notes and chains."""
    assert canaries_in(f"see {CANARIES['key'][:10]}") != []
    error = ValueError("clean")
    error.add_note(CANARIES["header"])
    assert canaries_in(shown_by(error)) != []
    outer = ValueError("clean")
    outer.__context__ = ValueError(CANARIES["prompt"])
    assert canaries_in(shown_by(outer)) != []
