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
    """What a server or model wants otherwise than the reference, and what to ask it for.

    Attributes:
        include_thoughts: Ask for summaries of the model's thoughts. Off unless set: models that do
            not think refuse it.
        schema_dialect: How schemas of tools and answers are sent. ``"json_schema"`` sends them as
            they are, in the members that take JSON schemas. ``"openapi"`` sends them in the older
            members (``parameters``, ``responseSchema``), which know less, refuse what they do not
            know, and are all that older servers have.
        send_call_ids: Send the ids of tool calls back where the API gave any. Older versions of
            Vertex refuse them.
    """

    include_thoughts: bool = field(default=False, validator=check.boolean)
    schema_dialect: str = field(
        default="json_schema", validator=check.one_of("json_schema", "openapi")
    )
    send_call_ids: bool = field(default=True, validator=check.boolean)


#: A sentence for each, as the command line and the reference show them.
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "include_thoughts": "ask for summaries of the model's thoughts",
    "schema_dialect": "json_schema (default) or openapi, for servers without JSON schemas",
    "send_call_ids": "send ids of tool calls back (default); off for older versions of Vertex",
}

_NO_QUIRKS: Final = Quirks()


def read_quirks(quirks: Mapping[str, Any]) -> Quirks:
    """Check and convert an endpoint's quirks.

    Raises:
        ValueError: If one is unknown (the message names the nearest) or has a bad value.
    """
    return check.from_table(Quirks, "quirks", quirks) if quirks else _NO_QUIRKS
