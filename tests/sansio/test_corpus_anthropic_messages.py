"""Recorded answers of the Messages API are read as an independent reading of them says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recordings import load, needs_recordings, outcome, recordings
from tokenwire.tokens import End, Usage

CASES = recordings("anthropic_messages")

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
    last = outcome(case).events[-1]
    expected = recording.expected
    if isinstance(last, End):
        assert expected["error"] is None
        assert last.raw_finish == expected["finish_reason"]
        assert last.usage == _expected_usage(expected["usage"])
    else:
        assert getattr(last, "label", None) == expected["error"]["semantic_kind"]
        assert getattr(last, "message", "").startswith(expected["error"]["message"])
