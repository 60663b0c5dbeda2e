"""How versions, models and servers of this API differ in what they accept, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs
from attrs import field

from tokenwire import _validation as check

#: The version that still takes ``temperature`` and ``top_p``.
SAMPLING_VERSION: Final = "2023-06-01"

#: The version to ask for unless a server lags behind.
CURRENT_VERSION: Final = "2026-10-21"


@final
@attrs.frozen(kw_only=True)
class Quirks:
    """What a server wants otherwise than the reference.

    Attributes:
        version: Value of the header ``anthropic-version``. The current one refuses ``temperature``
            and ``top_p``, so that setting them needs the older one.
        system_messages: Where system messages go that stand behind the first turn: ``"top"``, to
            the others above the conversation, as every model takes them, or ``"in_place"``, for
            models that take them in mid-conversation and so keep their prompt cache.
    """

    version: str = field(
        default=CURRENT_VERSION, validator=check.one_of(SAMPLING_VERSION, CURRENT_VERSION)
    )
    system_messages: str = field(default="top", validator=check.one_of("top", "in_place"))


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "version": f"anthropic-version: {CURRENT_VERSION} (default), or {SAMPLING_VERSION}, which still"
    " takes temperature and top_p",
    "system_messages": "top (default) or in_place: where later system messages go",
}

_NO_QUIRKS: Final = Quirks()


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks) if quirks else _NO_QUIRKS
