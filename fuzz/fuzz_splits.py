"""However the bytes of a response are cut, the exchange gives equal events and keeps the same."""

from __future__ import annotations

from fuzz.exchanges import SMALL_LIMITS, outcome_of, parse_response, splits
from fuzz.invariants import check_same_events
from tokenwire.endpoint import Limits

_LIMITS = Limits()


def one_input(data: bytes) -> None:
    """Compare a response read at once with the same one in pieces."""
    response = parse_response(data)
    if 100 <= response.status < 200:
        return
    for limits in (_LIMITS, SMALL_LIMITS):
        whole = outcome_of(response, limits=limits)
        for pieces in splits(response.body):
            split = outcome_of(response, pieces, limits)
            check_same_events(split.events, whole.events)
            assert split.partial == whole.partial
