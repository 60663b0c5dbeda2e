"""Signed reasoning that must go back: the ``reasoning_details`` of OpenRouter and Vercel's gateway.

The details of one answer come in pieces, an array in each delta. Pieces with the same ``index`` and
``type`` are one detail: their texts are joined, and of everything else the last word counts. The
whole array goes back with the conversation, unchanged (https://openrouter.ai/docs, "Preserving
reasoning"); to everyone but this wire format it is an opaque signature.
"""

from __future__ import annotations

from typing import Any, Final, final

from tokenwire import lenient_json as lenient

#: Members of a detail that come in pieces.
_TEXTS: Final = ("text", "summary", "data")

#: Members that cannot be had again: a detail without one is plain text, and need not go back.
_PROOFS: Final = ("signature", "data")


@final
class ReasoningDetails:
    """Collects the details of one choice."""

    def __init__(self) -> None:
        self._details: dict[tuple[object, object], dict[str, Any]] = {}

    def add(self, details: list[Any]) -> str:
        """Take the details of one delta and return the reasoning text in them."""
        text = ""
        for item in details:
            detail = lenient.as_object(item)
            key = (str(detail.get("index")), str(detail.get("type")))
            known = self._details.setdefault(key, {})
            for name, value in detail.items():
                if name in _TEXTS and isinstance(value, str) and isinstance(known.get(name), str):
                    known[name] += value
                elif value is not None or name not in known:
                    known[name] = value
            shown = detail.get("text") or detail.get("summary")
            text += shown if isinstance(shown, str) else ""
        return text

    def signature(self) -> str | None:
        """Return the array as JSON text if anything in it proves something, else None."""
        details = list(self._details.values())
        if not any(detail.get(name) for detail in details for name in _PROOFS):
            return None
        return lenient.compact(details)
