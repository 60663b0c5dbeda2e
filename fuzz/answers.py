"""What the fuzzers of single wire formats share: any body of a successful response is checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fuzz.exchanges import SMALL_LIMITS, Response, outcome_of, some_split
from fuzz.invariants import check_events, check_memory, check_same_events, check_terminal
from tokenwire.endpoint import Limits

_LIMITS: Final = Limits()


def check_answers(wire: str, bodies: Iterable[bytes]) -> None:
    """Check that a wire format reads each body as it must, within default and small limits."""
    for body in bodies:
        response = Response(body, wire=wire)
        for limits in (_LIMITS, SMALL_LIMITS):
            outcome = outcome_of(response, limits=limits)
            check_events(outcome.events)
            check_terminal(outcome, response)
            if limits is SMALL_LIMITS:
                check_memory(outcome.exchange, limits)
                split = outcome_of(response, some_split(body), limits)
                check_same_events(split.events, outcome.events)


def stream_and_document(lines: bytes) -> tuple[bytes, bytes]:
    """Return two bodies: an event for each line, and the lines as one document.

    A line such as ``event: error`` names the event of the line behind it.
    """
    return b"".join(_event_line(line) for line in lines.split(b"\n")), lines


def _event_line(line: bytes) -> bytes:
    return line + b"\n" if line.startswith(b"event:") else b"data: " + line + b"\n\n"
