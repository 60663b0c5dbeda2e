"""More than any answer is: what a client must not keep, and not read for ever."""

from __future__ import annotations

from tokenwire_trio.testing.responses import COMMENT, STREAM_HEAD, chunk, text_event
from tokenwire_trio.testing.scenario import Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    BEGUN,
    BEGUN_ANSWER,
    late,
    malformed,
    no_http,
    other,
)
from tokenwire_trio.testing.steps import ReadRequest, Repeat, Send

_KIB = 1024
_TOO_MUCH = malformed("limit")
_HEAD_TOO_LARGE = malformed("limit", status=None)
_INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"


def _floods(
    name: str,
    shows: str,
    beginning: bytes,
    again: bytes,
    outcome: Outcome,
) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=(ReadRequest(), Send(beginning), Repeat(again)),
        outcome=outcome,
    )


SCENARIOS = (
    _floods(
        "interim-flood", "Interim (1xx) responses come without end.", _INTERIM, _INTERIM, no_http()
    ),
    _floods(
        "giant-header",
        "A header field does not end.",
        b"HTTP/1.1 200 OK\r\nx-name: ",
        b"x" * 16 * _KIB,
        _HEAD_TOO_LARGE,
    ),
    _floods(
        "many-headers",
        "Header fields come without end.",
        b"HTTP/1.1 200 OK\r\n",
        b"x-name: value\r\n" * 500,
        _HEAD_TOO_LARGE,
    ),
    _floods(
        "giant-status-line",
        "The status line does not end.",
        b"HTTP/1.1 200 ",
        b"x" * 16 * _KIB,
        _HEAD_TOO_LARGE,
    ),
    _floods(
        "chunk-extension-flood",
        "A chunk's extension does not end.",
        BEGUN_ANSWER + b"5;",
        b"a=b;" * 4 * _KIB,
        malformed("limit", BEGUN),
    ),
    _floods(
        "chunk-extensions-flood",
        "Every chunk has a byte of data and a long extension.",
        BEGUN_ANSWER,
        b"1;" + b"a=b;" * 2 * _KIB + b"\r\n:\r\n",
        malformed("limit", BEGUN),
    ),
    _floods(
        "chunk-size-flood",
        "A chunk's size does not end.",
        BEGUN_ANSWER,
        b"0" * 16 * _KIB,
        malformed("limit", BEGUN),
    ),
    _floods(
        "trailer-flood",
        "Trailers come without end.",
        BEGUN_ANSWER + b"0\r\n",
        b"x-name: value\r\n" * 500,
        malformed("limit", BEGUN),
    ),
    _floods(
        "endless-line",
        "A line of the event stream does not end.",
        BEGUN_ANSWER + chunk(b"data: "),
        chunk(b"x" * 64 * _KIB),
        malformed("limit", BEGUN),
    ),
    _floods(
        "endless-event",
        "Lines come without end, and no blank one that ends the event.",
        BEGUN_ANSWER,
        chunk((b"data: " + b"x" * 16 * _KIB + b"\n") * 4),
        malformed("limit", BEGUN),
    ),
    _floods(
        "endless-comments",
        "Keep-alive comments come without end, as fast as they can.",
        BEGUN_ANSWER,
        chunk(COMMENT * 4 * _KIB),
        malformed("limit", BEGUN),
    ),
    _floods(
        "endless-empty-events",
        "Events that say nothing come without end.",
        BEGUN_ANSWER,
        chunk(text_event("") * _KIB),
        malformed("limit", BEGUN),
    ),
    _floods(
        "endless-white-space",
        "White space comes without end, before anything else.",
        STREAM_HEAD,
        chunk(b"\n" * 64 * _KIB),
        _TOO_MUCH,
    ),
    _floods(
        "endless-json",
        "A JSON document does not end.",
        STREAM_HEAD + chunk(b'{"a":"'),
        chunk(b"x" * 64 * _KIB),
        _TOO_MUCH,
    ),
    _floods(
        "endless-html",
        "A page does not end.",
        STREAM_HEAD + chunk(b"<html>"),
        chunk(b"x" * 64 * _KIB),
        malformed("content_type"),
    ),
    _floods(
        "endless-refusal",
        "The body of a refusal does not end.",
        STREAM_HEAD.replace(b"200 OK", b"500 No"),
        chunk(b"x" * 64 * _KIB),
        other("server", 500),
    ),
)


#: Text without end is what was asked for: only a deadline or `Limits.answer_bytes` ends it.
ENDLESS_ANSWER = Scenario(
    name="endless-answer",
    shows="Tokens come without end, a hundred a second.",
    steps=(ReadRequest(), Send(STREAM_HEAD), Repeat(chunk(text_event("a")), 0.01)),
    outcome=late("total", "body", None),
    deadline="total",
)
