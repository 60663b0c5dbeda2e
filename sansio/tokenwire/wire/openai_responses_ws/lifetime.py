"""How long a connection may last: the quirk ``rotate_after``, which both socket APIs have."""

from __future__ import annotations

from typing import Final

from attrs import field

from tokenwire import _validation as check

#: The server ends a connection after this many seconds.
_LIFETIME_S: Final = 3600

#: A sentence on the quirk, as the command line and the reference show it.
ROTATE_AFTER: Final[dict[str, str]] = {
    "rotate_after": "seconds after which a connection takes no more requests, 3000 by default"
}


def rotate_after() -> float:
    """Return the field of an attrs class that holds the quirk."""
    seconds: float = field(default=3000.0, validator=check.number(at_least=1, at_most=_LIFETIME_S))
    return seconds
