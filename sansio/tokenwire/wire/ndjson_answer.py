"""Answers that come as newline-delimited JSON, the twin of `tokenwire.wire.event_stream`.

A whole answer in one JSON document, from a server that does not stream, is a single line and needs
nothing of its own. Wire formats add the meaning of the lines in a `LineReader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias, final

from tokenwire.endpoint import Limits
from tokenwire.errors import MAX_EXCERPT_BYTES, MalformedResponseError
from tokenwire.ndjson import NDJSONDecoder
from tokenwire.sse import LimitExceeded
from tokenwire.tokens import End, Token
from tokenwire.wire.body_form import BodyForm, BodyStart
from tokenwire.wire.malformed import (
    empty_error,
    is_json,
    limit_error,
    no_answer_error,
    refuse_many_values,
    truncated_error,
)
from tokenwire.wire.silence import Silence

_JSON: Final = BodyForm.JSON  # looking up a member takes longer than what else a small read does

#: Reads lines up to the first that is more than a piece of text, as hardly any is, and returns a
#: token for each. Keeps nothing in mind of that one and of what is behind it.
ReadTexts: TypeAlias = Callable[[Sequence[bytes]], Sequence[Token]]


class LineReader(Protocol):
    """What the lines of one wire format mean. See `Answer` for what its methods promise."""

    @property
    def complete(self) -> bool:
        """Whether a terminal marker has come."""
        ...

    def receive_line(self, line: bytes, tokens: list[Token]) -> None:
        """Take the next line, which is not blank; none comes behind the `End`."""
        ...

    def finish(self, tokens: list[Token]) -> None:
        """Append what was held back and the `End`."""
        ...


@final
class NDJSONAnswer:
    """An `Answer` in the form of lines of JSON.

    Args:
        reader: What the lines mean.
        limits: Bounds on what is kept.
        read_texts: A faster way to read most of them, with the same result.
    """

    def __init__(
        self, reader: LineReader, limits: Limits, read_texts: ReadTexts | None = None
    ) -> None:
        self._reader = reader
        self._read_texts = read_texts or _read_none
        self._limits = limits
        self._decoder = NDJSONDecoder(limits)
        self._start = BodyStart(limits)
        self._silence = Silence(limits)

    @property
    def complete(self) -> bool:
        """Whether a terminal marker has come."""
        return self._reader.complete

    def receive_data(self, data: bytes, tokens: list[Token]) -> None:
        """Take the next bytes. See `Answer.receive_data`."""
        if self._start.form is not _JSON:
            if self._start.receive_data(data) is not _JSON:
                self._refuse_if_long()
                return
            data = self._start.take()
        lines = self._decoder.receive_data(data)
        lines = lines[self._receive_texts(lines, tokens) :]
        if lines:
            self._receive_mixed(lines, tokens)

    def _receive_mixed(self, lines: Sequence[bytes | LimitExceeded], tokens: list[Token]) -> None:
        """Take lines of which the first is more than text, and try once more behind it."""
        if self._receive_each(lines[:1], tokens):
            lines = lines[1:]
            self._receive_each(lines[self._receive_texts(lines, tokens) :], tokens)

    def _receive_each(self, lines: Sequence[bytes | LimitExceeded], tokens: list[Token]) -> bool:
        """Take lines one by one, and tell whether the answer goes on."""
        for line in lines:
            if type(line) is LimitExceeded:
                raise limit_error(line.limit, line.bound)
            self._receive_line(line, tokens)
            if tokens and type(tokens[-1]) is End:
                return False
        return True

    def _receive_texts(self, items: Sequence[bytes | LimitExceeded], tokens: list[Token]) -> int:
        """Take those lines at the beginning that are text; return how many."""
        lines: list[bytes] = []
        size = 0
        for item in items:
            if type(item) is LimitExceeded:
                break
            lines.append(item)
            size += len(item)
        if size > self._limits.json_values:
            return 0
        texts = self._read_texts(lines)
        if texts:
            tokens += texts
            self._silence.bytes = 0
        return len(texts)

    def receive_eof(self, tokens: list[Token]) -> None:
        """Take a clean end. See `Answer.receive_eof`."""
        match self._start.form:
            case BodyForm.JSON:
                self._end_lines(tokens)
            case BodyForm.UNKNOWN:
                raise empty_error("the response body is empty")
            case _:
                raise _no_ndjson(self._start.take())

    def receive_cut(self, tokens: list[Token]) -> None:
        """Take a broken end after a terminal marker. See `Answer.receive_cut`."""
        self._reader.finish(tokens)

    def _refuse_if_long(self) -> None:
        """Refuse what is no JSON once there is enough of it to be quoted."""
        if self._start.size >= MAX_EXCERPT_BYTES:
            raise _no_ndjson(self._start.take())

    def _receive_line(self, line: bytes, tokens: list[Token]) -> None:
        refuse_many_values(line, self._limits)
        before = len(tokens)
        self._reader.receive_line(line, tokens)
        if len(tokens) == before:
            self._silence.last(len(line))
        else:
            self._silence.bytes = 0

    def _receive_last_line(self, line: bytes, tokens: list[Token]) -> None:
        """Take a line that no LF ended: it counts if it is whole."""
        refuse_many_values(line, self._limits)
        if is_json(line, self._limits):
            self._reader.receive_line(line, tokens)

    def _end_lines(self, tokens: list[Token]) -> None:
        last = self._decoder.receive_eof()
        if last is not None:
            self._receive_last_line(last, tokens)
        if tokens and type(tokens[-1]) is End:
            return
        if not self._reader.complete:
            raise truncated_error()
        self._reader.finish(tokens)


def _read_none(_lines: Sequence[bytes]) -> Sequence[Token]:
    return ()


def _no_ndjson(body: bytes) -> MalformedResponseError:
    return no_answer_error("no JSON", body)
