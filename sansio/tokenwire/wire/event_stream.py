"""Answers that come as an event stream, or as what servers send in its place.

A server may ignore the wish for a stream and send one JSON document, an error as a document with
status 200, the HTML page of a proxy, plain text or nothing. Which of these it is shows in the first
byte that is no white space, so the Content-Type, which is as often wrong, does not decide. Wire
formats add the meaning of the events in an `EventReader`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol, final

from tokenwire.endpoint import Limits
from tokenwire.errors import MAX_EXCERPT_BYTES, MalformedResponseError
from tokenwire.sse import LimitExceeded, ServerSentEvent, SSEDecoder
from tokenwire.tokens import End, Token
from tokenwire.wire.malformed import excerpt_of, limit_error, truncated_error

_BOM = b"\xef\xbb\xbf"


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


class _Body(Enum):
    UNKNOWN = auto()
    EVENTS = auto()
    DOCUMENT = auto()
    MARKUP = auto()


@final
class EventStreamAnswer:
    """An `Answer` in the form of an event stream.

    Args:
        reader: What the events mean.
        limits: Bounds on what is kept.
    """

    def __init__(self, reader: EventReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._decoder = SSEDecoder(limits, error_field=True)
        self._body = _Body.UNKNOWN
        self._white_space = 0  # bytes before the first significant one
        self._document = bytearray()
        self._opening = b""  # begins an excerpt, until an event shows that this is a stream
        self._saw_event = False
        self._silent_bytes = 0  # in events since the last token

    @property
    def complete(self) -> bool:
        """Whether a terminal marker has come."""
        return self._reader.complete

    def receive_data(self, data: bytes, tokens: list[Token]) -> None:
        """Take the next bytes. See `Answer.receive_data`."""
        if self._body is _Body.EVENTS:
            self._receive_events(data, tokens)
            return
        self._document += data
        if self._body is _Body.UNKNOWN:
            self._body = self._recognise()
        if self._white_space > self._limits.silent_bytes:
            raise limit_error("silent_bytes", self._limits.silent_bytes)
        match self._body:
            case _Body.EVENTS:
                data = bytes(self._document)
                self._document.clear()
                self._receive_events(data, tokens)
            case _Body.DOCUMENT if len(self._document) > self._limits.document_bytes:
                raise limit_error("document_bytes", self._limits.document_bytes)
            case _Body.MARKUP if len(self._document) >= MAX_EXCERPT_BYTES:
                raise _no_answer(bytes(self._document))
            case _:
                pass

    def receive_eof(self, tokens: list[Token]) -> None:
        """Take a clean end. See `Answer.receive_eof`."""
        match self._body:
            case _Body.DOCUMENT:
                self._reader.receive_document(bytes(self._document), tokens)
            case _Body.MARKUP:
                raise _no_answer(bytes(self._document))
            case _Body.UNKNOWN:
                raise MalformedResponseError(
                    reason="empty", message="the response body is empty", retryable=True
                )
            case _Body.EVENTS:
                last = self._decoder.receive_eof()
                if last is not None and self._reader.is_whole(last):
                    self._saw_event = True
                    self._reader.receive_event(last, tokens)
                if not _has_ended(tokens):
                    self._end_events(tokens)

    def receive_cut(self, tokens: list[Token]) -> None:
        """Take a broken end after a terminal marker. See `Answer.receive_cut`."""
        self._reader.finish(tokens)

    def _recognise(self) -> _Body:
        """Tell by the first significant byte what the body is, white space being dropped."""
        if _BOM.startswith(self._document):
            return _Body.UNKNOWN  # perhaps a byte order mark that has not come whole
        significant = self._document.removeprefix(_BOM).lstrip()
        self._white_space += len(self._document) - len(significant)
        self._document = significant
        match bytes(significant[:1]):
            case b"":
                return _Body.UNKNOWN
            case b"{" | b"[":
                return _Body.DOCUMENT
            case b"<":
                return _Body.MARKUP
            case _:
                return _Body.EVENTS

    def _receive_events(self, data: bytes, tokens: list[Token]) -> None:
        events = self._decoder.receive_data(data)
        if not self._saw_event:
            self._opening += data[: MAX_EXCERPT_BYTES - len(self._opening)]
            self._saw_event = bool(events)
        for event in events:
            if type(event) is LimitExceeded:
                raise limit_error(event.limit, event.bound)
            before = len(tokens)
            self._reader.receive_event(event, tokens)
            if len(tokens) == before:
                self._stay_silent(len(event.data))
            elif type(tokens[-1]) is End:
                return
            else:
                self._silent_bytes = 0

    def _stay_silent(self, size: int) -> None:
        self._silent_bytes += size
        if self._silent_bytes > self._limits.silent_bytes:
            raise limit_error("silent_bytes", self._limits.silent_bytes)

    def _end_events(self, tokens: list[Token]) -> None:
        if self._reader.complete:
            self._reader.finish(tokens)
        elif self._saw_event:
            raise truncated_error()
        else:
            raise _no_answer(self._opening)


def _has_ended(tokens: list[Token]) -> bool:
    return bool(tokens) and type(tokens[-1]) is End


def _no_answer(body: bytes) -> MalformedResponseError:
    return MalformedResponseError(
        reason="content_type",
        message="the response is neither an event stream nor JSON: is base_url the API's?",
        excerpt=excerpt_of(body),
    )
