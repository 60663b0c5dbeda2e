"""The format of recordings: JSON lines, one for each thing that happened; docs/how-to/recording.md.

An exchange is a line ``request``, then ``head``, ``data`` and so on as they came, and a line
``end``. Each line names its exchange, so that those of many may mix. The first one of each also has
the format's version, so that files may be put together. An exchange over a socket has lines more,
so it is of another version than one over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final, Literal, TypeAlias, final, get_args

import attrs
import msgspec

from tokenwire.errors import AnyProviderError, ProviderError, Sent
from tokenwire.response import RateLimit
from tokenwire.wire.malformed import UNDECODABLE

VERSION: Final = 1
SOCKET_VERSION: Final = 2

#: A request with images has a line of several megabytes; what is far beyond that is no recording.
MAX_LINE_BYTES: Final = 256 * 1024 * 1024

#: How every recording begins, and nothing else that `tokenwire decode` reads.
SIGNATURE: Final = b'{"event":"request","tokenwire_recording":'

#: How an exchange ended: with an `End`, with an error, or because its caller left it. ``renewed``
#: was refused, and made again within the same call: with another credential, or over a socket with
#: the whole of a conversation that the server had lost.
Outcome: TypeAlias = Literal["complete", "failed", "left", "renewed"]


class RecordingError(ValueError):
    """A recording that cannot be read; the message names the line, and shows nothing of it."""


class RequestLine(msgspec.Struct, tag="request", tag_field="event", frozen=True, kw_only=True):
    """The request as it was sent, but for its secrets.

    Attributes:
        tokenwire_recording: The format's version for this exchange.
        exchange: Names the exchange within the file.
        at: When it began, ISO 8601 in UTC.
        provider: The endpoint's name, empty if it has none.
        wire: The wire format's kind.
        quirks: The endpoint's.
        limits: The endpoint's, by name.
        base_url: The endpoint's.
        method: Of the request, which over a socket is the one for the connection.
        url: Of the request.
        headers: Of the request, in order.
        body: What is asked, a JSON value, over HTTP as it was sent; None where it was not to be
            kept.
        body_bytes: How long the body was.
    """

    tokenwire_recording: int
    exchange: str
    at: str
    provider: str
    wire: str
    quirks: dict[str, Any]
    limits: dict[str, int]
    base_url: str
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: Any
    body_bytes: int


class SentLine(msgspec.Struct, tag="sent", tag_field="event", frozen=True):
    """The request is about to go out over a socket; what was asked is in the `RequestLine`.

    Attributes:
        exchange: Whose.
        t: When, in seconds since the exchange began; so are the times of all that follow.
        continued: Only what is new of the conversation is sent.
        messages: What is sent, a JSON value for each message; None where it was not to be kept.
    """

    exchange: str
    t: float
    continued: bool
    messages: list[Any] | None


class RateLimitsLine(msgspec.Struct, tag="rate_limits", tag_field="event", frozen=True):
    """Allowances that came over a socket, but in no message of the exchange."""

    exchange: str
    t: float
    rate_limits: list[RateLimit]


class HeadLine(msgspec.Struct, tag="head", tag_field="event", frozen=True):
    """The response head, so many seconds after the exchange began; so are all that follow."""

    exchange: str
    t: float
    status: int
    headers: list[tuple[str, str]]


class DataLine(msgspec.Struct, tag="data", tag_field="event", frozen=True, omit_defaults=True):
    """Bytes of the body, without transfer coding.

    Attributes:
        exchange: Whose.
        t: When they were read.
        text: They are UTF-8.
        base64: They are not.
        more: The same read brought what is in this exchange's next line, too.
    """

    exchange: str
    t: float
    text: str | None = None
    base64: bytes | None = None
    more: bool = False

    @property
    def data(self) -> bytes:
        """The bytes."""
        return self.base64 or (self.text or "").encode()


class EOFLine(msgspec.Struct, tag="eof", tag_field="event", frozen=True):
    """The end of the body, whole by its framing or not."""

    exchange: str
    t: float
    clean: bool


class FailureLine(msgspec.Struct, tag="failure", tag_field="event", frozen=True):
    """What went wrong with the connection: the facts of a `ProviderError`."""

    exchange: str
    t: float
    error: dict[str, Any]


class EndLine(msgspec.Struct, tag="end", tag_field="event", frozen=True):
    """The end of the exchange.

    Attributes:
        exchange: Whose.
        t: When.
        outcome: How.
        sent: How much of the request had been written.
        error: What the caller was told, None if that was no error.
    """

    exchange: str
    t: float
    outcome: Outcome
    sent: Sent
    error: str | None


Line: TypeAlias = (
    RequestLine | SentLine | HeadLine | RateLimitsLine | DataLine | EOFLine | FailureLine | EndLine
)

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Line)
_ANY: Final = msgspec.json.Decoder()

_READ: Final = (VERSION, SOCKET_VERSION)


def encode(lines: Iterable[Line]) -> bytes:
    """Write lines, each with its end."""
    return _ENCODER.encode_lines(list(lines))


@final
@attrs.frozen
class RecordedExchange:
    """One exchange out of a recording.

    Attributes:
        request: The request.
        number: Of its line in the file, from 1.
        lines: What came then, in order, each with its number.
    """

    request: RequestLine
    number: int
    lines: list[tuple[int, Line]] = attrs.field(factory=list[tuple[int, Line]])

    @property
    def end(self) -> EndLine | None:
        """How it ended, None where the recording breaks off before."""
        last = self.lines[-1][1] if self.lines else None
        return last if isinstance(last, EndLine) else None


def read(file: BinaryIO) -> list[RecordedExchange]:
    """Read a whole recording.

    Args:
        file: At its beginning. A last line without its end is passed over: whoever wrote it was
            interrupted.

    Returns:
        The exchanges in the order in which they began.

    Raises:
        RecordingError: If a line is none of a recording, or out of order.
    """
    exchanges: dict[str, RecordedExchange] = {}
    for number, line in _lines(file):
        if isinstance(line, RequestLine):
            if line.exchange in exchanges:
                raise RecordingError(f"line {number}: an exchange of this name began before")
            exchanges[line.exchange] = RecordedExchange(line, number)
            continue
        exchange = exchanges.get(line.exchange)
        if exchange is None:
            raise RecordingError(f"line {number}: the exchange that it belongs to has no request")
        if exchange.end is not None:
            raise RecordingError(f"line {number}: the exchange that it belongs to has ended before")
        exchange.lines.append((number, line))
    if not exchanges:
        raise RecordingError("the recording is empty")
    return list(exchanges.values())


def _lines(file: BinaryIO) -> Iterator[tuple[int, Line]]:
    number = 0
    while data := file.readline(MAX_LINE_BYTES):
        number += 1
        if not data.endswith(b"\n"):
            if len(data) == MAX_LINE_BYTES:
                raise RecordingError(f"line {number}: longer than {MAX_LINE_BYTES} bytes")
            return
        yield number, _decode(data, number)


def _decode(data: bytes, number: int) -> Line:
    try:
        line: Line = _DECODER.decode(data)
    except UNDECODABLE:
        raise RecordingError(
            f"line {number}: no line of a recording; it is damaged, or the file is another one"
        ) from None
    if isinstance(line, RequestLine) and line.tokenwire_recording not in _READ:
        raise RecordingError(
            f"line {number}: written in version {line.tokenwire_recording} of the format, and this"
            f" tokenwire reads versions {VERSION} and {SOCKET_VERSION}: take one that is as new as"
            " the recording"
        )
    return line


def json_value(text: str) -> Any:
    """Return what a JSON text means, a list if it is several lines of JSON.

    Returns:
        The text itself where it is neither, because a secret was taken out of it.
    """
    for decode in (_ANY.decode, _ANY.decode_lines):
        with suppress(msgspec.DecodeError):
            return decode(text)
    return text


_KINDS: Final[dict[str, type[ProviderError]]] = {
    kind.label: kind for kind in get_args(AnyProviderError)
}


def error_of(line: FailureLine, number: int) -> ProviderError:
    """Return the error that a line describes.

    Raises:
        RecordingError: If it is none.
    """
    facts = dict(line.error)
    kind = _KINDS.get(str(facts.pop("error", "")))
    if kind is not None:
        try:
            return msgspec.convert(facts, kind)
        except msgspec.ValidationError:
            pass
    raise RecordingError(f"line {number}: it describes no error that tokenwire knows")
