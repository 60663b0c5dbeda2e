"""The decoder dispatches what the standard says, cut anywhere, in all conformance cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fuzz.exchanges import single_bytes, some_split
from fuzz.invariants import sse_items
from fuzz.reference_sse import reference_events
from tests.conformance import CASES, body_of, needs_cases
from tests.figures import Figures
from tests.split_points import SplitPoints
from tokenwire.sse import LimitExceeded, ServerSentEvent, SSEDecoder

RANDOM_SPLITS = 25

pytestmark = needs_cases


@pytest.fixture(scope="module")
def split_points(figures: Figures) -> Iterator[SplitPoints]:
    """Give the positions to cut at, and report how many there were."""
    what = "event-stream conformance"
    with SplitPoints.reported(what, 3_000_000, figures, "python -m tests.every_split") as points:
        yield points


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])


def _events(decoder: SSEDecoder, pieces: list[bytes]) -> list[dict[str, Any]]:
    """Return what the standard dispatches, as the cases write it."""
    return [_as_json(item) for piece in pieces for item in decoder.receive_data(piece)]


def _as_json(item: ServerSentEvent | LimitExceeded) -> dict[str, Any]:
    assert isinstance(item, ServerSentEvent)
    return {"event": item.event, "data": item.text, "id": item.id, "retry": item.retry}


@every_case
def test_a_stream_read_at_once_gives_the_events_of_the_standard(case: dict[str, Any]) -> None:
    """So do the last event id and the reconnection time, and the end changes neither."""
    decoder = SSEDecoder()
    assert _events(decoder, [body_of(case)]) == case["events"]
    for _ in range(2):
        assert decoder.last_event_id == case["final_last_event_id"]
        assert decoder.reconnection_time == case["final_retry"]
        decoder.receive_eof()


@every_case
def test_a_stream_read_byte_by_byte_gives_the_same_events(case: dict[str, Any]) -> None:
    """A byte order mark, a CR LF and a character all come in pieces."""
    decoder = SSEDecoder()
    assert _events(decoder, list(single_bytes(body_of(case)))) == case["events"]
    assert decoder.last_event_id == case["final_last_event_id"]
    assert decoder.reconnection_time == case["final_retry"]


@every_case
def test_a_stream_cut_anywhere_gives_the_same_events(
    case: dict[str, Any], split_points: SplitPoints
) -> None:
    """Two reads, cut at every position, change nothing."""
    body = body_of(case)
    for cut in split_points.of(body):
        assert _events(SSEDecoder(), [body[:cut], body[cut:]]) == case["events"]


@every_case
def test_a_stream_cut_at_random_gives_the_same_events(case: dict[str, Any]) -> None:
    """Any number of reads, empty ones among them, change nothing, the end neither."""
    body = body_of(case)
    whole = sse_items(SSEDecoder(), [body])
    for variant in range(RANDOM_SPLITS):
        assert sse_items(SSEDecoder(), some_split(body, variant)) == whole


@every_case
def test_what_the_end_cut_off_is_handed_back_apart(case: dict[str, Any]) -> None:
    """The standard discards the last block without its blank line; `receive_eof` returns it."""
    decoder = SSEDecoder()
    assert _events(decoder, [body_of(case)]) == case["events"]
    pending = decoder.receive_eof()
    if "eof_pending" in case:  # told for a few cases only
        assert ([_as_json(pending)] if pending else []) == case["eof_pending"]


@every_case
def test_the_reference_that_fuzzers_compare_with_is_right(case: dict[str, Any]) -> None:
    """The slow word-by-word interpreter passes the same cases."""
    assert [_as_json(event) for event in reference_events(body_of(case))] == case["events"]


def test_all_cases_are_there(figures: Figures) -> None:
    """A file with a few of them would prove little."""
    assert len(CASES) >= 147
    figures(f"event-stream conformance: {len(CASES)} cases")
