"""One request and its response in HTTP/1.1, without I/O.

h11 writes the request and reads the response; `RequestCycle` gives it the shape of the core's own
objects: feed it what one network read brought, then ask for what that completed. Only the chunks of
an answer don't pass through h11, as long as they are plain (see `plain_chunks`). It is given no
more than the head before that, so that it can read on wherever they end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, final

import attrs
import h11

from tokenwire.request import HTTPRequest
from tokenwire_trio.plain_chunks import PlainChunks
from tokenwire_trio.request_heads import RequestHead, RequestHeads

#: A server that sends more of them is not about to answer; real ones send one or two (RFC 9110
#: section 15.2 knows three kinds).
MAX_INTERIM_RESPONSES: Final = 16


#: How many bytes of framing a byte of the body may take, beyond `Limits.head_bytes`: chunks of one
#: byte each take 5. Go's client draws its line at 2, and 16 for each chunk.
MAX_FRAMING_PER_BYTE: Final = 16

#: Where a head may end, also with a part of the line end in an earlier read. h11 takes line feeds
#: alone as well.
_BLANK_LINE: Final = re.compile(rb"\A\r?\n|\n\r?\n")

#: What says where the body ends (RFC 9112 section 6).
_FRAMING_FIELDS: Final = ("content-length", "transfer-encoding")

#: What is left of a request that is sent: one for all, as a view takes more memory than it shows.
_NOTHING: Final = memoryview(b"")


class PeerClosedError(Exception):
    """The peer closed the connection before the response was complete."""


@final
@attrs.frozen
class ResponseHead:
    """A final response's status and header fields, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)

    @property
    def successful(self) -> bool:
        """Whether the body is the answer that was asked for, not the reason for a refusal."""
        return 200 <= self.status < 300  # RFC 9110 section 15.3

    @property
    def announces_end(self) -> bool:
        """Whether the body has an end of its own, not only that of the connection."""
        return any(name in _FRAMING_FIELDS for name, _ in self.headers)

    @property
    def announces_chunks(self) -> bool:
        """Whether the body is chunked, if there is one."""
        return ("transfer-encoding", "chunked") in self.headers  # h11 has made it lower case


