"""Newline-delimited JSON: bytes in, one JSON text a line out.

Lines end with LF; a CR before it belongs to the line's end (https://github.com/ndjson/ndjson-spec,
section 3.1). Blank lines are skipped, as the specification allows. Proxies cut and join the bytes
as they please, so a line may come in any number of pieces; time is linear in the bytes.
"""

from __future__ import annotations

from typing import Final, final

from tokenwire.endpoint import Limits
from tokenwire.sse import LimitExceeded

_LF: Final = 10


@final
class NDJSONDecoder:
    """Splits a stream into JSON texts, without reading them.

    Args:
        limits: Bounds on a line (``line_bytes``) and on blank bytes in a row (``silent_bytes``).
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        # No line in so many bytes can exceed its limit; none is harmless once one did.
        self._harmless_bytes = self._limits.line_bytes
        self._line = bytearray()
        self._silent_bytes = 0
        self._exceeded = False

    def receive_data(self, data: bytes) -> list[bytes | LimitExceeded]:
        """Take the next bytes, cut anywhere.

        Returns:
            The lines that these bytes completed, without their ends. A `LimitExceeded` is the last
            item that ever comes.
        """
        if data[-1:] == b"\n" and not self._line and len(data) <= self._harmless_bytes:
            # Live streams bring lines one by one.
            line = data[:-1]
            if _LF not in line and (text := line.strip()):
                self._silent_bytes = 0
                return [text]
        items: list[bytes | LimitExceeded] = []
        if not self._exceeded:
            self._receive_lines(data, items)
        return items

    def receive_eof(self) -> bytes | None:
        """Take the end of the stream; return a last line that no LF ended, None if it is blank."""
        line = bytes(self._line).strip()
        self._line.clear()
        return line or None

    def _receive_lines(self, data: bytes, items: list[bytes | LimitExceeded]) -> None:
        is_harmless = len(self._line) + len(data) <= self._harmless_bytes
        *lines, rest = data.split(b"\n")
        if lines and self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        texts = [text for line in lines if (text := line.strip())] if is_harmless else []
        if texts and len(texts) == len(lines):  # what nearly all reads bring
            self._silent_bytes = 0
            items += texts
        else:
            for line in lines:
                self._receive_line(line, items)
                if self._exceeded:
                    return
        self._line += rest
        if len(self._line) > self._limits.line_bytes:
            self._exceed("line_bytes", self._limits.line_bytes, items)

    def _receive_line(self, line: bytes, items: list[bytes | LimitExceeded]) -> None:
        if len(line) > self._limits.line_bytes:
            self._exceed("line_bytes", self._limits.line_bytes, items)
        elif text := line.strip():
            self._silent_bytes = 0
            items.append(text)
        else:
            self._silent_bytes += len(line) + 1
            if self._silent_bytes > self._limits.silent_bytes:
                self._exceed("silent_bytes", self._limits.silent_bytes, items)

    def _exceed(self, limit: str, bound: int, items: list[bytes | LimitExceeded]) -> None:
        self._exceeded = True
        self._harmless_bytes = 0
        self._line = bytearray()
        items.append(LimitExceeded(limit, bound))
