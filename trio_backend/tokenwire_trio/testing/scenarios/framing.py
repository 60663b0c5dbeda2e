"""What is no HTTP/1.1, no TLS, or HTTP that contradicts itself."""

from __future__ import annotations

from tokenwire_trio.testing.responses import LAST_CHUNK, STREAM_HEAD, chunk
from tokenwire_trio.testing.scenario import ONLY_TCP, ONLY_TLS, Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    ANSWER,
    BEGUN,
    BEGUN_ANSWER,
    EVENTS,
    broken,
    late,
    malformed,
    no_http,
)
from tokenwire_trio.testing.steps import (
    CloseCleanly,
    Hang,
    KeepOpen,
    Pause,
    ReadRequest,
    Reset,
    Send,
    Step,
)

_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"  # protocol_version


def _sends(name: str, shows: str, data: bytes, outcome: Outcome | None = None) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=(ReadRequest(), Send(data), KeepOpen()),
        outcome=outcome or no_http(),
    )


def _with_fields(*fields: bytes) -> bytes:
    head = b"\r\n".join((b"HTTP/1.1 200 OK", b"content-type: text/event-stream", *fields))
    return head + b"\r\n\r\n" + chunk(EVENTS) + LAST_CHUNK


def _with_chunk(data: bytes) -> bytes:
    return BEGUN_ANSWER + data


_DAMAGED = malformed("framing", BEGUN)

HEADS = (
    _sends("another-protocol", "An SSH server answers.", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    _sends("binary-garbage", "Bytes without meaning answer.", bytes(range(255, -1, -1)) * 8),
    _sends("html-without-head", "HTML comes without any HTTP.", b"<html>\r\n<body>Hi\r\n\r\n"),
    _sends("http-2", "The status line names HTTP/2.", ANSWER.replace(b"HTTP/1.1", b"HTTP/2", 1)),
    _sends(
        "http-2.0",
        "The status line names HTTP/2.0, which has no status lines.",
        ANSWER.replace(b"HTTP/1.1", b"HTTP/2.0", 1),
    ),
    _sends(
        "status-of-two-digits",
        "The status is no number of three digits.",
        b"HTTP/1.1 20 OK\r\n\r\n",
    ),
    _sends(
        "switching-protocols",
        "101 answers a request that asked for no other protocol.",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ),
    _sends(
        "header-without-colon", "A line of the head is no header field.", _with_fields(b"nonsense")
    ),
    _sends(
        "space-before-colon",
        "White space stands between a field's name and its colon.",
        _with_fields(b"x-name : value"),
    ),
    _sends("nul-in-header", "A header field holds a NUL byte.", _with_fields(b"x-name: a\x00b")),
    _sends(
        "carriage-return-in-header",
        "A header field holds a bare CR, with which heads are forged.",
        _with_fields(b"x-name: a\rset-cookie: b"),
    ),
    _sends(
        "two-content-lengths",
        "Two different lengths are announced.",
        _with_fields(b"content-length: 5", b"content-length: 6"),
    ),
    _sends(
        "content-length-list",
        "Two different lengths are announced in one field.",
        _with_fields(b"content-length: 5, 6"),
    ),
    _sends(
        "negative-content-length",
        "The announced length is negative.",
        _with_fields(b"content-length: -1"),
    ),
    _sends(
        "content-length-no-number",
        "The announced length is no number.",
        _with_fields(b"content-length: 0x10"),
    ),
    _sends(
        "transfer-encoding-gzip",
        "The body has a transfer coding that was not asked for.",
        _with_fields(b"transfer-encoding: gzip, chunked"),
    ),
    _sends(
        "transfer-encoding-twice",
        "The body is chunked twice.",
        _with_fields(b"transfer-encoding: chunked", b"transfer-encoding: chunked"),
    ),
    _sends(
        "transfer-encoding-unknown",
        "The body has a transfer coding that nobody knows.",
        _with_fields(b"transfer-encoding: xchunked"),
    ),
)

CHUNKS = (
    _sends(
        "chunk-size-no-number",
        "A chunk's size is no number.",
        _with_chunk(b"xyz\r\nabc\r\n"),
        _DAMAGED,
    ),
    _sends(
        "chunk-size-negative",
        "A chunk's size is negative.",
        _with_chunk(b"-5\r\nabcde\r\n"),
        _DAMAGED,
    ),
    _sends(
        "chunk-size-with-prefix",
        "A chunk's size is written as 0x5.",
        _with_chunk(b"0x5\r\nabcde\r\n"),
        _DAMAGED,
    ),
    _sends("chunk-size-missing", "A chunk has no size.", _with_chunk(b"\r\nabcde\r\n"), _DAMAGED),
    _sends(
        "chunk-size-enormous",
        "A chunk's size has a hundred digits.",
        _with_chunk(b"f" * 100 + b"\r\nabcde\r\n"),
        _DAMAGED,
    ),
    _sends(
        "chunk-too-long",
        "A chunk is longer than its size.",
        _with_chunk(b"3\r\nabcdefgh\r\n"),
        _DAMAGED,
    ),
    _sends(
        "chunk-end-forged",
        "A chunk does not end with CRLF.",
        _with_chunk(b"3\r\nabcXY3\r\nabc\r\n"),
        _DAMAGED,
    ),
    _sends(
        "trailer-without-colon",
        "A trailer is no header field.",
        _with_chunk(b"0\r\nnonsense\r\n\r\n"),
        _DAMAGED,
    ),
    Scenario(
        name="body-not-chunked",
        shows="The head announces chunks, and events come without: a line that never ends.",
        steps=(ReadRequest(), Send(STREAM_HEAD + EVENTS), KeepOpen()),
        outcome=late("first_token", "body"),
        deadline="first_token",
    ),
)


def _below_tls(
    name: str, shows: str, *steps: Step, outcome: Outcome, deadline: bool = False
) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=steps,
        outcome=outcome,
        over=ONLY_TLS,
        in_place_of_tls=True,
        deadline="connect" if deadline else None,
    )


_NO_TLS = broken("tls", sent="nothing")

HANDSHAKES = (
    _below_tls(
        "http-in-place-of-tls",
        "A server without TLS answers an https client in plain HTTP.",
        Pause(0.01),
        Send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
        KeepOpen(),
        outcome=_NO_TLS,
    ),
    _below_tls(
        "tls-version-refused",
        "The server refuses every version of TLS that is offered.",
        Send(_TLS_ALERT),
        CloseCleanly(),
        outcome=_NO_TLS,
    ),
    _below_tls(
        "cut-in-handshake",
        "The connection is closed in the middle of the TLS handshake.",
        Pause(0.01),
        CloseCleanly(),
        outcome=_NO_TLS,
    ),
    _below_tls(
        "reset-in-handshake",
        "The connection is reset in the middle of the TLS handshake.",
        Pause(0.01),
        Reset(),
        outcome=_NO_TLS,
    ),
    _below_tls(
        "stall-in-handshake",
        "The server accepts and then says nothing, before TLS has begun.",
        Hang(),
        outcome=late("connect", "tls", sent="nothing"),
        deadline=True,
    ),
    Scenario(
        name="tls-in-place-of-http",
        shows="A server with TLS answers an http client with an alert.",
        steps=(ReadRequest(), Send(_TLS_ALERT), CloseCleanly()),
        outcome=no_http(),
        over=ONLY_TCP,
    ),
)
