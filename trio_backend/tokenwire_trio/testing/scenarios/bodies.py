"""Status 200, and yet no answer: what is in the body."""

from __future__ import annotations

import json

from tokenwire_trio.testing.responses import DONE, LAST_CHUNK, chunk, event, response
from tokenwire_trio.testing.scenario import Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    BEGUN,
    BEGUN_ANSWER,
    limited,
    malformed,
    other,
)
from tokenwire_trio.testing.steps import Again, ReadRequest, Send

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>"
_OVERLOADED = {"message": "Overloaded", "type": "server_error", "code": None}


def _sends(name: str, shows: str, data: bytes, outcome: Outcome) -> Scenario:
    return Scenario(
        name=name, shows=shows, steps=(ReadRequest(), Send(data), Again()), outcome=outcome
    )


def _event(name: str, shows: str, data: bytes, outcome: Outcome) -> Scenario:
    return _sends(name, shows, BEGUN_ANSWER + chunk(data) + LAST_CHUNK, outcome)


NO_STREAMS = (
    _sends(
        "html-page",
        "A proxy's page comes with status 200.",
        response(200, _PAGE, content_type="text/html"),
        malformed("content_type"),
    ),
    _sends(
        "plain-text",
        "A sentence comes with status 200.",
        response(200, b"It works!", content_type="text/plain"),
        malformed("content_type"),
    ),
    _sends(
        "empty-body",
        "The body is empty.",
        response(200, b"", content_type="text/event-stream"),
        malformed("empty"),
    ),
    _sends(
        "empty-stream",
        "The stream ends without an event.",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + LAST_CHUNK,
        malformed("empty"),
    ),
    _sends(
        "comments-only",
        "The stream ends, and all that came were comments.",
        response(200, b": hi\n\n: there\n\n", content_type="text/event-stream"),
        malformed("empty"),
    ),
    _sends(
        "no-content",
        "The status is 204.",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        malformed("empty", status=204),
    ),
    _sends(
        "json-error",
        "An error comes as JSON with status 200.",
        response(200, json.dumps({"error": _OVERLOADED}).encode()),
        other("server", 200),
    ),
    _sends(
        "json-of-another-api",
        "JSON comes that is neither a completion nor an error.",
        response(200, b'{"hello": "world"}'),
        malformed("schema"),
    ),
    _sends(
        "gzip",
        "The body is compressed, although identity was asked for.",
        response(
            200,
            b"\x1f\x8b\x08\x00",
            content_type="text/event-stream",
            headers="content-encoding: gzip\r\n",
        ),
        malformed("content_encoding"),
    ),
    _sends(
        "unknown-encoding",
        "The body has an encoding that nobody knows.",
        response(
            200, b"???", content_type="text/event-stream", headers="content-encoding: x-secret\r\n"
        ),
        malformed("content_encoding"),
    ),
)

BAD_EVENTS = (
    _event("bad-json", "An event is no JSON.", b"data: {oops\n\n", malformed("json", BEGUN)),
    _event(
        "json-array",
        "An event is JSON, but no object.",
        b"data: [1, 2]\n\n",
        malformed("schema", BEGUN),
    ),
    _event(
        "nul-bytes",
        "An event holds NUL bytes.",
        b'data: {"choices":[{"delta":{"content":"a\x00b"}}]}\n\n',
        malformed("json", BEGUN),
    ),
    _event(
        "bad-utf-8",
        "An event is no UTF-8.",
        b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n',
        malformed("utf8", BEGUN),
    ),
    _event(
        "error-within-an-event",
        "A gateway writes an error into an event that was half written.",
        b'data: {"choices":[{"del\ndata: {"error":{"message":"gone"}}\n\n',
        malformed("json", BEGUN),
    ),
    _event(
        "deep-json",
        "An event nests deeper than any answer does.",
        b"data: " + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n\n",
        malformed("limit", BEGUN),
    ),
)

ERROR_EVENTS = (
    _event(
        "error-object",
        "An event holds an error in place of a chunk (OpenAI).",
        event({"error": _OVERLOADED}),
        other("server", 200, BEGUN),
    ),
    _event(
        "error-then-done",
        "An error comes flat, and `[DONE]` after it (vLLM).",
        event(
            {"object": "error", "message": "CUDA error", "type": "InternalServerError", "code": 500}
        )
        + DONE,
        other("server", 500, BEGUN),
    ),
    _event(
        "error-as-text",
        "An event holds an error that is a string (Ollama).",
        event({"error": "model runner has unexpectedly stopped"}),
        other("server", 200, BEGUN),
    ),
    _event(
        "error-event",
        "An event is named error (LM Studio).",
        b"event: error\ndata: " + json.dumps({"error": _OVERLOADED}).encode() + b"\n\n",
        other("server", 200, BEGUN),
    ),
    _event(
        "error-field",
        "A field of the event stream is named error (llama.cpp).",
        b"error: "
        + json.dumps(
            {"code": 503, "message": "Loading model", "type": "unavailable_error"}
        ).encode()
        + b"\n\n",
        other("overloaded", 503, BEGUN),
    ),
    _event(
        "error-code",
        "An event holds error_code and message (Databricks).",
        event({"error_code": "INTERNAL_ERROR", "message": "gone"}),
        other("server", 200, BEGUN),
    ),
    _event(
        "error-in-an-array",
        "An event holds an error in an array (Gemini).",
        b"data: "
        + json.dumps(
            [{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}]
        ).encode()
        + b"\n\n",
        other("overloaded", 503, BEGUN),
    ),
    _event(
        "error-in-a-choice",
        "A choice ends with an error (OpenRouter).",
        event(
            {
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "error",
                        "error": {"code": 502, "message": "Upstream"},
                    }
                ]
            }
        ),
        other("server", 502, BEGUN),
    ),
    _event(
        "error-as-finish-reason",
        "The finish reason is error, and nothing says more.",
        event({"choices": [{"index": 0, "finish_reason": "error"}]}),
        other("server", 200, BEGUN),
    ),
    _event(
        "rate-limit-in-mid-stream",
        "An event says that there were too many requests.",
        event({"error": {"code": 429, "message": "Slow down"}}),
        limited(429, BEGUN),
    ),
)
