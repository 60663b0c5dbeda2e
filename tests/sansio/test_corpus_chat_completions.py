"""Recorded answers of real servers are read as an independent reading of them says.

The recordings are not part of this project: TOKENWIRE_CORPUS names their folder, in which
``chat_completions/<id>/`` holds ``body.bin`` and ``meta.json`` with status, headers and `expect`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

from fuzz.exchanges import Outcome, Response, outcome_of, single_bytes, some_split
from fuzz.invariants import check_outcome, check_same_events
from tests.split_points import SplitPoints
from tokenwire.completion import Completion
from tokenwire.tokens import End

_CORPUS = os.environ.get("TOKENWIRE_CORPUS")
CASES = sorted(Path(_CORPUS, "chat_completions").glob("*/meta.json")) if _CORPUS else []

RANDOM_SPLITS = 3

#: Cutting the others everywhere would take hours: they are cut at random alone.
SHORT_CASES = [c for c in CASES if c.with_name("body.bin").stat().st_size <= 64 * 1024]

pytestmark = pytest.mark.skipif(
    not CASES,
    reason="set TOKENWIRE_CORPUS to a folder of recordings, for instance ../shared/corpus",
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)


@pytest.fixture(scope="module")
def split_points(request: pytest.FixtureRequest) -> Iterator[SplitPoints]:
    """Give the positions to cut at, and report how many there were."""
    with SplitPoints.reported(request.config, max_bytes_read=350_000) as points:
        yield points


@cache
def _response(case: Path) -> Response:
    meta = json.loads(case.read_bytes())
    headers = tuple((name, value) for name, value in meta["headers"])
    return Response(case.with_name("body.bin").read_bytes(), meta["status"], headers)


@cache
def _outcome(case: Path) -> Outcome:
    return outcome_of(_response(case))


def _expected(case: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads(case.read_bytes())["expect"]
    return expected


def _said(completion: Completion) -> dict[str, Any]:
    """Return what a completion says in the words of a recording's `expect`."""
    return {
        "text": completion.text,
        "reasoning": completion.reasoning,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in completion.tool_calls
        ],
    }


@every_case
def test_a_recording_says_what_is_expected(case: Path) -> None:
    """Text, reasoning and tool calls, also what came before a failure."""
    expected = _expected(case)
    said = _said(_outcome(case).partial)
    assert said["text"] == expected["text"]
    assert said["reasoning"] == expected["reasoning"]
    assert said["tool_calls"] == [
        {name: call.get(name) for name in ("id", "name", "arguments")}
        for call in expected["tool_calls"]
    ]


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own finish reason and token counts, or with the kind of its failure."""
    expected = _expected(case)
    outcome = _outcome(case)
    last = outcome.events[-1]
    if expected["error"] is not None:
        assert outcome.error is not None
        assert outcome.error.label == expected["error"]["semantic_kind"]
        return
    assert isinstance(last, End)
    assert last.raw_finish == expected["finish_reason"]
    usage: dict[str, Any] = expected["usage"] or {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = attrs.astuple(last.usage)[:3] if last.usage else (None, None, None)
    assert counts == tuple(usage.get(name) for name in names)


@every_case
def test_a_recording_breaks_no_invariant(case: Path) -> None:
    """Nothing but tokens and one end comes out, and nothing shows that must not."""
    check_outcome(_outcome(case), _response(case))


@every_case
def test_a_recording_cut_at_random_gives_the_same_events(case: Path) -> None:
    """Any number of reads changes nothing, and neither does a read for each byte."""
    response = _response(case)
    for variant in range(RANDOM_SPLITS):
        split = outcome_of(response, some_split(response.body, variant))
        check_same_events(split.events, _outcome(case).events)
    single = outcome_of(response, single_bytes(response.body))
    check_same_events(single.events, _outcome(case).events)


@pytest.mark.parametrize("case", SHORT_CASES, ids=lambda case: case.parent.name)
def test_a_recording_cut_anywhere_gives_the_same_events(
    case: Path, split_points: SplitPoints
) -> None:
    """Two reads, cut at every position of a body up to 64 KiB, change nothing."""
    response, whole = _response(case), _outcome(case)
    body = response.body
    for cut in split_points.of(body):
        check_same_events(outcome_of(response, [body[:cut], body[cut:]]).events, whole.events)


def test_all_recordings_are_there() -> None:
    """A folder with a few of them would prove little."""
    assert len(CASES) >= 176
