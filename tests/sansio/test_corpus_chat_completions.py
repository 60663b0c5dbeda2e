"""Recorded answers of real servers are read as an independent reading of them says.

The recordings are not part of this project: TOKENWIRE_CORPUS names their folder, in which
``chat_completions/<id>/`` holds ``body.bin`` and ``meta.json`` with status, headers and `expect`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.recordings import load, needs_recordings, outcome, recordings
from tokenwire.completion import Completion
from tokenwire.errors import ProviderError
from tokenwire.tokens import End

CASES = recordings("chat_completions")

pytestmark = needs_recordings
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


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
    expected = load(case).expected
    said = _said(outcome(case).partial)
    assert said["text"] == expected["text"]
    assert said["reasoning"] == expected["reasoning"]
    assert said["tool_calls"] == [
        {name: call.get(name) for name in ("id", "name", "arguments")}
        for call in expected["tool_calls"]
    ]


@every_case
def test_a_recording_ends_as_expected(case: Path) -> None:
    """With the server's own finish reason and token counts, or with the kind of its failure."""
    expected = load(case).expected
    last = outcome(case).events[-1]
    if expected["error"] is not None:
        assert isinstance(last, ProviderError)
        assert last.label == expected["error"]["semantic_kind"]
        return
    assert isinstance(last, End)
    assert last.raw_finish == expected["finish_reason"]
    usage: dict[str, Any] = expected["usage"] or {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = msgspec.structs.astuple(last.usage)[:3] if last.usage else (None, None, None)
    assert counts == tuple(usage.get(name) for name in names)
