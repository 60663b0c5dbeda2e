"""Event streams: bytes in, events out, as the WHATWG HTML standard says.

The decoder follows "Parsing an event stream" and "Interpreting an event stream" of
https://html.spec.whatwg.org/multipage/server-sent-events.html step by step, with three differences
that are all visible in its interface: it bounds what it keeps, it hands back the block in which
the stream ended instead of discarding it, and it can report an ``error`` field.

It works on bytes: lines are split before anything is decoded, so a character that straddles two
reads is whole again, and characters such as U+2028, which `str.splitlines` would break at, are
ordinary. Time is linear in the bytes however they are cut.

    decoder = SSEDecoder()
    for event in decoder.receive_data(data):
        ...

Most reads bring whole blocks that are all alike: a line ``data: …``, perhaps behind a line
``event: …``. Those are read by list comprehensions over all lines; everything else takes the
general path, a call for each line, with the same result.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

import msgspec

from tokenwire.endpoint import Limits

_BOM: Final = b"\xef\xbb\xbf"
_CR: Final = 13

#: Digits that are taken from a ``retry`` field. The standard sets no bound, but converting digits
#: costs quadratic time, and Python refuses some thousands of them.
_MAX_RETRY_DIGITS: Final = 64


@final
class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event.

    Attributes:
        data: The data buffer as bytes, lines joined by LF. Not checked to be UTF-8: use `text`.
        event: The event type, ``"message"`` where the stream named none.
        id: The last event ID string at the time of the event.
        retry: Reconnection time in milliseconds that its block set, None if it set none.
    """

    data: bytes
    event: str = "message"
    id: str = ""
    retry: int | None = None

    @property
    def text(self) -> str:
        """The data as text; invalid UTF-8 becomes U+FFFD, as the standard decodes it."""
        return self.data.decode("utf-8", "replace")


@final
class LimitExceeded(msgspec.Struct, frozen=True, gc=False):
    """The stream went past a limit; nothing more comes out of its decoder.

    Attributes:
        limit: Name of the `Limits` field.
        bound: Its value.
    """

    limit: str
    bound: int


SSEItem: TypeAlias = ServerSentEvent | LimitExceeded


