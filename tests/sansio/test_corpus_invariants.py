"""Recorded answers of every wire format break no invariant, however they are cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.exchanges import outcome_of, single_bytes, some_split
from fuzz.invariants import check_outcome, check_same_events
from tests.every_split import MAX_BODY_BYTES
from tests.figures import Figures
from tests.recordings import WIRE_OF_API, load, needs_recordings, outcome, recordings
from tests.split_points import SplitPoints

CASES = [folder for api in WIRE_OF_API for folder in recordings(api)]
SHORT_CASES = [case for case in CASES if (case / "body.bin").stat().st_size <= MAX_BODY_BYTES]

RANDOM_SPLITS = 5

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def split_points(figures: Figures) -> Iterator[SplitPoints]:
    """Give the positions to cut at, and report how many there were."""
    with SplitPoints.reported(
        "recordings", 500_000, figures, "python -m tests.every_split"
    ) as points:
        yield points


@every_case
def test_a_recording_breaks_no_invariant(case: Path) -> None:
    """Nothing but tokens and one end comes out, and nothing shows that must not."""
    check_outcome(outcome(case), load(case).response)


@every_case
def test_a_recording_cut_at_random_gives_the_same_events(case: Path) -> None:
    """Any number of reads changes nothing, and neither does a read for each byte."""
    response = load(case).response
    for variant in range(RANDOM_SPLITS):
        split = outcome_of(response, some_split(response.body, variant))
        check_same_events(split.events, outcome(case).events)
    single = outcome_of(response, single_bytes(response.body))
    check_same_events(single.events, outcome(case).events)


@pytest.mark.parametrize("case", SHORT_CASES, ids=lambda case: case.name)
def test_a_recording_cut_anywhere_gives_the_same_events(
    case: Path, split_points: SplitPoints
) -> None:
    """Two reads, cut at every position of a body up to 64 KiB, change nothing."""
    response, whole = load(case).response, outcome(case)
    body = response.body
    for cut in split_points.of(body):
        check_same_events(outcome_of(response, [body[:cut], body[cut:]]).events, whole.events)


@pytest.mark.parametrize(
    ("api", "count"),
    [
        ("chat_completions", 176),
        ("anthropic_messages", 27),
        ("gemini_generate", 21),
        ("ollama_chat", 5),
        ("responses", 37),
    ],
)
def test_all_recordings_are_there(api: str, count: int, figures: Figures) -> None:
    """A folder with a few of them would prove little."""
    found = len(recordings(api))
    assert found >= count
    figures(f"recordings: {found} of {api}")
