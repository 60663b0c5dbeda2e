"""Our own providers in the situations that the contract speaks of."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import trio

from tests.trio_backend.providers import provider_section
from tokenwire import Message, NetworkError, Provider, ProviderError, RetryPolicy
from tokenwire_trio import (
    Fallback,
    HTTPProvider,
    Limited,
    Rate,
    Recording,
    Replaying,
    Retrying,
)
from tokenwire_trio.testing import (
    OpenProvider,
    Outcome,
    ProviderSample,
    Scenario,
    ScriptedAnswer,
    ScriptedProvider,
    serve_in_memory,
)
from tokenwire_trio.testing.responses import (
    DONE,
    FINISH,
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    refusal,
    text_event,
)
from tokenwire_trio.testing.scripted import SILENCE
from tokenwire_trio.testing.steps import (
    Again,
    CloseCleanly,
    EndingStep,
    KeepOpen,
    ReadRequest,
    Send,
)

KEY: Final = "sk-of-this-test-0123456789"
TEXT: Final = "Hello"
_BEGUN: Final = STREAM_HEAD + chunk(text_event("Hel"))
_ANSWER: Final = _BEGUN + chunk(text_event("lo")) + chunk(FINISH + DONE) + LAST_CHUNK

Wrap: TypeAlias = Callable[[Provider], Provider]


def _over_http(wrap: Wrap, reply: bytes, then: EndingStep) -> OpenProvider:
    """Return what opens a provider whose server answers each request so."""
    scenario = Scenario(
        name="reply",
        shows="It replies.",
        steps=(ReadRequest(), Send(reply), then),
        outcome=Outcome(),
    )

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Provider, None]:
        async with serve_in_memory(scenario) as server:
            section = provider_section(server.base_url, credential=KEY, allow_plaintext=True)
            async with HTTPProvider(section, dial=server.dial) as provider:
                yield wrap(provider)

    return opened


def http_sample(wrap: Wrap = lambda provider: provider) -> ProviderSample:
    """Return a provider over HTTP, in a wrapper."""
    return ProviderSample(
        answering=_over_http(wrap, _ANSWER, Again()),
        stalling=_over_http(wrap, _BEGUN, KeepOpen()),
        breaking=_over_http(wrap, _BEGUN, CloseCleanly()),
        refusing=_over_http(wrap, refusal(401, f"Wrong key {KEY}."), Again()),
        text=TEXT,
        key=KEY,
    )


def opens(make: Callable[[], Provider]) -> OpenProvider:
    """Return what opens a provider that needs no closing."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Provider, None]:
        yield make()

    return opened


def _scripted(answer: ScriptedAnswer) -> OpenProvider:
    return opens(lambda: ScriptedProvider(answer, repeat=True))


_IN_STREAM: Final = NetworkError(
    message="The connection broke.", provider="p", phase="body", in_stream=True, tokens_emitted=1
)
_AT_ONCE: Final = NetworkError(
    message="Nobody is there.", provider="p", phase="tcp", sent="nothing"
)

SCRIPTED: Final = ProviderSample(
    answering=_scripted(ScriptedAnswer.of("Hel", "lo")),
    stalling=_scripted(ScriptedAnswer(stream=("Hel", SILENCE))),
    breaking=_scripted(ScriptedAnswer(stream=("Hel", _IN_STREAM))),
    refusing=_scripted(ScriptedAnswer.failing(_AT_ONCE)),
    text=TEXT,
)


def _recording(provider: Provider) -> Provider:
    assert isinstance(provider, HTTPProvider)
    return Recording(provider, os.devnull)


def _played_back(recorded: OpenProvider) -> OpenProvider:
    """Return what plays several calls of a provider back."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Provider, None]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "recording.jsonl"
            async with recorded() as provider, trio.open_nursery() as nursery:
                assert isinstance(provider, HTTPProvider)
                for _ in range(4):
                    nursery.start_soon(_read_for_a_while, Recording(provider, path))
            yield Replaying(path)

    return opened


async def _read_for_a_while(provider: Provider) -> None:
    """Read an answer; one that stalls is left late, so that its recording stalls as well."""
    with suppress(ProviderError), trio.move_on_after(5):
        async with provider.complete([Message.user("Hi")]) as stream:
            await stream.collect()


_OVER_HTTP: Final = http_sample()

REPLAYING: Final = ProviderSample(
    answering=_played_back(_OVER_HTTP.answering),
    stalling=_played_back(_OVER_HTTP.stalling),
    breaking=_played_back(_OVER_HTTP.breaking),
    refusing=_played_back(_OVER_HTTP.refusing),
    text=TEXT,
    key=KEY,
)

OWN_SAMPLES: Final = {
    "HTTPProvider": _OVER_HTTP,
    "Recording": http_sample(_recording),
    "Replaying": REPLAYING,
    "Retrying": http_sample(lambda provider: Retrying(provider, RetryPolicy())),
    "Fallback": http_sample(lambda provider: Fallback(provider, provider)),
    "Limited": http_sample(
        lambda provider: Limited(provider, concurrency=2, rate=Rate(10, per_s=1))
    ),
    "all at once": http_sample(
        lambda provider: Limited(Fallback(Retrying(provider)), concurrency=2)
    ),
    "ScriptedProvider": SCRIPTED,
}
