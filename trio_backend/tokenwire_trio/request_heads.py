"""The heads of requests, written by h11: once for all that differ only in their bodies.

The requests of one provider mostly have one target and the same headers, but for the length of what
follows. To check names and values takes h11 longer than all else that a request takes it. So it
writes the head of a request without a body, and the length of a real body is put into that.
"""

from __future__ import annotations

from typing import Final, final
from urllib.parse import urlsplit

import h11

from tokenwire.errors import LocalProtocolError
from tokenwire.request import HTTPRequest

_LENGTH: Final = "content-length"
_NO_LENGTH: Final = b"\r\ncontent-length: 0\r\n"
_END: Final = h11.EndOfMessage()


@final
class RequestHead:
    """The head of every request that is like one without a body, but for that.

    Args:
        request: A request without a body.

    Raises:
        h11.LocalProtocolError: If HTTP/1.1 cannot carry it. It quotes the header, which may hold a
            key: neither show nor chain it.
    """

    __slots__ = ("_before_length", "_behind_length", "_event")

    def __init__(self, request: HTTPRequest) -> None:
        url = urlsplit(request.url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = list(request.headers)
        if not any(name == "host" for name, _ in headers):
            headers.insert(0, ("host", url.netloc))
        self._event = h11.Request(method=request.method, target=target, headers=headers)
        written = h11.Connection(h11.CLIENT).send(self._event) or b""
        self._before_length, _, self._behind_length = written.partition(_NO_LENGTH)

    def followed_by_body(self, request: HTTPRequest) -> bytes:
        """Return a whole request as it goes over the wire."""
        length = b"\r\ncontent-length: %d\r\n" % len(request.body) if self._behind_length else b""
        return b"".join((self._before_length, length, self._behind_length, request.body))

    def connection(self, max_head_bytes: int) -> h11.Connection:
        """Return what reads the response to such a request, which it takes for sent."""
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=max_head_bytes)
        connection.send(self._event)
        connection.send(_END)
        return connection


@final
class RequestHeads:
    """Makes the heads of requests, and keeps the last one for those that are like it."""

    __slots__ = ("_head", "_request")

    def __init__(self) -> None:
        self._request: HTTPRequest | None = None
        self._head: RequestHead | None = None

    def of(self, request: HTTPRequest) -> RequestHead:
        """Return the head of a request.

        Raises:
            LocalProtocolError: If HTTP/1.1 cannot carry it.
        """
        without_body = _without_body(request)
        if without_body != self._request:
            self._request, self._head = without_body, _checked(without_body)
        if self._head is None:
            raise LocalProtocolError(
                "a header of the request is not valid in HTTP/1.1: check the names and values in"
                " `headers`, also for white space at their ends"
            )
        return self._head


def _without_body(request: HTTPRequest) -> HTTPRequest:
    headers = tuple([field for field in request.headers if field[0] != _LENGTH])
    if request.body or len(headers) < len(request.headers):
        headers += ((_LENGTH, "0"),)
    return HTTPRequest(request.method, request.url, headers, b"")


def _checked(request: HTTPRequest) -> RequestHead | None:
    try:
        return RequestHead(request)
    except h11.LocalProtocolError:
        return None
