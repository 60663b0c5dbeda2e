"""Servers that tell us our own secrets: no error may repeat them."""

from __future__ import annotations

from tokenwire_trio.testing.responses import CLOSING_HEAD
from tokenwire_trio.testing.scenario import Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    BEGINNING,
    BEGUN,
    limited,
    malformed,
    no_http,
    not_authorized,
    other,
)
from tokenwire_trio.testing.steps import REQUEST_HEAD, CloseCleanly, Echo, ReadRequest


def _echoes(name: str, shows: str, form: bytes, outcome: Outcome) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=(ReadRequest(), Echo(form), CloseCleanly()),
        outcome=outcome,
    )


_HEAD = REQUEST_HEAD
_ERROR = b'{"error":{"message":"You sent ' + _HEAD + b'","code":"' + _HEAD + b'"}}'

SCENARIOS = (
    _echoes(
        "echo-in-a-refusal",
        "A refusal quotes the request's head.",
        b"HTTP/1.1 401 No\r\n\r\n" + _ERROR,
        not_authorized(),
    ),
    _echoes(
        "echo-in-a-page",
        "A page quotes the request's head.",
        b"HTTP/1.1 500 No\r\n\r\n<p>" + _HEAD,
        other("server", 500),
    ),
    _echoes(
        "echo-in-a-page-with-200",
        "The same with status 200.",
        b"HTTP/1.1 200 OK\r\n\r\n<p>" + _HEAD,
        malformed("content_type"),
    ),
    _echoes(
        "echo-as-text",
        "All that comes is the request's head.",
        b"HTTP/1.1 200 OK\r\n\r\n" + _HEAD,
        malformed("content_type"),
    ),
    _echoes(
        "echo-in-an-error-event",
        "An error in the stream quotes the request's head.",
        CLOSING_HEAD + BEGINNING + b"data: " + _ERROR + b"\n\n",
        other("server", 200, BEGUN),
    ),
    _echoes(
        "echo-in-bad-json",
        "An event that is no JSON quotes the request's head.",
        CLOSING_HEAD + BEGINNING + b"data: {" + _HEAD + b"\n\n",
        malformed("json", BEGUN),
    ),
    _echoes(
        "echo-as-an-event-name",
        "An event is named like the request's head.",
        CLOSING_HEAD + BEGINNING + b"event: error\ndata: " + _HEAD + b"\n\n",
        other("server", 200, BEGUN),
    ),
    _echoes(
        "echo-as-status-line",
        "The response begins with the request's head.",
        _HEAD + b"\r\n\r\n",
        no_http(),
    ),
    _echoes(
        "echo-in-a-bad-header",
        "A damaged header quotes the request's head.",
        b"HTTP/1.1 200 OK\r\nx-name " + _HEAD + b"\r\n\r\n",
        no_http(),
    ),
    _echoes(
        "echo-as-chunk-size",
        "A chunk's size is the request's head.",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + _HEAD + b"\r\n",
        malformed("framing"),
    ),
    _echoes(
        "echo-as-content-encoding",
        "The body is encoded in the request's head.",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: " + _HEAD + b"\r\n\r\n",
        malformed("content_encoding"),
    ),
    _echoes(
        "echo-in-a-redirect",
        "A redirect leads to the request's head.",
        b"HTTP/1.1 307 No\r\nlocation: https://evil.example/" + _HEAD + b"\r\n\r\n",
        other("redirect", 307),
    ),
    _echoes(
        "echo-as-request-id",
        "The request id is the request's head.",
        b"HTTP/1.1 429 No\r\nx-request-id: " + _HEAD + b"\r\n\r\n",
        limited(429),
    ),
)
