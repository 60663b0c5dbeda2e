"""Heads of requests: as h11 writes them, also where it has done so before."""

from __future__ import annotations

from traceback import TracebackException
from typing import Any

import h11
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.trio_backend.providers import provider_section
from tests.trio_backend.servers import MemoryNetwork, answer, keeps_alive
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Message
from tokenwire.request import HTTPRequest
from tokenwire_trio import open_provider
from tokenwire_trio.request_heads import RequestHeads

KEY = "sk-canary-0123456789"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def request(
    body: bytes = b"{}", *, key: str = KEY, path: str = "/v1/chat?a=b", **headers: str
) -> HTTPRequest:
    """Make a request as an exchange does, with more headers before its length."""
    fields = {"authorization": f"Bearer {key}", **headers, "content-length": str(len(body))}
    return HTTPRequest("POST", f"https://host.example:8443{path}", tuple(fields.items()), body)


def written(heads: RequestHeads, sent: HTTPRequest) -> bytes:
    """Return the bytes of a request."""
    return heads.of(sent).followed_by_body(sent)


def written_by_h11(sent: HTTPRequest) -> bytes:
    """Return the bytes of a request that h11 has written all by itself."""
    connection = h11.Connection(h11.CLIENT)
    _, _, target = sent.url.partition("https://host.example:8443")
    headers = [("host", "host.example:8443"), *sent.headers]
    pieces = [
        connection.send(h11.Request(method=sent.method, target=target, headers=headers)),
        connection.send(h11.Data(data=sent.body)),
        connection.send(h11.EndOfMessage()),
    ]
    return b"".join(piece or b"" for piece in pieces)


requests = st.builds(
    request,
    st.binary(max_size=200),
    key=st.sampled_from([KEY, "sk-another"]),
    path=st.sampled_from(["/", "/v1", "/v1?a=b"]),
    accept=st.sampled_from(["text/event-stream", "content-length: 0"]),
)


@given(st.lists(requests, max_size=5))
def test_a_head_that_is_kept_is_the_one_h11_would_write(sent: list[HTTPRequest]) -> None:
    """Whatever requests follow each other: the same, longer ones, others."""
    heads = RequestHeads()
    assert [written(heads, one) for one in sent] == [written_by_h11(one) for one in sent]


def test_requests_that_differ_in_their_bodies_alone_share_a_head() -> None:
    """That is what saves the checks of all names and values."""
    heads = RequestHeads()
    first = heads.of(request(b"{}"))
    assert heads.of(request(b'{"a": 1}')) is first
    assert heads.of(request(b"{}", key="sk-another")) is not first


def test_the_length_is_that_of_the_body() -> None:
    """It says where the request ends, so that no header can be wrong about it."""
    claimed = HTTPRequest("POST", "http://host.example/", (("content-length", "9"),), b"{}")
    unclaimed = HTTPRequest("POST", "http://host.example/", (), b"{}")
    whole = b"POST / HTTP/1.1\r\nhost: host.example\r\ncontent-length: 2\r\n\r\n{}"
    assert written(RequestHeads(), claimed) == written(RequestHeads(), unclaimed) == whole


def test_a_request_without_a_body_needs_no_length() -> None:
    """As one that asks for a WebSocket."""
    upgrade = HTTPRequest("GET", "http://host.example/", (("upgrade", "websocket"),), b"")
    whole = b"GET / HTTP/1.1\r\nhost: host.example\r\nupgrade: websocket\r\n\r\n"
    assert written(RequestHeads(), upgrade) == whole


def test_a_head_that_is_kept_begins_every_exchange_anew() -> None:
    """What one response did to the state of its connection is nothing to the next."""
    heads = RequestHeads()
    for body in (b"{}", b'{"a": 1}'):
        connection = heads.of(request(body)).connection(1000)
        assert connection.our_state is h11.DONE
        connection.receive_data(OK)
        assert isinstance(connection.next_event(), h11.Response)


def test_a_request_that_ends_the_connection_is_known_as_one() -> None:
    """So that the connection is not used again."""
    connection = RequestHeads().of(request(connection="close")).connection(1000)
    assert connection.our_state is h11.MUST_CLOSE


@pytest.mark.parametrize("bad", [f"{KEY} ", f"{KEY}\r\nx: y"])
def test_a_bad_header_is_refused_each_time_without_being_shown(bad: str) -> None:
    """Neither in the error nor in the local variables that a traceback may show."""
    heads = RequestHeads()
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="white space at their ends") as caught:
            heads.of(request(key=bad))
        trace = TracebackException.from_exception(caught.value, capture_locals=True)
        frames = [line for line in trace.format() if __file__ not in line]
        assert KEY not in "".join(frames)
        assert caught.value.__cause__ is caught.value.__context__ is None
    assert written(heads, request()) == written_by_h11(request())


async def test_headers_are_checked_once_for_all_requests_of_a_provider(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes longer than all else that a request takes."""
    checked: list[h11.Request] = []
    make_request = h11.Request

    def counted(**facts: Any) -> h11.Request:
        checked.append(make_request(**facts))
        return checked[-1]

    monkeypatch.setattr("tokenwire_trio.request_heads.h11.Request", counted)
    network = MemoryNetwork(nursery, keeps_alive(answer("a")))
    async with open_provider(provider_section(), dial=network) as provider:
        for prompt in ("Hi", "And again"):
            async with provider.complete([Message.user(prompt)]) as stream:
                assert (await stream.collect()).text == "a"
    assert len(checked) == 1
