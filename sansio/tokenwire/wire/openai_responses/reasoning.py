"""Reasoning items that must go back with the conversation.

A reasoning item proves itself by its id where the server stores responses, by its encrypted content
where it does not, and some servers keep the plain text in it. All of it goes back unchanged, except
``status``, which the API sends but refuses to take. To everyone but this wire format the item is an
opaque signature.

Reference: https://developers.openai.com/api/docs/guides/reasoning ("Keeping reasoning items in
context").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenwire import lenient_json as lenient
from tokenwire.wire.encoding import json_or_none


def pack_item(item: Mapping[str, Any]) -> str | None:
    """Return a reasoning item as a signature, None if nothing in it proves anything."""
    if not (item.get("id") or item.get("encrypted_content")):
        return None
    return lenient.compact({name: value for name, value in item.items() if name != "status"})


def unpack_item(signature: str) -> dict[str, Any] | None:
    """Return the item of a signature, None if it comes from another API."""
    item = lenient.as_object(json_or_none(signature))
    return item if item.get("type") == "reasoning" else None


def shown_text(item: Mapping[str, Any]) -> str:
    """Return what an item shows of the reasoning: its summary, or the text itself."""
    return "".join(text for name in ("summary", "content") for text in texts(item.get(name)))


def texts(parts: object, member: str = "text") -> list[str]:
    """Return the texts in an array of parts."""
    objects = map(lenient.as_object, lenient.as_array(parts))
    found = (lenient.as_text(part.get(member)) for part in objects)
    return [text for text in found if text]
