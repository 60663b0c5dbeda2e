"""Any response of any wire format gives tokens and one terminal event, and shows no key."""

from __future__ import annotations

import attrs

from fuzz.exchanges import KEY, SMALL_LIMITS, outcome_of, parse_response, some_split
from fuzz.invariants import check_memory, check_outcome
from tokenwire.endpoint import Limits

#: A fuzzer does not guess a key: it is told where a server echoes it.
_ECHO = b"<KEY>"
_LIMITS = Limits()


def one_input(data: bytes) -> None:
    """Check the exchange with a response as `parse_response` reads it."""
    response = parse_response(data.replace(_ECHO, KEY.encode()))
    if 100 <= response.status < 200:  # the head of the answer itself is still to come
        response = attrs.evolve(response, status=200)
    for limits in (_LIMITS, SMALL_LIMITS):
        outcome = outcome_of(response, some_split(response.body), limits)
        check_outcome(outcome, response)
        if limits is SMALL_LIMITS:
            check_memory(outcome.exchange, limits)
