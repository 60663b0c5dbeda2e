"""Read every conformance case and recording in two pieces, cut at every position.

``TOKENWIRE_SSE_CASES=... TOKENWIRE_CORPUS=... python -m tests.every_split`` does so on every
processor. It costs the square of each body's length, many minutes in all, so the suite tries a part
of the positions only (see `tests.split_points`). It prints how many there were, and ends with an
error at the first one that changes the result. Recordings over 64 KiB are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Final, NamedTuple

from fuzz.exchanges import Response, outcome_of
from fuzz.invariants import comparable, sse_items
from tests import conformance
from tests.recordings import WIRE_OF_API, load, recordings
from tokenwire.sse import SSEDecoder

MAX_BODY_BYTES: Final = 64 * 1024

#: How much one job of the pool reads, in all its cuts. A few seconds, so that none is left waiting.
_JOB_BYTES: Final = 30_000_000

_CONFORMANCE: Final = "conformance"
_GROUPS: Final = (_CONFORMANCE, *WIRE_OF_API)


class Job(NamedTuple):
    """Positions of one body to cut at."""

    group: str
    name: str
    positions: range


class Subject(NamedTuple):
    """A body, and what makes something comparable of its pieces."""

    body: bytes
    read: Callable[[Sequence[bytes]], Sequence[object]]


@cache
def subjects(group: str) -> dict[str, Subject]:
    """Return what there is to cut: the conformance cases, or the recordings of an API."""
    if group == _CONFORMANCE:
        bodies = {case["id"]: conformance.body_of(case) for case in conformance.CASES}
        return {name: Subject(body, _items) for name, body in bodies.items()}
    responses = {folder.name: load(folder).response for folder in recordings(group)}
    return {
        name: Subject(response.body, partial(_events, response))
        for name, response in responses.items()
        if len(response.body) <= MAX_BODY_BYTES
    }


def _items(pieces: Sequence[bytes]) -> Sequence[object]:
    return sse_items(SSEDecoder(), pieces)


def _events(response: Response, pieces: Sequence[bytes]) -> Sequence[object]:
    return comparable(outcome_of(response, pieces).events)


@cache
def _whole(group: str, name: str) -> Sequence[object]:
    subject = subjects(group)[name]
    return subject.read([subject.body])


def jobs(group: str) -> Iterator[Job]:
    """Give all positions of all bodies, those that take longest first."""
    sizes = {name: len(subject.body) for name, subject in subjects(group).items()}
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        step = max(1, _JOB_BYTES // max(1, sizes[name]))
        for start in range(0, sizes[name] + 1, step):
            yield Job(group, name, range(start, min(start + step, sizes[name] + 1)))


def check(job: Job) -> int:
    """Cut one body at some positions, and return how many these were."""
    body, read = subjects(job.group)[job.name]
    whole = _whole(job.group, job.name)
    for cut in job.positions:
        assert read([body[:cut], body[cut:]]) == whole, f"{job.name}: cut at {cut}, it changes"
    return len(job.positions)


def main() -> None:
    """Check everything and say how much that was."""
    parser = argparse.ArgumentParser(description="Cut every body at every position.")
    parser.add_argument("group", nargs="*", default=_GROUPS, help=", ".join(_GROUPS))
    groups: Sequence[str] = parser.parse_args().group
    began = time.monotonic()
    with ProcessPoolExecutor() as pool:
        for group in groups:
            work = list(jobs(group))
            if not work:
                parser.error(f"{group}: set TOKENWIRE_SSE_CASES and TOKENWIRE_CORPUS")
            count = sum(pool.map(check, work))
            bodies = len({job.name for job in work})
            _say(f"{group}: {count} split points of {bodies} bodies checked")
    _say(f"{time.monotonic() - began:.0f} seconds on {os.cpu_count()} processors")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
