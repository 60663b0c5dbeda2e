"""Recorded answers of the Responses API are read as an independent reading of them says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recordings import load, needs_recordings, outcome, recordings
from tokenwire.errors import MalformedResponseError
from tokenwire.tokens import End, Usage

CASES = recordings("responses")

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_a_recording_says_what_is_expected(case: Path) -> None:
    """Text, reasoning and tool calls."""
    recording = load(case)
    said = outcome(case).partial
    assert said.text == recording.expected["text"]
    assert said.reasoning == recording.expected["reasoning"]
    assert [(call.id, call.name, call.arguments) for call in said.tool_calls] == [
        (call["id"], call["name"], call["arguments"]) for call in recording.expected["tool_calls"]
    ]


def _expected_usage(counts: dict[str, Any]) -> Usage:
    inputs, outputs = counts["input_tokens_details"], counts["output_tokens_details"]
    return Usage(
        input_tokens=counts["input_tokens"],
        output_tokens=counts["output_tokens"],
        total_tokens=counts["total_tokens"],
        cached_tokens=inputs["cached_tokens"],
        cache_write_tokens=inputs.get("cache_write_tokens"),
        reasoning_tokens=outputs["reasoning_tokens"],
    )


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own reason and token counts, or with the kind of its failure."""
    recording = load(case)
    last = outcome(case).events[-1]
    expected = recording.expected
    if isinstance(last, End):
        assert last.raw_finish == (expected["finish_reason"] or expected["response_status"])
        assert last.usage == _expected_usage(expected["usage"])
    elif expected["error"] is None:
        # Chunks of another API: nothing in them is a terminal event of this one.
        assert not expected["complete"]
        assert isinstance(last, MalformedResponseError)
        assert last.reason == "truncated"
    else:
        assert getattr(last, "label", None) == expected["error"]["semantic_kind"]
        assert getattr(last, "message", "")[:100] in expected["error"]["message"]
