"""A peer that sends without end is cut off, and has cost no more than the limit that it passed."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import attrs
import pytest

from fuzz.invariants import retained_bytes
from tests.figures import Figures
from tests.hostile import HOSTILE, MAX_BYTES_READ, KiB, MiB, read
from tests.split_points import EXHAUSTIVE
from tokenwire.endpoint import Limits
from tokenwire.errors import ProviderError
from tokenwire.ndjson import NDJSONDecoder
from tokenwire.sse import LimitExceeded, SSEDecoder

LIMITS = Limits(
    line_bytes=32 * KiB,
    event_bytes=64 * KiB,
    document_bytes=64 * KiB,
    error_body_bytes=32 * KiB,
    silent_bytes=64 * KiB,
    answer_bytes=64 * KiB,
    json_depth=100,
    json_values=5_000,
    tool_calls=32,
    choices=16,
)

#: What a read itself costs, and Python, beside what the limit allows.
SLACK = 256 * KiB

every_body = pytest.mark.parametrize("name", HOSTILE)


def _check_end(name: str, error: ProviderError | None, limits: Limits) -> None:
    """The error names the limit, or the body is one that costs nothing."""
    match HOSTILE[name].limit:
        case None:
            assert error is None
        case "content_type":  # cut off long before any limit
            assert error is not None
            assert error.facts()["reason"] == "content_type"
        case "error_body":  # cut off without a word: there is an error to tell already
            assert error is not None
            assert error.status == HOSTILE[name].status
        case limit:
            assert error is not None
            assert f"limits.{limit} ({getattr(limits, limit)})" in error.message


def _allowed(name: str, limits: Limits) -> int:
    """Return how many bytes the limit allows; those that count things are small in bytes."""
    limit = HOSTILE[name].limit
    return getattr(limits, limit) if limit and limit.endswith("_bytes") else limits.line_bytes


@every_body
def test_an_endless_body_is_cut_off_within_its_limit(name: str) -> None:
    """With small limits, and counted by what Python allocates."""
    read(
        HOSTILE[name], attrs.evolve(LIMITS, answer_bytes=KiB), 100
    )  # what only the first one costs
    tracemalloc.start()
    try:
        reading = read(HOSTILE[name], LIMITS, 4 * MiB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    _check_end(name, reading.error, LIMITS)
    assert peak <= _allowed(name, LIMITS) + SLACK


@pytest.mark.parametrize("make", [SSEDecoder, NDJSONDecoder])
@pytest.mark.parametrize(
    ("piece", "limit"), [(b"x" * 100, "line_bytes"), (b"\n\n", "silent_bytes")]
)
def test_a_decoder_alone_cuts_off_what_is_endless(
    make: type[SSEDecoder | NDJSONDecoder], piece: bytes, limit: str
) -> None:
    """It says which limit it was, keeps nothing, and takes no more."""
    decoder = make(LIMITS)
    bound = getattr(LIMITS, limit)
    for _ in range(bound // len(piece)):
        assert decoder.receive_data(piece) == []
    for items in ([LimitExceeded(limit, bound)], []):
        assert decoder.receive_data(piece) == items
    assert retained_bytes(decoder) < 4 * KiB


@pytest.mark.skipif(not EXHAUSTIVE, reason="takes a minute: set TOKENWIRE_EXHAUSTIVE=1")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process alone")
@every_body
def test_resident_memory_stays_within_the_limit_and_16_mib(name: str, figures: Figures) -> None:
    """With the default limits, and counted by what the system gives to a fresh process."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.hostile", name],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(finished.stdout)
    limit = HOSTILE[name].limit
    # Tokens of two characters do not reach their limit in the two hundred MiB that are read.
    if limit in attrs.asdict(Limits()) and measured["bytes_read"] < MAX_BYTES_READ:
        assert f"limits.{limit} (" in measured["error"]
    allowed = _allowed(name, Limits())
    assert measured["grown_bytes"] <= allowed + 16 * MiB, measured
    figures(
        f"memory: endless {name}: {measured['grown_bytes'] / MiB:.1f} MiB,"
        f" {allowed / MiB:.1f} + 16 MiB allowed"
    )
