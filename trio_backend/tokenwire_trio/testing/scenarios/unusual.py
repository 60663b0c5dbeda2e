"""Unusual, but whole: what a client must take."""

from __future__ import annotations

from tokenwire_trio.testing.responses import (
    CLOSING_HEAD,
    COMMENT,
    FINISH,
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    response,
)
from tokenwire_trio.testing.scenario import Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    ANSWER,
    EVENTS,
    MARKED_ANSWER,
    UNFINISHED_ANSWER,
    whole,
)
from tokenwire_trio.testing.steps import Again, CloseCleanly, ReadRequest, Send, Step


def _answers(name: str, shows: str, *steps: Step) -> Scenario:
    return Scenario(name=name, shows=shows, steps=(ReadRequest(), *steps), outcome=whole())


def _head(*fields: str, status_line: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join((status_line, "content-type: text/event-stream", *fields, "", "")).encode()


_COMPLETION = b'{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'
_ONE_BYTE_CHUNKS = b"".join(chunk(EVENTS[i : i + 1]) for i in range(len(EVENTS)))
_CHUNKED = chunk(EVENTS) + LAST_CHUNK

SCENARIOS = (
    _answers(
        "well-behaved",
        "A chunked answer on a connection that is kept alive.",
        Send(ANSWER),
        Again(),
    ),
    _answers(
        "content-length",
        "The answer's length is announced beforehand.",
        Send(response(200, EVENTS, content_type="text/event-stream")),
        Again(),
    ),
    _answers(
        "connection-close",
        "The answer ends with the connection.",
        Send(CLOSING_HEAD + EVENTS),
        CloseCleanly(),
    ),
    _answers(
        "http-1.0",
        "The server speaks HTTP/1.0, where every answer ends with the connection.",
        Send(_head(status_line="HTTP/1.0 200 OK") + EVENTS),
        CloseCleanly(),
    ),
    _answers(
        "no-reason-phrase",
        "The status line ends after the number.",
        Send(_head("transfer-encoding: chunked", status_line="HTTP/1.1 200") + _CHUNKED),
        Again(),
    ),
    _answers(
        "bare-line-feeds",
        "The head's lines end with LF alone.",
        Send(_head("transfer-encoding: chunked").replace(b"\r\n", b"\n") + _CHUNKED),
        Again(),
    ),
    _answers(
        "folded-header",
        "A header field goes on in the next line (obs-fold).",
        Send(_head("x-folded: one", "  two", "transfer-encoding: chunked") + _CHUNKED),
        Again(),
    ),
    _answers(
        "latin-1-header",
        "A header field holds bytes that are not ASCII.",
        Send(STREAM_HEAD[:-2] + b"x-owner: J\xf6rg\r\n\r\n" + _CHUNKED),
        Again(),
    ),
    _answers(
        "no-content-type",
        "The answer does not say what it is.",
        Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + _CHUNKED),
        Again(),
    ),
    _answers(
        "wrong-content-type",
        "The event stream is called JSON.",
        Send(response(200, EVENTS)),
        Again(),
    ),
    _answers(
        "identity-encoding",
        "The answer says that it is not compressed.",
        Send(_head("content-encoding: identity", "transfer-encoding: chunked") + _CHUNKED),
        Again(),
    ),
    _answers(
        "upper-case-chunked",
        "The transfer coding is spelled in upper case.",
        Send(_head("Transfer-Encoding: CHUNKED") + _CHUNKED),
        Again(),
    ),
    _answers(
        "same-content-length-twice",
        "The length is announced twice, with the same number.",
        Send(_head(*2 * (f"content-length: {len(EVENTS)}",)) + EVENTS),
        Again(),
    ),
    _answers(
        "chunked-and-content-length",
        "The answer is chunked and has a length, which then does not count (RFC 9112 section 6.3).",
        Send(_head("content-length: 5", "transfer-encoding: chunked") + _CHUNKED),
        Again(),
    ),
    _answers(
        "one-byte-chunks",
        "Every byte is a chunk of its own.",
        Send(STREAM_HEAD + _ONE_BYTE_CHUNKS + LAST_CHUNK),
        Again(),
    ),
    _answers(
        "one-byte-segments",
        "Every byte comes alone.",
        *(Send(bytes([byte])) for byte in STREAM_HEAD + _CHUNKED),
        Again(),
    ),
    _answers(
        "chunk-extensions",
        "A chunk has an extension.",
        Send(STREAM_HEAD + b'%x;a=b;c="d"\r\n%b\r\n' % (len(EVENTS), EVENTS) + LAST_CHUNK),
        Again(),
    ),
    _answers(
        "leading-zeros",
        "A chunk's size has leading zeros and upper-case digits.",
        Send(STREAM_HEAD + b"0000%X\r\n%b\r\n" % (len(EVENTS), EVENTS) + LAST_CHUNK),
        Again(),
    ),
    _answers(
        "trailers",
        "Header fields come after the body.",
        Send(MARKED_ANSWER + b"0\r\nx-checksum: 1\r\n\r\n"),
        Again(),
    ),
    _answers(
        "interim-responses",
        "100 Continue and 103 Early Hints come before the answer.",
        Send(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + ANSWER),
        Again(),
    ),
    _answers(
        "comments",
        "Keep-alive comments come between the events.",
        Send(STREAM_HEAD + chunk(COMMENT) + chunk(EVENTS.replace(b"\n\n", b"\n\n" + COMMENT))),
        Send(LAST_CHUNK),
        Again(),
    ),
    _answers(
        "no-done-marker",
        "The answer has its finish reason, but the stream's `[DONE]` is missing.",
        Send(UNFINISHED_ANSWER + chunk(FINISH) + LAST_CHUNK),
        Again(),
    ),
    _answers(
        "json-in-place-of-a-stream",
        "The server does not stream and sends the whole completion as JSON.",
        Send(response(200, _COMPLETION)),
        Again(),
    ),
)
