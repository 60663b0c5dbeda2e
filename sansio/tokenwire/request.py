"""The request as a value, ready for any HTTP client."""

from __future__ import annotations

from typing import final

import attrs
from attrs import field

from tokenwire.messages import size_only

Headers = tuple[tuple[str, str], ...]


def _names(headers: Headers) -> str:
    return "(" + ", ".join(f"{name}: …" for name, _ in headers) + ")"


def _without_query(url: str) -> str:
    return repr(url.partition("?")[0])


@final
@attrs.frozen
class HTTPRequest:
    """One HTTP request. Its `repr` shows neither key nor prompt.

    Attributes:
        method: ``"POST"``, or ``"GET"`` where the request asks for a WebSocket.
        url: Absolute, with query; percent-encoded ASCII.
        headers: Lower-case names and values in order, Content-Length included; Host is left to the
            HTTP client.
        body: The JSON text in UTF-8; what is said over a WebSocket is a line for each message, and
            no part of the request for it.
    """

    method: str
    url: str = field(repr=_without_query)
    headers: Headers = field(repr=_names)
    body: bytes = field(repr=size_only)
