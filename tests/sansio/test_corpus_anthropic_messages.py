"""Recorded answers of the Messages API are read as an independent reading of them says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzz.exchanges import single_bytes, some_split
from fuzz.invariants import check_same_events
from tests.recordings import check_promises, load, needs_recordings, outcome_of, recordings
from tests.split_points import SplitPoints
from tokenwire.tokens import End, Usage

CASES = recordings("anthropic_messages")
RANDOM_SPLITS = 20

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def split_points(request: pytest.FixtureRequest) -> Iterator[SplitPoints]:
    """Give the positions to cut at, and report how many there were."""
    with SplitPoints.reported(request.config, max_bytes_read=4_000_000) as points:
        yield points


@every_case
def test_a_recording_says_what_is_expected(case: Path) -> None:
    """Text, reasoning and tool calls."""
    recording = load(case)
    said = outcome_of("anthropic", recording.response).partial
    assert said.text == recording.expected["text"]
    assert said.reasoning == recording.expected["reasoning"]
    assert [(call.id, call.name, call.arguments) for call in said.tool_calls] == [
        (call["id"], call["name"], call["arguments"]) for call in recording.expected["tool_calls"]
    ]


def _expected_usage(counts: dict[str, Any]) -> Usage:
    details: dict[str, Any] = counts.get("output_tokens_details") or {}
    read, written = (counts.get(f"cache_{name}_input_tokens") for name in ("read", "creation"))
    return Usage(
        # Ours is the whole request.
        input_tokens=counts["input_tokens"] + (read or 0) + (written or 0),
        output_tokens=counts["output_tokens"],
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=details.get("thinking_tokens"),
    )


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own stop reason and token counts, or with the kind of its failure."""
    recording = load(case)
    last = outcome_of("anthropic", recording.response).events[-1]
    expected = recording.expected
    if isinstance(last, End):
        assert expected["error"] is None
        assert last.raw_finish == expected["finish_reason"]
        assert last.usage == _expected_usage(expected["usage"])
    else:
        assert getattr(last, "label", None) == expected["error"]["semantic_kind"]
        assert getattr(last, "message", "").startswith(expected["error"]["message"])


@every_case
def test_a_recording_keeps_the_promises(case: Path) -> None:
    """Nothing but tokens and one end comes out, and nothing shows that must not."""
    response = load(case).response
    check_promises(outcome_of("anthropic", response), response)


@every_case
def test_a_recording_cut_at_random_gives_the_same_events(case: Path) -> None:
    """Any number of reads changes nothing, and neither does a read for each byte."""
    response = load(case).response
    whole = outcome_of("anthropic", response).events
    for variant in range(RANDOM_SPLITS):
        split = outcome_of("anthropic", response, some_split(response.body, variant))
        check_same_events(split.events, whole)
    single = outcome_of("anthropic", response, single_bytes(response.body))
    check_same_events(single.events, whole)


@every_case
def test_a_recording_cut_anywhere_gives_the_same_events(
    case: Path, split_points: SplitPoints
) -> None:
    """Two reads, cut at every position, change nothing."""
    response = load(case).response
    body = response.body
    whole = outcome_of("anthropic", response).events
    for cut in split_points.of(body):
        split = outcome_of("anthropic", response, [body[:cut], body[cut:]])
        check_same_events(split.events, whole)


def test_all_recordings_are_there() -> None:
    """A folder with a few of them would prove little."""
    assert len(CASES) >= 27
