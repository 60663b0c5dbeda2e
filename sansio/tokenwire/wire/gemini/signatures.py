"""Thought signatures, which must go back on the very part that they came with.

The API signs parts of any kind: thoughts, texts, function calls. It demands that a signed part is
neither joined with others nor cut. In a conversation, though, the pieces of a text are one text. So
a signature here says what it signs: the last so many characters before it. To everyone but this
wire format it is opaque.

Reference: https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

from __future__ import annotations

from typing import Any, final

import attrs

from tokenwire import lenient_json as lenient
from tokenwire.wire.encoding import json_or_none


@final
@attrs.frozen
class Signature:
    """A signature and the part that it signs.

    Attributes:
        thought_signature: As the API sent it.
        length: How many characters before it are signed.
        of_thought: They are a thought, not the answer's text.
    """

    thought_signature: str
    length: int = 0
    of_thought: bool = False

    def pack(self) -> str:
        """Return it as the one text that tokens and messages carry."""
        return lenient.compact(
            {
                "thoughtSignature": self.thought_signature,
                "length": self.length,
                "thought": self.of_thought,
            }
        )

    @classmethod
    def unpack(cls, text: str) -> Signature | None:
        """Read what `pack` wrote; None if it comes from another API."""
        members = lenient.as_object(json_or_none(text))
        thought_signature = lenient.as_text(members.get("thoughtSignature"))
        if thought_signature is None:
            return None
        length = lenient.as_count(members.get("length")) or 0
        return cls(thought_signature, length, members.get("thought") is True)

    def parts(self, text: str) -> list[dict[str, Any]]:
        """Cut the text before it into the parts that the API sent: unsigned and signed."""
        length = min(self.length, len(text))
        head, tail = text[: len(text) - length], text[len(text) - length :]
        signed = {"thoughtSignature": self.thought_signature}
        parts = [text_part(head, of_thought=self.of_thought)] if head else []
        return [*parts, text_part(tail, of_thought=self.of_thought) | signed]


def text_part(text: str, *, of_thought: bool = False) -> dict[str, Any]:
    """Return a text as the API writes one."""
    return {"text": text, "thought": True} if of_thought else {"text": text}
