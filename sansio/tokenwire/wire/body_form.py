"""What form a body has, whatever its Content-Type says, which is as often wrong.

A server may send something else than a stream: one JSON document, the HTML page of a proxy, plain
text, nothing. Which of these it is shows in the first byte that is no white space.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, final

from tokenwire.endpoint import Limits
from tokenwire.wire.silence import Silence

_BOM: Final = b"\xef\xbb\xbf"


class BodyForm(Enum):
    """What a body begins as; unknown until a byte has come that tells."""

    UNKNOWN = auto()
    JSON = auto()
    MARKUP = auto()
    TEXT = auto()  # anything else, an event stream too


@final
class BodyStart:
    """Keeps a body from its first significant byte on, and tells its form.

    Attributes:
        form: What it is.
    """

    def __init__(self, limits: Limits) -> None:
        self.form: BodyForm = BodyForm.UNKNOWN
        self._kept = bytearray()
        self._white_space = Silence(limits)

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return len(self._kept)

    def receive_data(self, data: bytes) -> BodyForm:
        """Take the next bytes and return the form.

        Raises:
            MalformedResponseError: If it is nothing but white space, and more than
                ``silent_bytes`` of it.
        """
        self._kept += data
        if self.form is BodyForm.UNKNOWN:
            self.form = self._recognise()
        return self.form

    def take(self) -> bytes:
        """Return what is kept, and keep it no longer."""
        kept = bytes(self._kept)
        self._kept.clear()
        return kept

    def _recognise(self) -> BodyForm:
        """Tell by the first significant byte what the body is, white space being dropped."""
        significant = self._kept
        if self._white_space.bytes == 0:
            if _BOM.startswith(significant):
                return BodyForm.UNKNOWN  # perhaps a byte order mark that has not come whole
            significant = significant.removeprefix(_BOM)
        significant = significant.lstrip()
        self._white_space.last(len(self._kept) - len(significant))
        self._kept = significant
        match bytes(significant[:1]):
            case b"":
                return BodyForm.UNKNOWN
            case b"{" | b"[":
                return BodyForm.JSON
            case b"<":
                return BodyForm.MARKUP
            case _:
                return BodyForm.TEXT
