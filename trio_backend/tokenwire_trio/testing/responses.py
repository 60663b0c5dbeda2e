"""Pieces of HTTP responses as bytes, to put scripts together from.

The events are those of OpenAI's chat completions, the format that most servers speak.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

#: Head of a chunked event stream.
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)

#: Head of an event stream that ends with the connection.
CLOSING_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
)

#: The end of a chunked body.
LAST_CHUNK: Final = b"0\r\n\r\n"

#: The end of an event stream.
DONE: Final = b"data: [DONE]\n\n"

#: A comment, which servers send to keep a connection alive.
COMMENT: Final = b": keep-alive\n\n"


def chunk(data: bytes) -> bytes:
    """Frame data as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: Mapping[str, object]) -> bytes:
    """Write one event of an event stream."""
    return b"data: %b\n\n" % json.dumps(data).encode()


def text_event(text: str) -> bytes:
    """Write the event that carries a piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


#: The event that says that the answer is whole.
FINISH: Final = event({"choices": [{"index": 0, "finish_reason": "stop"}]})


def response(
    status: int, body: bytes, *, content_type: str = "application/json", headers: str = ""
) -> bytes:
    """Write a whole response with a Content-Length.

    Args:
        status: HTTP status.
        body: The content.
        content_type: What it is.
        headers: More header fields, each with its line ending.
    """
    head = (
        f"HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode("latin-1") + body


def refusal(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: str = "",
) -> bytes:
    """Write a whole response that refuses the request, as OpenAI does.

    Args:
        status: HTTP status.
        message: Why.
        code: The same for machines.
        headers: More header fields, each with its line ending.
    """
    body = json.dumps({"error": {"message": message, "type": None, "code": code}})
    return response(status, body.encode(), headers=headers)
