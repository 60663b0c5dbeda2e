"""Recorded failures are read as expected in every particular, but for what is listed here and why.

Text, tool calls, finish reason, usage and the kind of a failure differ nowhere: they are checked
with the recordings of each API. This is about what else an error tells: its status, its code, its
message, the delay, and what sort of an error it is where the kind is ``other``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.figures import Figures
from tests.recordings import WIRE_OF_API, load, needs_recordings, outcome, recordings
from tokenwire.errors import OtherError

pytestmark = needs_recordings


class Difference(NamedTuple):
    """One particular of one recording in which this library differs from what is expected."""

    recording: str
    field: str


#: Why it differs where it does.
JUDGEMENTS: Final[dict[str, set[Difference]]] = {
    "a status of 400 and invalid_request_error say that it was the request": {
        Difference("alibaba-chat-400-vai-malformed-replayed-tool-args", "kind"),
    },
    "what a proxy won't take is not what a model has no context for": {
        Difference(
            "azure-chat-413-rb-real-error-scenarios-azure-grok-4-1-fast-non-reasonin", "kind"
        ),
    },
    "a status of 500 and internal_server_error say that the server failed, not that it is busy": {
        Difference(
            "mistral-chat-500-rb-real-error-scenarios-mistral-mistral-small-latest-han", "kind"
        ),
    },
    "a failure inside a 200 that names its own status has that one, as it has before a stream": {
        Difference("azure-chat-200-json-content-filter", "status"),
        Difference("groq-chat-pai-tool-use-failed-error-streaming-3", "status"),
        Difference("openrouter-chat-200-choice-error", "status"),
        Difference(
            "openrouter-chat-200-json-error-mistralai-devstral-small-2505-tool-round-trip-2",
            "status",
        ),
        Difference(
            "openrouter-chat-200-json-error-mistralai-mistral-small-3-1-24b-instruct-tool-round-trip-2",
            "status",
        ),
        Difference("openrouter-chat-pai-openrouter-stream-error", "status"),
    },
    "this server's error_code is a code, though it is a number": {
        Difference(
            "databricks-chat-401-pai-testdatabricks-test-databricks-error-handling-databr", "code"
        ),
    },
    "the error is JSON inside the page that this gateway quotes": {
        Difference("portkey-chat-401-cla-portkey-data-extraction", "code"),
    },
    "a type that is the status once more is no code": {
        Difference("zai-messages-401-rig-bogus-key-401", "code"),
    },
    "Gemini's code is the status once more; its status or reason is a word, and tells more": {
        Difference(
            "gemini-gemini-400-rb-real-error-scenarios-gemini-gemini-2-5-flash-handles", "code"
        ),
        Difference("gemini-gemini-400-rb-returns-structured-json-output", "code"),
        Difference("gemini-gemini-404-error-as-event-stream-ct", "code"),
        Difference("gemini-gemini-503-pai-google-model-file-search-tool", "code"),
        Difference("vertex-gemini-400-otel-vertexai-generate-content-error", "code"),
        Difference(
            "vertex-gemini-400-rb-real-error-scenarios-vertexai-gemini-2-5-flash-handle", "code"
        ),
        Difference("vertex-gemini-401-otel-tool-events-no-content", "code"),
        Difference("vertex-gemini-401-pai-google-vertexai-image-generation", "code"),
    },
}

#: Our words for the sorts that recordings tell; "other" claims nothing.
_SORTS: Final[dict[str, str | None]] = {
    "bad_request": "rejected",
    "content_policy": "content_filter",
    "context_length_or_too_large": "context_length",
    "other": None,
}


def _differences(folder: Path) -> Iterator[Difference]:
    expected: dict[str, Any] = load(folder).expected["error"]
    error = outcome(folder).error
    assert error is not None
    sort = _SORTS.get(expected["subkind"], expected["subkind"])
    delay = expected.get("retry_after")
    same = {
        "kind": sort is None or not isinstance(error, OtherError) or error.kind == sort,
        "status": error.status == expected["status"],
        "code": error.code == _text(expected["code"] or expected["type"]),
        # Ours may go on: where the request went, which parameter it was.
        "message": error.message.startswith(" ".join((expected["message"] or "").split())),
        "retry_after": error.retry_after == (None if delay is None else float(delay)),
    }
    yield from (Difference(folder.name, field) for field, is_same in same.items() if not is_same)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def test_a_recorded_failure_differs_only_where_there_is_a_reason(figures: Figures) -> None:
    """And differs there: a reason that no recording needs any more is gone."""
    folders = [folder for api in WIRE_OF_API for folder in recordings(api)]
    failed = [folder for folder in folders if load(folder).expected["error"] is not None]
    found = {difference for folder in failed for difference in _differences(folder)}
    assert found == set().union(*JUDGEMENTS.values())
    figures(f"recordings: {len(failed)} failures, {len(found)} particulars judged otherwise")
    for reason, differences in JUDGEMENTS.items():
        for recording, field in sorted(differences):
            figures(f"  {field} of {recording}: {reason}")