@final
class SSEDecoder:
    """Decodes one event stream.

    Args:
        limits: Bounds on a line (``line_bytes``), on an event (``event_bytes``) and on what comes
            between two events (``silent_bytes``). The standard sets none.
        error_field: Report a line ``error: …`` as an event named ``"error"``. The standard ignores
            that field; older llama.cpp servers report a failure in it.
    """

    def __init__(self, limits: Limits | None = None, *, error_field: bool = False) -> None:
        self._limits = limits or Limits()
        # No line and no event of fewer bytes than that can exceed its limit.
        self._harmless_bytes = min(self._limits.line_bytes, self._limits.event_bytes)
        self._error_field = error_field
        self._bom_left: bytes = _BOM  # what may still come of a leading byte order mark
        self._after_cr = False  # the last byte was a CR: an LF now belongs to it
        self._line = bytearray()  # a line without its end yet
        self._silent_bytes = 0  # since the last event
        self._exceeded = False
        # The buffers of the standard, "data buffer" to "last event ID".
        self._data = bytearray()
        self._event_type = ""
        self._retry: int | None = None
        self._id_buffer = ""
        self._block_started = False  # a field of the current block has been seen
        self._last_event_id = ""
        self._reconnection_time: int | None = None

    @property
    def last_event_id(self) -> str:
        """The last event ID string, as a client would send it when it reconnects."""
        return self._last_event_id

    @property
    def reconnection_time(self) -> int | None:
        """The last valid ``retry`` of the stream in milliseconds, None if there was none."""
        return self._reconnection_time

    def receive_data(self, data: bytes) -> list[SSEItem]:
        """Take the next bytes of the stream.

        Args:
            data: As they came, cut anywhere.

        Returns:
            The events that these bytes completed, in order. A `LimitExceeded` is the last item
            that ever comes.
        """
        items: list[SSEItem] = []
        if self._bom_left:
            data = self._skip_bom(data)
        if self._exceeded or not data:
            return items
        if self._after_cr or _CR in data:
            data = self._end_lines_with_lf(data)
        if b"\n\n" in data:
            data = self._receive_block_ends(data, items)
        if data:
            self._receive_lines(data, items)
        return items

    def receive_eof(self) -> ServerSentEvent | None:
        """Take the end of the stream.

        Returns:
            The event of a block that no blank line ended, None if there is none. The standard
            discards it: ignore the result to do the same.
        """
        if self._exceeded:
            return None
        items: list[SSEItem] = []
        # What the standard discards leaves no trace in what a client sends when it reconnects.
        before = self._last_event_id, self._reconnection_time
        if self._line:
            self._receive_line(bytes(self._line), items)
            self._line.clear()
        if not items:
            self._dispatch(items)
        self._last_event_id, self._reconnection_time = before
        last = items[-1] if items else None
        return last if isinstance(last, ServerSentEvent) else None

    def _skip_bom(self, data: bytes) -> bytes:
        """Drop one leading byte order mark, also one that comes in pieces."""
        already = len(_BOM) - len(self._bom_left)
        if len(data) < len(self._bom_left) and self._bom_left.startswith(data):
            self._bom_left = self._bom_left[len(data) :]
            return b""
        if data.startswith(self._bom_left):
            data = data[len(self._bom_left) :]
        else:
            data = _BOM[:already] + data
        self._bom_left = b""
        return data

    def _end_lines_with_lf(self, data: bytes) -> bytes:
        """Replace all line ends by LF: ``end-of-line = cr lf / cr / lf``."""
        if self._after_cr:
            data = data.removeprefix(b"\n")  # the other half of a CRLF
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _receive_block_ends(self, data: bytes, items: list[SSEItem]) -> bytes:
        """Take what reaches up to the last blank line; return what stands behind it."""
        start = 0
        if self._block_started:
            start = data.index(b"\n\n") + 2  # where the block ends that an earlier read began
            self._receive_lines(data[:start], items)
        elif self._line:
            data = bytes(self._line) + data  # a block that was cut in its first line is whole again
            self._line.clear()
        end = data.rindex(b"\n\n") + 2
        if start < end:
            self._receive_blocks(data[start:end], items)
        return data[end:]

    def _receive_blocks(self, data: bytes, items: list[SSEItem]) -> None:
        """Take whole blocks, the decoder being between two of them."""
        if (
            not self._exceeded
            and len(data) <= self._harmless_bytes
            and len(data) + self._silent_bytes <= self._limits.silent_bytes
            and (events := self._read_uniform(data))
        ):
            self._silent_bytes = 0
            items += events
        else:
            self._receive_lines(data, items)

    def _read_uniform(self, data: bytes) -> list[ServerSentEvent]:
        """Read blocks that are all alike; return nothing if they are not, or of another form."""
        event_id = self._last_event_id
        is_plain = data.startswith(b"data: ")
        if is_plain and data.index(b"\n") == len(data) - 2:  # a single one, as live streams bring
            return [ServerSentEvent(data[6:-2], "message", event_id)]
        *lines, _ = data.split(b"\n")
        if is_plain:
            lines_of_a_block = 2
            events = [
                ServerSentEvent(line[6:], "message", event_id)
                for line in lines[::2]
                if line[:6] == b"data: "
            ]
        else:
            lines_of_a_block = 3
            events = [
                ServerSentEvent(
                    line[6:], name[7:].decode("utf-8", "replace") or "message", event_id
                )
                for name, line in zip(lines[::3], lines[1::3], strict=False)
                if line[:6] == b"data: " and name[:7] == b"event: "
            ]
        blank_lines = lines[lines_of_a_block - 1 :: lines_of_a_block]
        is_uniform = len(events) * lines_of_a_block == len(lines) and not any(blank_lines)
        return events if is_uniform else []

    def _receive_lines(self, data: bytes, items: list[SSEItem]) -> None:
        """Take bytes of any kind, line by line; one without an end waits for it in `_line`."""
        *lines, rest = data.split(b"\n")
        if lines and self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        for line in lines:
            if not self._exceeded:
                self._receive_line(line, items)
        if not self._exceeded:
            self._line += rest
            if len(self._line) > self._limits.line_bytes:
                self._exceed("line_bytes", self._limits.line_bytes, items)

    def _receive_line(self, line: bytes, items: list[SSEItem]) -> None:
        """Interpret one line without its end ("process the field" in the standard)."""
        if len(line) > self._limits.line_bytes:
            self._exceed("line_bytes", self._limits.line_bytes, items)
            return
        if line.startswith(b"data:"):  # by far the most common
            self._append_data(line[5:].removeprefix(b" "), items)
            return
        self._silent_bytes += len(line) + 1
        if not line:
            self._dispatch(items)
        elif not line.startswith(b":"):  # which would be a comment
            name, _, value = line.partition(b":")
            self._process_field(name, value.removeprefix(b" "), items)
        if self._silent_bytes > self._limits.silent_bytes:
            self._exceed("silent_bytes", self._limits.silent_bytes, items)

    def _append_data(self, value: bytes, items: list[SSEItem]) -> None:
        self._block_started = True
        self._data += value
        self._data += b"\n"
        if len(self._data) > self._limits.event_bytes:
            self._exceed("event_bytes", self._limits.event_bytes, items)

    def _process_field(self, name: bytes, value: bytes, items: list[SSEItem]) -> None:
        self._block_started = True
        match name:
            case b"data":
                self._append_data(value, items)
            case b"event":
                self._event_type = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id_buffer = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                self._retry = self._reconnection_time = int(value)
            case b"error" if self._error_field:
                items.append(ServerSentEvent(value, "error", self._last_event_id))
            case _:
                pass  # "the field is ignored"

    def _dispatch(self, items: list[SSEItem]) -> None:
        """Do what the standard does at a blank line ("dispatch the event")."""
        self._last_event_id = self._id_buffer
        if self._data:
            self._silent_bytes = 0
            del self._data[-1]  # "if the data buffer's last character is an LF, remove it"
            event_type = self._event_type or "message"
            items.append(
                ServerSentEvent(bytes(self._data), event_type, self._last_event_id, self._retry)
            )
            self._data = bytearray()
        self._event_type = ""
        self._retry = None
        self._block_started = False

    def _exceed(self, limit: str, bound: int, items: list[SSEItem]) -> None:
        self._exceeded = True
        self._line = bytearray()
        self._data = bytearray()
        items.append(LimitExceeded(limit, bound))
