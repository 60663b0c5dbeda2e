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
``event: …``. Those are split by what stands between their data, without a look at each line;
everything else takes the general path, a call for each line, with the same result.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

import msgspec

from tokenwire.endpoint import Limits

_BOM: Final = b"\xef\xbb\xbf"
_LF: Final = 10
_CR: Final = 13

#: Digits that are taken from a ``retry`` field. The standard sets no bound, but converting digits
#: costs quadratic time, and Python refuses some thousands of them.
_MAX_RETRY_DIGITS: Final = 64

#: How far the data of a block may be from its beginning in a run of events. Types are shorter.
_MAX_HEAD: Final = 256


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
class EventRun(msgspec.Struct, frozen=True, gc=False):
    """Events in a row, each of one line of data, that have everything else in common.

    Attributes:
        data: The data of each.
        event: The event type.
        id: The last event ID string.
        size: The bytes that they took.
    """

    data: list[bytes]
    event: str
    id: str
    size: int

    def events(self, begin: int = 0, end: int | None = None) -> list[ServerSentEvent]:
        """Return them one by one, or some of them."""
        return [ServerSentEvent(data, self.event, self.id) for data in self.data[begin:end]]

    def after(self, count: int) -> EventRun:
        """Return the run without its first events; its size is at most what it was."""
        return EventRun(self.data[count:], self.event, self.id, self.size)


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
        # So many bytes cannot exceed a limit; not one byte is harmless once a limit was exceeded.
        self._harmless_bytes = min(
            self._limits.line_bytes, self._limits.event_bytes, self._limits.silent_bytes
        )
        self._error_field = error_field
        self._bom_left: bytes = _BOM  # what may still come of a leading byte order mark
        self._after_cr = False  # the last byte was a CR: an LF now belongs to it
        self._line = bytearray()  # a line without its end yet
        self._silent_bytes = 0  # since the last event
        self._exceeded = False
        # What stands before the data of each event of the last run, and their type.
        self._run_head: bytes = b"data: "
        self._run_type = "message"
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
        for item in self.receive_runs(data):
            if type(item) is EventRun:
                items += item.events()
            else:
                items.append(item)
        return items

    def receive_runs(self, data: bytes) -> list[SSEItem | EventRun]:
        """Take the next bytes of the stream, for those who read many events at once.

        Args:
            data: As they came, cut anywhere.

        Returns:
            What `receive_data` would, with events that are alike left together.
        """
        if self._bom_left:
            data = self._skip_bom(data)
        if _CR in data or (self._after_cr and data):
            data = self._end_lines_with_lf(data)
        if not (self._line or self._block_started) and data[-2:] == b"\n\n":
            # Live streams bring events one by one, each like the one before.
            size, begin = len(data), len(self._run_head)
            if (
                data[:begin] == self._run_head
                and _LF not in (value := data[begin:-2])
                and size + self._silent_bytes <= self._harmless_bytes
            ):
                self._silent_bytes = 0
                return [EventRun([value], self._run_type, self._last_event_id, size)]
        items: list[SSEItem | EventRun] = []
        if self._exceeded:
            return items
        if _LF in data:
            self._receive_blocks(data, items)
        else:
            self._receive_rest(data, items)
        return items

    def receive_eof(self) -> ServerSentEvent | None:
        """Take the end of the stream.

        Returns:
            The event of a block that no blank line ended, None if there is none. The standard
            discards it: ignore the result to do the same.
        """
        if self._exceeded:
            return None
        items: list[SSEItem | EventRun] = []
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

    def _receive_blocks(self, data: bytes, items: list[SSEItem | EventRun]) -> None:
        """Take bytes with ends of lines: blocks that are all alike at once, the rest by lines."""
        end = data.rfind(b"\n\n") + 2
        if end > 1 and (self._block_started or self._line):
            data = self._complete_block(data, items)
            end = data.rfind(b"\n\n") + 2
        if end > 1:
            blocks, data = data[:end], data[end:]
            if end + self._silent_bytes <= self._harmless_bytes and (
                read := self._read_run(blocks) or self._read_named(blocks)
            ):
                self._silent_bytes = 0
                items += read
            else:
                self._receive_lines(blocks, items)
        if data:
            self._receive_lines(data, items)

    def _complete_block(self, data: bytes, items: list[SSEItem | EventRun]) -> bytes:
        """Complete the block that an earlier read began; return what begins with a whole block."""
        if self._block_started:
            end = data.index(b"\n\n") + 2
            self._receive_lines(data[:end], items)
            return data[end:]
        # A block that was cut in its first line is whole again, and copied once: it may be large.
        data = b"".join((self._line, data))
        self._line.clear()
        return data

    def _read_run(self, blocks: bytes) -> list[EventRun]:
        """Read blocks that are all alike; return nothing if they are not."""
        if not (blocks.startswith(self._run_head) or self._begins_run(blocks)):
            return []
        run = blocks[len(self._run_head) : -2].split(b"\n\n" + self._run_head)
        if [data for data in run if _LF in data]:
            return []
        return [EventRun(run, self._run_type, self._last_event_id, len(blocks))]

    def _begins_run(self, blocks: bytes) -> bool:
        """Take note of what stands before the data of the first block, if that may repeat."""
        head = blocks[: blocks.find(b"data: ", 0, _MAX_HEAD) + 6]
        if head == b"data: ":
            self._run_type = "message"
        elif head.startswith(b"event: ") and head.find(b"\n") == len(head) - len(b"\ndata: "):
            self._run_type = head[7:-7].decode("utf-8", "replace") or "message"
        else:
            return False
        self._run_head = head
        return True

    def _read_named(self, data: bytes) -> list[ServerSentEvent]:
        """Read blocks of a name and a line of data; return nothing if there is more to them."""
        *lines, _ = data.split(b"\n")
        events = [
            ServerSentEvent(
                line[6:], name[7:].decode("utf-8", "replace") or "message", self._last_event_id
            )
            for name, line in zip(lines[::3], lines[1::3], strict=False)
            if line[:6] == b"data: " and name[:7] == b"event: "
        ]
        is_uniform = len(events) * 3 == len(lines) and not any(lines[2::3])
        return events if is_uniform else []

    def _receive_lines(self, data: bytes, items: list[SSEItem | EventRun]) -> None:
        """Take bytes of any kind, line by line."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join((self._line, lines[0]))
            self._line.clear()
        for line in lines:
            if not self._exceeded:
                self._receive_line(line, items)
        if not self._exceeded:
            self._receive_rest(rest, items)

    def _receive_rest(self, data: bytes, items: list[SSEItem | EventRun]) -> None:
        """Take more of a line, which waits for its end in `_line`."""
        self._line += data
        if len(self._line) > self._limits.line_bytes:
            self._exceed("line_bytes", self._limits.line_bytes, items)

    def _receive_line(self, line: bytes, items: list[SSEItem | EventRun]) -> None:
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

    def _append_data(self, value: bytes, items: list[SSEItem | EventRun]) -> None:
        self._block_started = True
        self._data += value
        self._data += b"\n"
        if len(self._data) > self._limits.event_bytes:
            self._exceed("event_bytes", self._limits.event_bytes, items)

    def _process_field(self, name: bytes, value: bytes, items: list[SSEItem | EventRun]) -> None:
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

    def _dispatch(self, items: list[SSEItem | EventRun]) -> None:
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

    def _exceed(self, limit: str, bound: int, items: list[SSEItem | EventRun]) -> None:
        self._exceeded = True
        self._harmless_bytes = 0
        self._line = bytearray()
        self._data = bytearray()
        items.append(LimitExceeded(limit, bound))
