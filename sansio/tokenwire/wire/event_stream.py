"""Answers that come as an event stream, or as what servers send in its place.

A server may ignore the wish for a stream and send one JSON document, an error as a document with
status 200, the HTML page of a proxy, plain text or nothing: see `tokenwire.wire.body_form`. Wire
formats add the meaning of the events in an `EventReader`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias, assert_never, final

from tokenwire.endpoint import Limits
from tokenwire.errors import MAX_EXCERPT_BYTES, MalformedResponseError
from tokenwire.sse import EventRun, LimitExceeded, ServerSentEvent, SSEDecoder, SSEItem
from tokenwire.tokens import End, Token
from tokenwire.wire.body_form import BodyForm, BodyStart
from tokenwire.wire.malformed import (
    empty_error,
    limit_error,
    no_answer_error,
    refuse_many_values,
    truncated_error,
)
from tokenwire.wire.silence import Silence

#: How an event stream begins that has no data: a comment, or another field than that.
_OTHER_FIELD: Final = re.compile(rb"(event|id|retry)?:")

#: What an event takes on the wire besides its data, at least: ``data:`` and two line ends. It is
#: silence too, or events without any data could go on for ever.
_MIN_FRAME: Final = 7

_TEXT: Final = BodyForm.TEXT  # looking up a member takes longer than what else a small read does

#: Reads a run of events up to the first that is more than a piece of text, as hardly any is, and
#: returns a token for each. Keeps nothing in mind of that one and of what is behind it.
ReadTexts: TypeAlias = Callable[[EventRun], Sequence[Token]]

#: So many events are read one by one before a run is tried again: what an answer begins with.
_OPENING_EVENTS: Final = 4


class EventReader(Protocol):
    """What the events of one wire format mean. See `Answer` for what its methods promise."""

    @property
    def complete(self) -> bool:
        """Whether a terminal marker has come."""
        ...

    def receive_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take the next event; none comes behind the `End`."""
        ...

    def is_whole(self, event: ServerSentEvent) -> bool:
        """Whether an event counts that the end of the stream cut off from its blank line."""
        ...

    def receive_document(self, document: bytes, tokens: list[Token]) -> None:
        """Take a JSON text that came in place of a stream: a whole answer or an error."""
        ...

    def finish(self, tokens: list[Token]) -> None:
        """Append what was held back and the `End`."""
        ...


@final
class EventStreamAnswer:
    """An `Answer` in the form of an event stream.

    Args:
        reader: What the events mean.
        limits: Bounds on what is kept.
        read_texts: A faster way to read most of them, with the same result.
    """

    def __init__(
        self, reader: EventReader, limits: Limits, read_texts: ReadTexts | None = None
    ) -> None:
        self._reader = reader
        self._read_texts = read_texts or _read_none
        self._limits = limits
        self._max_values = limits.json_values
        self._decoder = SSEDecoder(limits, error_field=True)
        self._start = BodyStart(limits)
        self._opening = b""  # begins an excerpt, until an event shows that this is a stream
        self._saw_event = False
        self._silence = Silence(limits)

    @property
    def complete(self) -> bool:
        """Whether a terminal marker has come."""
        return self._reader.complete

    def receive_data(self, data: bytes, tokens: list[Token]) -> None:
        """Take the next bytes. See `Answer.receive_data`."""
        if self._start.form is not _TEXT:
            data = self._receive_start(data)
        items = self._decoder.receive_runs(data)
        if not self._saw_event:
            self._saw_event = bool(items)
            opening = self._opening + data[: MAX_EXCERPT_BYTES - len(self._opening)]
            self._opening = b"" if items else opening
        for item in items:
            if type(item) is not EventRun:
                self._receive_each((item,), tokens)
            elif item.size > self._max_values:
                self._receive_each(item.events(), tokens)
            else:
                texts = self._read_texts(item)
                if texts:
                    tokens += texts
                    self._silence.bytes = 0
                if len(texts) == len(item.data):
                    continue  # texts are no end
                self._receive_mixed(item, len(texts), tokens)
            if tokens and type(tokens[-1]) is End:
                return

    def receive_eof(self, tokens: list[Token]) -> None:
        """Take a clean end. See `Answer.receive_eof`."""
        match self._start.form:
            case BodyForm.JSON:
                document = self._start.take()
                refuse_many_values(document, self._limits)
                self._reader.receive_document(document, tokens)
            case BodyForm.MARKUP:
                raise _no_answer(self._start.take())
            case BodyForm.UNKNOWN:
                raise empty_error("the response body is empty")
            case BodyForm.TEXT:
                last = self._decoder.receive_eof()
                if last is not None:
                    self._receive_last_event(last, tokens)
                if not _has_ended(tokens):
                    self._end_events(tokens)
            case _:
                assert_never(self._start.form)

    def receive_cut(self, tokens: list[Token]) -> None:
        """Take a broken end after a terminal marker. See `Answer.receive_cut`."""
        self._reader.finish(tokens)

    def _receive_start(self, data: bytes) -> bytes:
        """Take the next bytes of what may be no stream; return those of one."""
        match self._start.receive_data(data):
            case BodyForm.TEXT:
                return self._start.take()
            case BodyForm.JSON if self._start.size > self._limits.document_bytes:
                raise limit_error("document_bytes", self._limits.document_bytes)
            case BodyForm.MARKUP if self._start.size >= MAX_EXCERPT_BYTES:
                raise _no_answer(self._start.take())
            case _:
                return b""

    def _receive_mixed(self, run: EventRun, begin: int, tokens: list[Token]) -> None:
        """Take the events from one on that is more than text, and try once more behind a few."""
        end = begin + _OPENING_EVENTS
        self._receive_each(run.events(begin, end), tokens)
        if end >= len(run.data) or _has_ended(tokens):
            return
        rest = run.after(end)
        texts = self._read_texts(rest)
        if texts:
            tokens += texts
            self._silence.bytes = 0
        self._receive_each(rest.events(len(texts)), tokens)

    def _receive_each(self, events: Iterable[SSEItem], tokens: list[Token]) -> None:
        """Take events one by one, up to the end of the answer."""
        receive_event, max_values = self._reader.receive_event, self._max_values
        before = len(tokens)
        for event in events:
            if type(event) is LimitExceeded:
                raise limit_error(event.limit, event.bound)
            if len(event.data) > max_values:
                refuse_many_values(event.data, self._limits)
            receive_event(event, tokens)
            count = len(tokens)
            if count == before:
                self._silence.last(_MIN_FRAME + len(event.data))
            elif type(tokens[-1]) is End:
                return
            else:
                self._silence.bytes = 0
                before = count

    def _receive_last_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take an event that no blank line ended: it counts if it is whole."""
        self._saw_event = True
        refuse_many_values(event.data, self._limits)
        if self._reader.is_whole(event):
            self._reader.receive_event(event, tokens)

    def _end_events(self, tokens: list[Token]) -> None:
        if self._reader.complete:
            self._reader.finish(tokens)
        elif self._saw_event:
            raise truncated_error()
        elif _OTHER_FIELD.match(self._opening):
            raise empty_error("the event stream holds no event")
        else:
            raise _no_answer(self._opening)


def _read_none(_run: EventRun) -> Sequence[Token]:
    return ()


def _has_ended(tokens: list[Token]) -> bool:
    return bool(tokens) and type(tokens[-1]) is End


def _no_answer(body: bytes) -> MalformedResponseError:
    return no_answer_error("neither an event stream nor JSON", body)
