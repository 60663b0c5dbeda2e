"""Thinking blocks as `Reasoning`, there and back.

The API signs each block and wants it back unchanged while a tool is in use
(https://platform.claude.com/docs/en/build-with-claude/extended-thinking). A block of plain thinking
is its text and its signature. A redacted one has encrypted data and no text: here the data becomes
the signature, behind a prefix that no signature of the API has, as those are base64.
"""

from __future__ import annotations

import re
from typing import Any, Final

from tokenwire.messages import Reasoning

_REDACTED: Final = "redacted_thinking:"

#: What is in the JSON that other wire formats keep as a signature, and in no signature of this API.
_FOREIGN: Final = re.compile(r'[\[\]{}"\s]')


def redacted_signature(data: str) -> str:
    """Return the signature that stands for a redacted block."""
    return _REDACTED + data


def thinking_block(reasoning: Reasoning) -> dict[str, Any] | None:
    """Return the block that reasoning came from; None if it did not come from this API."""
    signature = reasoning.signature
    if signature is None or _FOREIGN.search(signature):
        return None
    if signature.startswith(_REDACTED):
        return {"type": "redacted_thinking", "data": signature.removeprefix(_REDACTED)}
    return {"type": "thinking", "thinking": reasoning.text, "signature": signature}
