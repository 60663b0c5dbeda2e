"""Calls over a simulated network, as many as there are seeds, each told beforehand how to end.

``TOKENWIRE_SEEDS=20000`` runs more of them, ``TOKENWIRE_SEED=17`` one of them again.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final, NamedTuple

import pytest
import trio
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.prediction import Prediction, predict
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.simulated_network import Plan, SimulatedNetwork
from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.tokens import End, TextDelta, Token
from tokenwire_trio import HTTPProvider, HTTPTokenStream, open_provider

#: Clocks are exact here; what is left are the rounding errors of sums.
_EXACT_S: Final = 1e-6

#: How long the rest of a whole answer is waited for, to keep the connection.
_FAREWELL_S: Final = 0.1

#: No plan takes as long.
_HANGS_S: Final = 1000

_REFUSALS: Final = {401: AuthError, 429: RateLimitError, 500: OtherError, 503: OtherError}


def _seeds() -> list[int]:
    one = os.environ.get("TOKENWIRE_SEED")
    return [int(one)] if one else list(range(int(os.environ.get("TOKENWIRE_SEEDS", "500"))))


class Run(NamedTuple):
    """What came of a plan."""

    tokens: list[Token]
    error: ProviderError | trio.ClosedResourceError | None
    cancelled: bool
    seconds: float
    stream: HTTPTokenStream | None


async def run(plan: Plan) -> Run:
    """Make the call of a plan."""
    network = SimulatedNetwork(plan)
    section = provider_section("http://localhost/v1", deadlines=plan.deadlines)
    client = _Client(plan)
    began = trio.current_time()
    with trio.fail_after(_HANGS_S):
        async with open_provider(section, dial=network) as provider, trio.open_nursery() as nursery:
            nursery.start_soon(_close_at, began + plan.closed_at, provider)
            with trio.move_on_at(began + plan.cancelled_at) as scope:
                await client.call(provider)
            seconds = trio.current_time() - began
            nursery.cancel_scope.cancel()
    assert all(stream.closed for stream in network.streams)
    return Run(client.tokens, client.error, scope.cancelled_caught, seconds, client.stream)


async def _close_at(moment: float, provider: HTTPProvider) -> None:
    await trio.sleep_until(moment)
    await provider.aclose()


class _Client:
    """A program that thinks about each token."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.tokens: list[Token] = []
        self.error: ProviderError | trio.ClosedResourceError | None = None
        self.stream: HTTPTokenStream | None = None

    async def call(self, provider: HTTPProvider) -> None:
        try:
            async with provider.complete(HELLO) as self.stream:
                await self._read(self.stream)
        except (ProviderError, trio.ClosedResourceError) as error:
            self.error = error

    async def _read(self, stream: HTTPTokenStream) -> None:
        failure: ProviderError | None = None
        try:
            async for token in stream:
                self.tokens.append(token)
                await trio.sleep(self._plan.think_s)
        except ProviderError as error:
            failure = error
        # However often it is asked, a stream ends in the same way.
        with pytest.raises(StopAsyncIteration if failure is None else type(failure)) as again:
            await anext(stream)
        if failure is not None:
            assert again.value is failure
            raise failure


def check(plan: Plan, result: Run) -> str:
    """Check what must hold in every run, and that it ended as predicted."""
    texts = [token.text for token in result.tokens if isinstance(token, TextDelta)]
    assert texts == list(plan.response.texts[: len(texts)])
    ends = [token for token in result.tokens if isinstance(token, End)]
    assert len(ends) + (result.error is not None) + result.cancelled <= 1 + result.cancelled
    assert not ends or result.tokens[-1] is ends[0]
    if result.stream is not None:
        assert result.stream.partial().text.startswith("".join(texts))
    if isinstance(result.error, ProviderError):
        assert result.error.tokens_emitted == len(texts)
        assert result.error.__cause__ is result.error.__context__ is None
    expected = predict(plan)
    if plan.closed_at < expected.at:
        return "closed"
    compare(plan, result, expected, len(texts))
    return _name(expected)


def compare(plan: Plan, result: Run, expected: Prediction, texts: int) -> None:
    """Compare a run with its prediction."""
    match expected.ending:
        case "cancelled":
            assert result.cancelled
        case "whole":
            assert (result.error, result.cancelled) == (None, False)
            assert isinstance(result.tokens[-1], End)
        case "refused":
            assert isinstance(result.error, ProviderError)
            assert type(result.error) is _REFUSALS[plan.response.status]
            assert result.error.status == plan.response.status
        case "malformed":
            assert isinstance(result.error, MalformedResponseError)
            assert expected.reason in (None, result.error.reason)
        case "network":
            assert isinstance(result.error, NetworkError)
            assert (result.error.phase, result.error.timeout) == (expected.phase, expected.timeout)
    assert expected.ending == "cancelled" or texts == expected.tokens
    late = result.seconds - expected.at
    farewell = _FAREWELL_S if expected.ending == "whole" else 0
    assert -_EXACT_S <= late <= farewell + _EXACT_S


def _name(expected: Prediction) -> str:
    if expected.timeout:
        return f"{expected.timeout} deadline"
    return f"{expected.ending} {expected.phase or ''}".strip()


async def test_every_seed_ends_as_predicted(autojump_clock: MockClock, figures: Figures) -> None:
    """Latencies, cuts, stalls and faults at random: the outcome and its moment are always right."""
    endings = Counter[str]()
    for seed in _seeds():
        plan = Plan.from_seed(seed)
        try:
            endings[check(plan, await run(plan))] += 1
        except BaseException as error:
            error.add_note(f"TOKENWIRE_SEED={seed} runs this again: {plan}")
            raise
    parts = ", ".join(f"{count} {name}" for name, count in endings.most_common())
    figures(f"simulation: {endings.total()} seeds ({parts})")


def test_a_seed_is_a_plan() -> None:
    """The same number gives the same plan, and another number another one."""
    assert Plan.from_seed(7) == Plan.from_seed(7)
    assert Plan.from_seed(7) != Plan.from_seed(8)
