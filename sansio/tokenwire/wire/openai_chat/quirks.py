"""How servers of this API differ in what they accept, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs
from attrs import field

from tokenwire import _validation as check


@final
@attrs.frozen(kw_only=True)
class Quirks:
    """What a server wants otherwise than the reference.

    Attributes:
        include_usage: Ask for token counts with ``stream_options``. Off unless set: some servers
            refuse a request that holds it.
        max_tokens_field: Name of the member for `ProviderConfig.max_output_tokens`. The older
            ``max_tokens`` is all that many compatible servers know.
        system_role: Role of system messages; newer models of OpenAI call it ``developer``.
        reasoning_field: Member of an assistant message that takes reasoning back, for instance
            ``reasoning_content``; without it, a message that holds reasoning is refused.
    """

    include_usage: bool = field(default=False, validator=check.boolean)
    max_tokens_field: str = field(
        default="max_completion_tokens",
        validator=check.one_of("max_completion_tokens", "max_tokens"),
    )
    system_role: str = field(default="system", validator=check.one_of("system", "developer"))
    reasoning_field: str | None = field(default=None, validator=check.text)


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "include_usage": "ask for token counts with stream_options",
    "max_tokens_field": "max_completion_tokens (default) or max_tokens",
    "system_role": "system (default) or developer",
    "reasoning_field": "member of an assistant message that takes reasoning back",
}

_NO_QUIRKS: Final = Quirks()


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks) if quirks else _NO_QUIRKS
