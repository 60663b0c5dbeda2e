"""Every stream in tests/data gives the events that stand beside it, however it comes.

``<wire>/<case>.sse`` (``.ndjson`` for lines) is a body, ``<case>.events.json`` says what it shows
and lists its events in the words of ``tokenwire ask --json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from fuzz.exchanges import Ending, Outcome, Response, outcome_of, single_bytes
from fuzz.invariants import check_outcome, check_same_events
from tests.event_json import events_as_json
from tests.figures import Figures
from tests.split_points import SplitPoints
from tokenwire.tokens import End
from tokenwire.wire import WIRE_KINDS

DATA = Path(__file__).parents[1] / "data"
CASES = sorted([*DATA.glob("*/*.sse"), *DATA.glob("*/*.ndjson")])

#: Behind a terminal marker nothing counts, not even an error.
TRAILING = (
    b'data: {"error":{"message":"late"}}\n\ndata: {"choices":[{"delta":{"content":"x"}}]}\n\n'
)


def _load(case: Path) -> tuple[Response, list[dict[str, Any]]]:
    description = json.loads(case.with_suffix(".events.json").read_bytes())
    ending: Ending = description.get("ending", "clean")
    wire = case.parent.name.replace("_", "-")
    return Response(case.read_bytes(), ending=ending, wire=wire), description["events"]


def _rebuilt(outcome: Outcome) -> list[dict[str, Any]]:
    return events_as_json(outcome.events)


@pytest.fixture(scope="module")
def split_points(figures: Figures) -> Iterator[SplitPoints]:
    """Give the positions to cut at, and report how many there were."""
    with SplitPoints.reported("streams by hand", 400_000, figures) as points:
        yield points


every_case = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}"
)


@every_case
def test_a_stream_read_at_once_gives_its_events(case: Path) -> None:
    """One read that brings the whole body gives exactly the listed events."""
    response, expected = _load(case)
    outcome = outcome_of(response)
    assert _rebuilt(outcome) == expected
    check_outcome(outcome, response)


@every_case
def test_a_stream_read_byte_by_byte_gives_the_same_events(case: Path) -> None:
    """A read for each byte changes nothing."""
    response, expected = _load(case)
    assert _rebuilt(outcome_of(response, single_bytes(response.body))) == expected


@every_case
def test_a_stream_cut_anywhere_gives_the_same_events(case: Path, split_points: SplitPoints) -> None:
    """Two reads, cut at every position, change nothing."""
    response, _ = _load(case)
    whole = outcome_of(response)
    body = response.body
    for cut in split_points.of(body):
        check_same_events(outcome_of(response, [body[:cut], body[cut:]]).events, whole.events)


@every_case
def test_what_follows_the_end_changes_nothing(case: Path) -> None:
    """Data behind a [DONE], an error or the end of the body comes too late."""
    response, expected = _load(case)
    exchange = outcome_of(response).exchange
    assert exchange.receive_data(TRAILING) == []
    assert exchange.receive_eof(clean=False) == []
    with_trailing = outcome_of(attrs.evolve(response, body=response.body + TRAILING))
    if b"[DONE]\n\n" in response.body and isinstance(with_trailing.events[-1], End):
        assert _rebuilt(with_trailing) == expected


def test_every_stream_has_its_events_and_says_what_it_shows() -> None:
    """No file is alone, and no two of a wire format show the same."""
    described = {case.with_suffix("").with_suffix("") for case in DATA.glob("*/*.json")}
    assert described == {case.with_suffix("") for case in CASES}
    shows = [
        (case.parent, json.loads(case.with_suffix(".events.json").read_bytes())["shows"])
        for case in CASES
    ]
    assert len(set(shows)) == len(CASES)


def test_every_wire_format_has_streams() -> None:
    """The folders are named as the wire formats are."""
    assert {case.parent.name.replace("_", "-") for case in CASES} == set(WIRE_KINDS)
