"""Recorded answers of Gemini are read as an independent reading of them says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.recordings import load, needs_recordings, outcome, recordings
from tokenwire.tokens import End, Usage

CASES = recordings("gemini_generate")

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_a_recording_says_what_is_expected(case: Path) -> None:
    """Text, reasoning and tool calls; ids are ours where the API gave none."""
    recording = load(case)
    said = outcome(case).partial
    assert said.text == recording.expected["text"]
    assert said.reasoning == recording.expected["reasoning"]
    assert [(call.name, json.loads(call.arguments)) for call in said.tool_calls] == [
        (call["name"], json.loads(call["arguments"])) for call in recording.expected["tool_calls"]
    ]
    ids = zip(said.tool_calls, recording.expected["tool_calls"], strict=True)
    assert all(call.id == (expected["id"] or call.id) for call, expected in ids)


def _expected_usage(counts: dict[str, Any]) -> Usage:
    thoughts = counts["thoughtsTokenCount"]
    return Usage(
        input_tokens=counts["promptTokenCount"],
        # Ours is the whole answer.
        output_tokens=counts.get("candidatesTokenCount", 0) + thoughts,
        total_tokens=counts["totalTokenCount"],
        reasoning_tokens=thoughts,
    )


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own reason and token counts, or with the kind of its failure."""
    recording = load(case)
    last = outcome(case).events[-1]
    expected = recording.expected
    if isinstance(last, End):
        assert expected["error"] is None
        assert last.raw_finish == expected["finish_reason"]
        assert last.usage == _expected_usage(expected["usage"])
    else:
        assert getattr(last, "label", None) == expected["error"]["semantic_kind"]
        assert getattr(last, "status", None) == expected["error"]["status"]
