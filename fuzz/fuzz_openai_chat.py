"""Chunks of any JSON, or none, give tokens and at most one error, all of documented shape."""

from __future__ import annotations

from fuzz.exchanges import SMALL_LIMITS, Response, outcome_of
from fuzz.invariants import check_events, check_memory, check_terminal
from tokenwire.endpoint import Limits

_LIMITS = Limits()


def one_input(data: bytes) -> None:
    """Check the wire format with lines of JSON: as events each, and together as a document."""
    events = b"".join(b"data: " + line + b"\n\n" for line in data.split(b"\n"))
    for body in (events, data):
        response = Response(body)
        for limits in (_LIMITS, SMALL_LIMITS):
            outcome = outcome_of(response, limits=limits)
            check_events(outcome.events)
            check_terminal(outcome, response)
            if limits is SMALL_LIMITS:
                check_memory(outcome.exchange, limits)
