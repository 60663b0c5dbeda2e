"""`tokenwire_trio.testing`: every way to misbehave, and what the client makes of each."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.figures import Figures
from tests.patience import HANGS_S, longer_and_longer
from tests.trio_backend import scenario_table
from tests.trio_backend.leaks import connections_to, living_tasks
from tests.trio_backend.playing import Played, play, section_for
from tokenwire.endpoint import Deadlines
from tokenwire.errors import NetworkError
from tokenwire_trio import open_provider
from tokenwire_trio.testing import SCENARIOS, Outcome, Scenario, serve, serve_in_memory
from tokenwire_trio.testing.scenario import Over
from tokenwire_trio.testing.steps import Again, KeepOpen, ReadRequest, Send

#: Over real sockets, how long a pause of a second takes, as a multiple of the deadline: so that a
#: deadline for a single pause runs out.
_PACE = 4 / 3

_WELL_BEHAVED = SCENARIOS["well-behaved"]

every_scenario = pytest.mark.parametrize(
    ("scenario", "over"),
    [
        pytest.param(scenario, over, id=f"{scenario.name}-{over}")
        for scenario in SCENARIOS.values()
        for over in sorted(scenario.over)
    ],
)


@pytest.fixture
def tls(over: Over, server_context: ssl.SSLContext) -> ssl.SSLContext | None:
    """Give what the server needs for TLS, or nothing."""
    return server_context if over == "tls" else None


def _may_be_kept(scenario: Scenario) -> bool:
    """Whether the server would take another request on the same connection."""
    return isinstance(scenario.steps[-1], Again)


@every_scenario
async def test_the_client_copes(
    scenario: Scenario, over: Over, tls: ssl.SSLContext | None, ca_file: Path
) -> None:
    """Over real sockets each ends as its scenario says, and leaves neither socket nor task."""

    def differences(played: Played) -> Mapping[str, object]:
        return played.outcome.differences(scenario.expected(over))

    attempt = partial(_play_over_sockets, scenario, tls, ca_file)
    played = await longer_and_longer(
        attempt, struck=lambda played: not (scenario.deadline and differences(played))
    )
    assert differences(played) == {}


async def _play_over_sockets(
    scenario: Scenario, tls: ssl.SSLContext | None, ca_file: Path, deadline_s: float
) -> Played:
    tasks = living_tasks()
    with trio.fail_after(HANGS_S):
        async with serve(scenario, tls=tls, pace=deadline_s * _PACE) as server:
            section = section_for(server, ca_file, deadlines=scenario.deadlines(deadline_s))
            async with open_provider(section) as provider:
                played = await play(provider, scenario)
                assert _may_be_kept(scenario) or connections_to(server.base_url) == 0
            assert connections_to(server.base_url) == 0
    assert living_tasks() == tasks
    return played


@every_scenario
async def test_the_client_copes_in_memory(
    scenario: Scenario,
    over: Over,
    tls: ssl.SSLContext | None,
    ca_file: Path,
    autojump_clock: MockClock,
) -> None:
    """Without a system in between it is the same, and a deadline is kept to the millisecond."""
    with trio.fail_after(3600):
        async with serve_in_memory(scenario, tls=tls) as server:
            section = section_for(server, ca_file, deadlines=scenario.deadlines(3.5))
            async with open_provider(section, dial=server.dial) as provider:
                played = await play(provider, scenario)
    assert played.outcome.differences(scenario.expected(over)) == {}
    if isinstance(played.error, NetworkError) and played.error.timeout:
        assert played.seconds == pytest.approx(3.5, abs=0.001)


@every_scenario
async def test_the_next_call_gets_its_own_answer(
    scenario: Scenario,
    over: Over,
    tls: ssl.SSLContext | None,
    ca_file: Path,
    autojump_clock: MockClock,
) -> None:
    """Nothing of one answer reaches the next one, and no connection is used again that may not."""
    async with serve_in_memory(scenario, _WELL_BEHAVED, tls=tls) as server:
        section = section_for(server, ca_file, deadlines=scenario.deadlines(3.5))
        async with open_provider(section, dial=server.dial) as provider:
            await play(provider, scenario)
            await trio.sleep(1)
            second = await play(provider, _WELL_BEHAVED)
    kept = len(server.visits) == 1
    assert _may_be_kept(scenario) or not kept
    expected = scenario if kept else _WELL_BEHAVED
    assert second.outcome.differences(expected.expected(over)) == {}


@every_scenario
async def test_nothing_outlasts_the_total_deadline(
    scenario: Scenario,
    over: Over,
    tls: ssl.SSLContext | None,
    ca_file: Path,
    autojump_clock: MockClock,
) -> None:
    """With total = 2 s the call is over after 2 s, to the millisecond, against every server."""
    async with serve_in_memory(scenario, tls=tls) as server:
        section = section_for(server, ca_file, deadlines=Deadlines(total=2))
        async with open_provider(section, dial=server.dial) as provider:
            played = await play(provider, scenario)
    assert played.seconds <= 2.001


async def test_nothing_outlasts_the_total_deadline_by_the_clock_on_the_wall(
    server_context: ssl.SSLContext, ca_file: Path, figures: Figures
) -> None:
    """With total = 2 s no slow server holds a call much longer: all of them at a time.

    To the millisecond it is only where the machine has nothing else to do.
    """
    slow = [scenario for scenario in SCENARIOS.values() if scenario.deadline]
    calls: dict[str, Played] = {}

    async def call(scenario: Scenario, over: Over) -> None:
        tls = server_context if over == "tls" else None
        async with serve(scenario, tls=tls) as server:
            section = section_for(server, ca_file, deadlines=Deadlines(total=2))
            async with open_provider(section) as provider:
                calls[f"{scenario.name}-{over}"] = await play(provider, scenario)

    async with trio.open_nursery() as nursery:
        for scenario in slow:
            for over in scenario.over:
                nursery.start_soon(call, scenario, over)
    assert [name for name, played in calls.items() if played.seconds > 20] == []
    longest = max(played.seconds for played in calls.values())
    figures(f"total = 2 s: {len(calls)} slow servers, the longest call took {longest:.2f} s")


def test_the_documentation_has_every_scenario(figures: Figures) -> None:
    """The table in the docs says what the suite proves."""
    if not scenario_table.PATH.parent.is_dir():
        pytest.skip("the documentation is not here")
    assert scenario_table.PATH.read_text(encoding="utf-8") == scenario_table.table()
    figures(f"misbehaving servers: {len(SCENARIOS)} scenarios")


async def test_the_server_notes_what_it_saw(ca_file: Path) -> None:
    """Requests, and when the client left."""
    async with (
        serve(SCENARIOS["done-held-open"]) as server,
        open_provider(section_for(server, ca_file)) as provider,
    ):
        await play(provider, SCENARIOS["done-held-open"])
        [visit] = server.visits
        with trio.fail_after(HANGS_S):
            await visit.over.wait()
    assert visit.requests == 1
    assert visit.received.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert visit.left is not None
    assert visit.left >= visit.arrived


async def test_each_connection_gets_its_scenario(ca_file: Path) -> None:
    """The n-th gets the n-th, and the last one is for all that follow."""
    scenarios = (SCENARIOS["no-answer"], SCENARIOS["done-held-open"])
    async with (
        serve_in_memory(*scenarios) as server,
        open_provider(section_for(server, ca_file), dial=server.dial) as provider,
    ):
        errors = [(await play(provider, scenarios[0])).outcome.error for _ in range(3)]
    assert errors == ["network", None, None]


async def test_a_failure_in_the_block_comes_out_as_it_is() -> None:
    """A test that fails while a server runs is not told so in groups of exceptions."""
    with pytest.raises(ZeroDivisionError):
        async with serve(_WELL_BEHAVED):
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        async with serve_in_memory(_WELL_BEHAVED):
            raise ZeroDivisionError


async def test_a_server_needs_a_scenario() -> None:
    """Nothing to do is a mistake."""
    with pytest.raises(ValueError, match="at least one scenario"):
        async with serve():
            pass


@pytest.mark.parametrize("steps", [(), (ReadRequest(), Send(b""))])
def test_a_script_says_how_it_ends(steps: tuple[ReadRequest | Send, ...]) -> None:
    """What happens to the connection after the last step is not left open."""
    with pytest.raises(ValueError, match="KeepOpen"):
        Scenario(name="x", shows="x", steps=steps, outcome=Outcome())


async def test_a_scenario_of_ones_own(ca_file: Path) -> None:
    """What is not in the table is quickly written."""
    teapot = Scenario(
        name="teapot",
        shows="A teapot answers.",
        steps=(ReadRequest(), Send(b"HTTP/1.1 418 No\r\ncontent-length: 0\r\n\r\n"), KeepOpen()),
        outcome=Outcome(error="other", kind="rejected", status=418, sent="all"),
    )
    async with serve(teapot) as server, open_provider(section_for(server, ca_file)) as provider:
        played = await play(provider, teapot)
    assert played.outcome == teapot.outcome
    assert played.outcome.differences(Outcome(sent="all")) != {}


def test_an_unknown_scenario_is_told_with_the_nearest() -> None:
    """There are too many to know their names."""
    with pytest.raises(KeyError, match=r"no scenario 'stall-in-token' \(did you mean 'stall-in-"):
        SCENARIOS["stall-in-token"]
    assert SCENARIOS.get("stall-in-token") is None


async def test_the_name_of_a_scenario_is_none() -> None:
    """It is looked up in `SCENARIOS`, as the error shows."""
    name: Any = "well-behaved"
    with pytest.raises(TypeError, match=r'such as SCENARIOS\["well-behaved"\], not str'):
        async with serve(name):
            pass
