"""Which of Azure's two addresses a server has, and how it differs in what it accepts, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.wire.openai_chat.quirks import DESCRIPTIONS as CHAT_DESCRIPTIONS
from tokenwire.wire.openai_chat.quirks import Quirks as ChatQuirks
from tokenwire.wire.openai_chat.quirks import read_quirks as read_chat_quirks


@final
@attrs.frozen(kw_only=True)
class Quirks:
    """The quirks of chat completions and the address of a deployment.

    Attributes:
        api_version: Dated version of the classic API, for instance ``"2024-10-21"``; then the
            deployment is part of the path. Unset for the API that has ``/v1`` in its base URL.
        deployment: Deployment of the classic API; the model's name where it is unset.
        chat: What the server wants otherwise than OpenAI.
    """

    api_version: str | None = field(default=None, validator=check.text)
    deployment: str | None = field(default=None, validator=check.text)
    chat: ChatQuirks = field(factory=ChatQuirks)

    def __attrs_post_init__(self) -> None:
        if self.deployment is not None and self.api_version is None:
            raise ValueError(
                "deployment belongs to the classic API: set api_version as well, or name the"
                " deployment as the model"
            )


_OWN: Final[Mapping[str, str]] = {
    "api_version": 'dated version of the classic API, for instance "2024-10-21"',
    "deployment": "deployment of the classic API (default: the model's name)",
}

#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {**_OWN, **CHAT_DESCRIPTIONS}


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    check.refuse_unknown("quirks", quirks, DESCRIPTIONS)
    chat = {name: value for name, value in quirks.items() if name not in _OWN}
    own = {name: value for name, value in quirks.items() if name in _OWN}
    return check.from_table(Quirks, "quirks", {**own, "chat": read_chat_quirks(chat)})
