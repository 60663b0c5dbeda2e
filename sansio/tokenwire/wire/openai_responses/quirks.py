"""How servers of this API differ in what they accept, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs import field

from tokenwire import _validation as check


@attrs.frozen(kw_only=True)
class Quirks:
    """What a server wants otherwise than the reference, and what to ask it for.

    Attributes:
        system_role: Role of system messages; newer models of OpenAI call it ``developer``.
        encrypted_reasoning: Ask for reasoning that can go back with the conversation although the
            server stores nothing (``store: false``). Off unless set: models that do not reason
            refuse it.
        reasoning_summary: Ask for a summary of the reasoning, for instance ``"auto"``.
    """

    system_role: str = field(default="system", validator=check.one_of("system", "developer"))
    encrypted_reasoning: bool = field(default=False, validator=check.boolean)
    reasoning_summary: str | None = field(default=None, validator=check.text)


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "system_role": "system (default) or developer",
    "encrypted_reasoning": "ask for encrypted reasoning, to send back where nothing is stored",
    "reasoning_summary": "ask for a summary of the reasoning: auto, concise or detailed",
}

_NO_QUIRKS: Final = Quirks()


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks) if quirks else _NO_QUIRKS