def _size_only(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@final
@attrs.frozen
class BodyPart:
    """What has come of the body since the last part.

    Attributes:
        data: The content without its framing; may be empty.
        complete: The body ends here, whole by its own framing.
    """

    data: bytes = attrs.field(repr=_size_only)
    complete: bool


@final
class RequestCycle:
    """The framing of one request and its response.

    Args:
        request: What to send.
        max_head_bytes: Most bytes to accept before the body, and as a chunk header or trailer. All
            of these together may take as many, and some more for each byte of the body.
        h11_only: Have h11 read plain chunks, too. That takes longer and comes to the same.
        heads: Makes the head; one that is kept has less to do for the next request.

    Attributes:
        request_data: The whole request as it goes over the wire, until it is forgotten.

    Raises:
        LocalProtocolError: If HTTP/1.1 cannot carry the request.
    """

    __slots__ = (
        "_arrived",
        "_body_bytes",
        "_chunks",
        "_ended",
        "_failure",
        "_h11",
        "_head",
        "_head_bytes",
        "_interim_responses",
        "_max_head_bytes",
        "_may_be_plain",
        "_pieces",
        "_received_bytes",
        "_request_head",
        "request_data",
    )
    _h11: h11.Connection  # from the first look for a response on

    def __init__(
        self,
        request: HTTPRequest,
        *,
        max_head_bytes: int,
        h11_only: bool = False,
        heads: RequestHeads | None = None,
    ) -> None:
        # What reads the response is made after the request is sent, while the server is busy.
        self._request_head: RequestHead | None = (heads or RequestHeads()).of(request)
        self._max_head_bytes = max_head_bytes
        self._received_bytes = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._head: ResponseHead | None = None
        self._interim_responses = 0
        self._ended = False
        self._failure: PeerClosedError | h11.RemoteProtocolError | None = None
        self._may_be_plain = request.method == "POST" and not h11_only
        self._arrived: list[bytes] = []  # before the body; what h11 was not given yet
        self._chunks: PlainChunks | None = None  # while h11 is not given the body
        self._pieces: list[bytes | bytearray] = []
        # A view shows neither key nor prompt to a traceback that prints local variables.
        self.request_data: memoryview = memoryview(self._request_head.followed_by_body(request))

    def forget_request(self) -> None:
        """Keep the request no longer: it may be large, and the answer may take long."""
        self.request_data = _NOTHING

    def forget_head(self) -> None:
        """Keep of the response's header fields only those of the framing, for the same reason."""
        assert self._head is not None  # or nobody had it
        framing = tuple(field for field in self._head.headers if field[0] in _FRAMING_FIELDS)
        self._head = ResponseHead(self._head.status, framing)

    def receive(self, data: bytes | bytearray) -> None:
        """Take the bytes of one network read; none for the end of the connection."""
        self._ended = not data
        self._received_bytes += len(data)
        if self._head is None:
            self._arrived.append(bytes(data))
        else:
            self._receive_body(bytes(data))

    def _receive_body(self, data: bytes) -> None:
        if self._chunks is None:
            self._h11.receive_data(data)
        elif not data:
            self._let_h11_read_on(data)  # to say what the connection's end means here
        else:
            self._pieces += self._chunks.receive(data)
            if self._chunks.damaged:
                self._break_off(h11.RemoteProtocolError("malformed chunk footer"))  # as h11 says
            elif self._chunks.unread is not None:
                self._let_h11_read_on(self._chunks.unread)

    def _let_h11_read_on(self, data: bytes) -> None:
        """Give h11 the rest of the body, as if the chunks before it had not been."""
        self._chunks = None
        self._h11.receive_data(data)

    @property
    def complete(self) -> bool:
        """Whether the response has come, whole by its framing, and nothing behind it.

        False as well where either side said that the connection ends here: ``Connection: close``,
        or a peer that speaks HTTP/1.0.
        """
        if self._head is None:
            return False
        done = self._h11.our_state is self._h11.their_state is h11.DONE
        return done and self._h11.trailing_data == (b"", False)

    @property
    def nearly_complete(self) -> bool:
        """Whether the end of the response's body is all that is missing to `complete`."""
        if self._head is None:
            return False
        in_body = self._h11.our_state is h11.DONE and self._h11.their_state is h11.SEND_BODY
        return in_body and self._head.announces_end and self._failure is None

    def head(self) -> ResponseHead | None:
        """Return the final response's head, None while it is not complete.

        Raises:
            PeerClosedError: The connection ended before that.
            h11.RemoteProtocolError: The peer does not speak HTTP/1.1.
        """
        if self._request_head is not None:
            self._h11 = self._request_head.connection(self._max_head_bytes)
            self._request_head = None
        while self._head is None and (self._received_bytes or self._ended):
            self._feed_head()
            self._check_beginning()
            match self._next_event():
                case h11.Response() as event:
                    self._end_head(event)
                case h11.InformationalResponse():
                    self._count_interim_response()
                case _:
                    if not self._arrived:
                        self._check_head_size(self._received_bytes)
                        return None
        return self._head

    def _feed_head(self) -> None:
        """Give h11 what has come, but nothing of the body."""
        if not self._arrived:
            return
        data = self._arrived.pop(0)
        blank_line = _BLANK_LINE.search(data)
        end = blank_line.end() if blank_line else len(data)
        self._h11.receive_data(data[:end])
        if behind := data[end:]:
            self._arrived.insert(0, behind)

    def _end_head(self, response: h11.Response) -> None:
        unread, _ = self._h11.trailing_data
        self._head_bytes = self._received_bytes - len(unread) - sum(map(len, self._arrived))
        self._check_head_size(self._head_bytes)
        self._head = ResponseHead(response.status_code, _as_text(response.headers.raw_items()))
        # Other responses are short, or have no body whatever they announce.
        if self._may_be_plain and self._head.status == 200 and not unread:
            self._chunks = PlainChunks() if self._head.announces_chunks else None
        for data in self._arrived:
            self._receive_body(data)
        self._arrived.clear()

    def _check_beginning(self) -> None:
        # h11 waits for the end of a head before it looks at it, and the end of what is none may
        # never come.
        if self._failure is None and not self._ended and not self._within_response():
            self._failure = h11.RemoteProtocolError("no HTTP/1.1 status line")

    def _check_head_size(self, size: int) -> None:
        # h11 checks only what is incomplete, which depends on how the bytes were cut into reads.
        if size > self._max_head_bytes:
            self._failure = h11.RemoteProtocolError("head too long", error_status_hint=431)
            raise self._failure

    def _count_interim_response(self) -> None:
        self._interim_responses += 1
        if self._interim_responses > MAX_INTERIM_RESPONSES:
            self._failure = h11.RemoteProtocolError("too many interim (1xx) responses")

    def next_part(self) -> BodyPart | None:
        """Return all of the body that has come since the last call, None if nothing has.

        Raises:
            PeerClosedError: The connection ended before the body did.
            h11.RemoteProtocolError: The framing is broken. What came before it is returned first,
                however the bytes were cut into reads.
        """
        if self._chunks is not None and not self._pieces:
            return None
        pieces, self._pieces = self._pieces, []
        complete = self._chunks is None and self._read_through_h11(pieces)
        data = b"".join(pieces)
        if complete:
            return BodyPart(data, complete=True)
        self._check_framing_size(len(data))
        if self._failure is not None and not data:
            raise self._failure
        return BodyPart(data, complete=False) if data else None

    def _read_through_h11(self, pieces: list[bytes | bytearray]) -> bool:
        """Add what h11 has of the body, and return whether it ends there."""
        # An error is raised by the next call, or by this one if nothing came before it.
        with suppress(PeerClosedError, h11.RemoteProtocolError):
            while isinstance(event := self._next_event(), h11.Data):
                pieces.append(event.data)
            return isinstance(event, h11.EndOfMessage)
        return False

    def _check_framing_size(self, body_bytes: int) -> None:
        # h11 bounds each chunk header, but a body may have one for each of its bytes.
        self._body_bytes += body_bytes
        framing = self._received_bytes - self._head_bytes - self._body_bytes
        most = self._max_head_bytes + MAX_FRAMING_PER_BYTE * self._body_bytes
        if framing > most and self._failure is None:
            self._break_off(h11.RemoteProtocolError("too much framing", error_status_hint=431))

    def _break_off(self, failure: h11.RemoteProtocolError) -> None:
        self._failure = failure
        self._chunks = None  # nothing behind it counts

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self._failure is None:
            try:
                return self._h11.next_event()
            except h11.RemoteProtocolError as error:
                failure = error
            premature = self._ended and self._within_response()
            self._failure = PeerClosedError() if premature else failure
        raise self._failure

    def _within_response(self) -> bool:
        """Whether what has come so far is a response, or the beginning of one."""
        if self._head is not None:
            return True
        unread, _ = self._h11.trailing_data
        return b"HTTP/1.".startswith(unread[:7])


def _as_text(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    # Latin-1 never fails; field values are mostly ASCII, and opaque where they are not (RFC 9110
    # section 5.5).
    return tuple(
        [(name.lower().decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    )
