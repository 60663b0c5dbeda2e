"""Recorded answers of Azure are read as an independent reading of them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.exchanges import single_bytes, some_split
from fuzz.invariants import check_same_events
from tests.recordings import check_promises, load, needs_recordings, outcome_of, recordings
from tokenwire.tokens import End

KIND = "azure-chat"
CASES = [case for case in recordings("chat_completions") if case.name.startswith("azure")]

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_a_recording_says_what_is_expected(case: Path) -> None:
    """Text, reasoning and tool calls."""
    recording = load(case)
    said = outcome_of(KIND, recording.response).partial
    assert said.text == recording.expected["text"]
    assert said.reasoning == recording.expected["reasoning"]
    assert [(call.id, call.name, call.arguments) for call in said.tool_calls] == [
        (call["id"], call["name"], call["arguments"]) for call in recording.expected["tool_calls"]
    ]


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own reason and token counts, or with the kind of its failure."""
    recording = load(case)
    last = outcome_of(KIND, recording.response).events[-1]
    expected = recording.expected
    if isinstance(last, End):
        assert last.raw_finish == expected["finish_reason"]
        counts = expected["usage"]
        total = last.usage.total_tokens if last.usage else None
        assert total == (counts["total_tokens"] if counts else None)
    else:
        assert getattr(last, "label", None) == expected["error"]["semantic_kind"]


@every_case
def test_a_recording_is_read_the_same_however_it_is_cut(case: Path) -> None:
    """And keeps what every answer promises."""
    response = load(case).response
    whole = outcome_of(KIND, response)
    check_promises(whole, response)
    for variant in range(10):
        split = outcome_of(KIND, response, some_split(response.body, variant))
        check_same_events(split.events, whole.events)
    single = outcome_of(KIND, response, single_bytes(response.body))
    check_same_events(single.events, whole.events)


def test_all_recordings_are_there() -> None:
    """A folder with a few of them would prove little."""
    assert len(CASES) >= 14
