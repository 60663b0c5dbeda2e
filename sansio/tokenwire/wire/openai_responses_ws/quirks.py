"""How servers of this API differ over a socket, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.wire.openai_responses import quirks as over_http
from tokenwire.wire.openai_responses_ws.lifetime import ROTATE_AFTER, rotate_after

#: Most responses that a server works on at a time; more would wait there unseen.
MAX_LANES: Final = 16


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
    rotate_after: float = rotate_after()

    @property
    def answers_at_once(self) -> int:
        """How many answers a connection gives at a time."""
        return self.lanes


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    **over_http.DESCRIPTIONS,
    "lanes": "most answers at a time over one connection, 16 (default) to 1",
    **ROTATE_AFTER,
}


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks)
