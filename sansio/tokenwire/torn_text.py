"""Text whose characters may be torn over two deltas.

A server that cuts its text by UTF-16 code units sends an emoji as two lone surrogates, one at the
end of a delta and one at the beginning of the next. Neither is text: it could not be encoded to
UTF-8. The first half waits here for its other half.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar, final

from tokenwire.lenient_json import repaired

_Key = TypeVar("_Key", bound=Hashable)


def _ends_torn(text: str) -> bool:
    return "\ud800" <= text[-1:] <= "\udbff"


@final
class TornText(Generic[_Key]):
    """Joins torn characters, in any number of texts that grow side by side, each with a key."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, str] = {}

    def mend(self, key: _Key, text: str) -> str:
        """Return the next piece of the text named by `key`, whole characters only."""
        if text:
            text = self._waiting.pop(key, "") + text
        if _ends_torn(text):
            self._waiting[key] = text[-1]
            text = text[:-1]
        return repaired(text)

    def rest(self) -> list[tuple[_Key, str]]:
        """Return U+FFFD for each half that is still waiting, with its key, and forget them."""
        keys = list(self._waiting)
        self._waiting.clear()
        return [(key, "\ufffd") for key in keys]
