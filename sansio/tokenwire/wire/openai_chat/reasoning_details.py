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
_TEXTS: Final = ("text", "summary", "data", "signature")

#: Members that cannot be had again: a detail without one is plain text, and need not go back.
_PROOFS: Final = ("signature", "data")

#: What a detail, and each piece of one, is taken to cost in memory besides its text.
_DETAIL_OVERHEAD: Final = 1024
_PIECE_OVERHEAD: Final = 256


class _Detail:
    def __init__(self) -> None:
        self.members: dict[str, Any] = {}
        self.texts: dict[str, list[str]] = {}

    def add(self, piece: dict[str, Any]) -> None:
        for name, value in piece.items():
            if name in _TEXTS and isinstance(value, str):
                self.texts.setdefault(name, []).append(value)
            elif value is not None or name not in self.members:
                self.members[name] = value

    def whole(self) -> dict[str, Any]:
        return self.members | {name: "".join(pieces) for name, pieces in self.texts.items()}


@final
class ReasoningDetails:
    """Collects the details of one choice.

    Attributes:
        size: Roughly the bytes that they keep.
    """

    def __init__(self) -> None:
        self.size: int = 0
        self._details: dict[tuple[str, str], _Detail] = {}

    def add(self, details: list[Any]) -> str:
        """Take the details of one delta and return the reasoning text in them."""
        text = ""
        for item in details:
            piece = lenient.as_object(item)
            key = (str(piece.get("index")), str(piece.get("type")))
            if key not in self._details:
                self._details[key] = _Detail()
                self.size += _DETAIL_OVERHEAD
            self._details[key].add(piece)
            self.size += len(lenient.compact(piece)) + _PIECE_OVERHEAD
            shown = piece.get("text") or piece.get("summary")
            text += shown if isinstance(shown, str) else ""
        return text

    def signature(self) -> str | None:
        """Return the array as JSON text if anything in it proves something, else None."""
        details = [detail.whole() for detail in self._details.values()]
        if not any(detail.get(name) for detail in details for name in _PROOFS):
            return None
        return lenient.compact(details)
