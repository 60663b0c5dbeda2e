"""Recorded answers of Ollama are read as an independent reading of them says.

It writes the arguments of tool calls with spaces, so they are compared as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.recordings import load, needs_recordings, outcome, recordings
from tokenwire.tokens import End, Usage

CASES = recordings("ollama_chat")

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_a_recording_says_what_is_expected(case: Path) -> None:
    """Text, reasoning and tool calls."""
    recording = load(case)
    said = outcome(case).partial
    assert said.text == recording.expected["text"]
    assert said.reasoning == recording.expected["reasoning"]
    assert [(call.name, json.loads(call.arguments)) for call in said.tool_calls] == [
        (call["name"], json.loads(call["arguments"])) for call in recording.expected["tool_calls"]
    ]
    # Ours: these servers sent none.
    assert all(call.id.startswith("call_0_2025") for call in said.tool_calls)


def _expected_usage(counts: dict[str, Any]) -> Usage:
    return Usage(input_tokens=counts["prompt_eval_count"], output_tokens=counts["eval_count"])


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own reason and token counts."""
    recording = load(case)
    last = outcome(case).events[-1]
    expected = recording.expected
    assert isinstance(last, End)
    assert last.raw_finish == expected["finish_reason"]
    assert last.usage == _expected_usage(expected["usage"])
