"""How servers of this API differ over a socket, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.wire.openai_responses import quirks as over_http

#: Most responses that a server works on at a time; more would wait there unseen.
MAX_LANES: Final = 16

#: The server ends a connection after this many seconds.
_LIFETIME_S: Final = 3600


@final
@attrs.frozen(kw_only=True)
class Quirks(over_http.Quirks):
    """What `tokenwire.wire.openai_responses.quirks.Quirks` says, and what only a socket has.

    Attributes:
        lanes: Most answers at a time over one connection. 1 for servers that keep no lanes apart:
            no request then names one.
        rotate_after: Age in seconds from which a connection takes no more requests. The server ends
            it after an hour, in the middle of an answer if need be.
    """

    lanes: int = field(default=MAX_LANES, validator=check.integer(at_least=1, at_most=MAX_LANES))
    rotate_after: float = field(
        default=3000.0, validator=check.number(at_least=1, at_most=_LIFETIME_S)
    )


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    **over_http.DESCRIPTIONS,
    "lanes": "most answers at a time over one connection, 16 (default) to 1",
    "rotate_after": "seconds after which a connection takes no more requests, 3000 by default",
}


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks)
