"""The plain chunks of a chunked body, read at a tenth of what they cost h11.

Nearly every chunk is a size in hexadecimal digits, a line end, so many bytes and another line end
(RFC 9112 section 7.1). h11 makes an event of each, which costs more than the JSON in it. Here one
regular expression leads from chunk to chunk. Whatever is not plain is left to h11, from the
beginning of that chunk on: the last chunk with its trailers, extensions, white space, sizes that
are long, and what is no chunk at all. So the end of a body is always h11's word, and so is every
refusal but one: of a chunk that does not end where it should, in which h11 has not seen the rest.
"""

from __future__ import annotations

import re
from typing import Final, final

_LINE_END: Final = b"\r\n"

#: What stands between the contents of two chunks: the end of the one, and the size of the other,
#: with as many digits as h11 takes, unless it is the last chunk's.
_BETWEEN: Final = re.compile(rb"\r\n(?!0+\r)([0-9A-Fa-f]{1,20})\r\n")

#: A part of that which may yet become the whole.
_INCOMPLETE: Final = re.compile(rb"\r?|\r\n[0-9A-Fa-f]{0,20}\r?")


@final
class PlainChunks:
    """Reads a chunked body up to the first chunk that is not plain.

    Attributes:
        unread: What has come from the beginning of that chunk on, for h11; None until then.
        damaged: A chunk did not end where it should. Nothing behind it is read.
    """

    __slots__ = ("_left", "_rest", "damaged", "unread")

    def __init__(self) -> None:
        self._left = 0  # bytes of the chunk's content that are yet to come
        self._rest = _LINE_END  # behind all contents so far; as if a chunk had ended
        self.unread: bytes | None = None
        self.damaged: bool = False

    def receive(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the body, and return what they hold of the contents of chunks.

        Not to be called again once something is `unread` or `damaged`.
        """
        data = self._rest + data if self._rest else data
        size, end = len(data), self._left
        pieces = [data[:end]]
        while end < size and (between := _BETWEEN.match(data, end)):
            start = between.end()
            end = start + int(between[1], 16)
            pieces.append(data[start:end])
        self._left = end - size if end > size else 0
        self._rest = data[end:]
        if self._rest != _LINE_END and not _INCOMPLETE.fullmatch(self._rest):
            self._stop()
        return pieces

    def _stop(self) -> None:
        if self._rest.startswith(_LINE_END):
            self.unread = self._rest.removeprefix(_LINE_END)
        else:
            self.damaged = True
