"""How servers of this API differ, and what a connection is used for, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.wire.openai_responses_ws.lifetime import ROTATE_AFTER, rotate_after

#: Most answers at a time that are no part of the connection's conversation.
MAX_OUT_OF_BAND: Final = 16


@final
@attrs.frozen(kw_only=True)
class Quirks:
    """What a connection is used for, and for how long.

    Attributes:
        out_of_band: Ask for each answer apart from the connection's conversation, whole and up to
            16 at a time. Unset, a connection holds one conversation, gives one answer at a time,
            and is sent only what is new.
        rotate_after: Age in seconds from which a connection takes no more requests. The server ends
            it after an hour, in the middle of an answer if need be.
    """

    out_of_band: bool = field(default=False, validator=check.boolean)
    rotate_after: float = rotate_after()

    @property
    def answers_at_once(self) -> int:
        """How many answers a connection gives at a time."""
        return MAX_OUT_OF_BAND if self.out_of_band else 1


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "out_of_band": "send every conversation whole, and up to 16 at a time over one connection",
    **ROTATE_AFTER,
}


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks)
