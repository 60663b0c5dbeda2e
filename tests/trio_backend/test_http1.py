"""`tokenwire_trio.http1`: one request and its response, however its bytes are cut."""

from __future__ import annotations

import itertools
from contextlib import suppress

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trio_backend.servers import STREAM_HEAD, chunk
from tokenwire.errors import LocalProtocolError
from tokenwire.request import HTTPRequest
from tokenwire_trio.http1 import (
    MAX_INTERIM_RESPONSES,
    BodyPart,
    PeerClosedError,
    RequestCycle,
    ResponseHead,
)


def make_cycle(
    *,
    value: str = "Bearer key",
    method: str = "POST",
    max_head_bytes: int = 1000,
    h11_only: bool = False,
) -> RequestCycle:
    """Begin a request with one header of interest."""
    headers = (("authorization", value), ("content-length", "2"))
    request = HTTPRequest(method, "https://host.example:8443/v1/chat?a=b", headers, b"{}")
    return RequestCycle(request, max_head_bytes=max_head_bytes, h11_only=h11_only)


#: Reads plain chunks with and without h11.
in_both_ways = pytest.mark.parametrize("h11_only", [False, True])


def test_the_request_is_written_as_http() -> None:
    """Target, host, headers and body stand where HTTP/1.1 wants them."""
    assert bytes(make_cycle().request_data) == (
        b"POST /v1/chat?a=b HTTP/1.1\r\n"
        b"host: host.example:8443\r\n"
        b"authorization: Bearer key\r\n"
        b"content-length: 2\r\n\r\n"
        b"{}"
    )


def test_the_written_request_does_not_show_itself() -> None:
    """The repr of the bytes, which tracebacks with local variables print, shows no key."""
    assert "key" not in repr(make_cycle().request_data)


def test_a_request_can_be_forgotten() -> None:
    """Once it is sent nobody needs it, and it may be large."""
    cycle = make_cycle()
    cycle.forget_request()
    assert not cycle.request_data


def test_a_response_head_can_be_forgotten() -> None:
    """But for what frames the body: providers send two dozen fields, and an answer may be long."""
    cycle = make_cycle()
    cycle.receive(b"HTTP/1.1 200 OK\r\nx-request-id: req_1\r\nContent-Length: 4\r\n\r\nhalf")
    cycle.head()
    cycle.forget_head()
    assert cycle.head() == ResponseHead(200, (("content-length", "4"),))
    assert cycle.next_part() == BodyPart(b"half", complete=True)


def test_a_header_that_http_cannot_carry_is_refused_without_showing_it() -> None:
    """The caller learns what to look at, and the value stays out of the error and its chain."""
    with pytest.raises(LocalProtocolError, match="white space at their ends") as caught:
        make_cycle(value="canary ")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def read_all(cycle: RequestCycle, reads: list[bytes]) -> tuple[ResponseHead, bytes, bool]:
    """Feed reads one by one and put together what they bring."""
    head: ResponseHead | None = None
    data, complete = b"", False
    for read in reads:
        cycle.receive(read)
        head = cycle.head()
        part = cycle.next_part() if head else None
        if part is not None:
            data += part.data
            complete = part.complete
    assert head is not None
    return head, data, complete


CHUNKED = STREAM_HEAD + chunk(b"one") + chunk(b"two") + b"0\r\nx-trailer: 1\r\n\r\n"


@in_both_ways
@given(cuts=st.lists(st.integers(0, len(CHUNKED))))
def test_every_split_of_the_bytes_reads_the_same(h11_only: bool, cuts: list[int]) -> None:
    """Head, content and end do not depend on where the network cut."""
    marks = sorted({0, *cuts, len(CHUNKED)})
    reads = [CHUNKED[a:b] for a, b in itertools.pairwise(marks)]
    head, data, complete = read_all(make_cycle(h11_only=h11_only), reads)
    assert (head.status, data, complete) == (200, b"onetwo", True)
    assert ("x-request-id", "req-1") in head.headers


@in_both_ways
def test_one_read_brings_all_of_its_chunks_at_once(h11_only: bool) -> None:
    """The body of one network read is one part, whatever its chunks."""
    cycle = make_cycle(h11_only=h11_only)
    cycle.receive(CHUNKED)
    cycle.head()
    assert cycle.next_part() == BodyPart(b"onetwo", complete=True)


def test_interim_responses_are_passed_over() -> None:
    """A 100 or 103 before the response is not the response."""
    cycle = make_cycle()
    cycle.receive(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + STREAM_HEAD)
    head = cycle.head()
    assert head is not None
    assert head.status == 200


def test_a_flood_of_interim_responses_ends() -> None:
    """A server that sends nothing but 1xx is cut off."""
    cycle = make_cycle()
    cycle.receive(b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM_RESPONSES + 1))
    with pytest.raises(h11.RemoteProtocolError, match="interim"):
        cycle.head()


def test_an_endless_head_ends_at_its_limit() -> None:
    """A head beyond the limit is refused before it is complete."""
    cycle = make_cycle(max_head_bytes=100)
    cycle.receive(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)
    with pytest.raises(h11.RemoteProtocolError) as caught:
        cycle.head()
    assert caught.value.error_status_hint == 431


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_the_limit_of_the_head_does_not_depend_on_the_reads(cut: int) -> None:
    """A head of just the limit is taken and a longer one is not, also where it comes whole."""
    head = b"HTTP/1.1 200 OK\r\nx-filler: yyyyyyyyyyyyyyyyy\r\n\r\n"
    reads = list(filter(None, (head[:cut], head[cut:] + b"body")))
    assert read_all(make_cycle(max_head_bytes=len(head)), reads)[1] == b"body"
    with pytest.raises(h11.RemoteProtocolError) as caught:
        read_all(make_cycle(max_head_bytes=len(head) - 1), reads)
    assert caught.value.error_status_hint == 431


def test_a_host_header_of_the_callers_own_is_sent_instead() -> None:
    """Some gateways route by another name than they are reached by."""
    headers = (("host", "other.example"), ("content-length", "0"))
    request = HTTPRequest("POST", "http://host.example/", headers, b"")
    data = bytes(RequestCycle(request, max_head_bytes=1000).request_data)
    assert data == b"POST / HTTP/1.1\r\nhost: other.example\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("begun", [b"", b"HT", b"HTTP/1.1 200 OK\r\nx-"])
def test_an_end_before_the_head_is_a_closed_connection(begun: bytes) -> None:
    """A connection that ends within the head says nothing about what the peer speaks."""
    cycle = make_cycle()
    for read in filter(None, [begun]):
        cycle.receive(read)
        assert cycle.head() is None
    cycle.receive(b"")
    with pytest.raises(PeerClosedError):
        cycle.head()


def test_something_else_is_no_http_from_its_first_bytes() -> None:
    """A server that greets in another protocol is not waited for, whether it closes or not."""
    cycle = make_cycle()
    cycle.receive(b"HT")
    assert cycle.head() is None
    cycle.receive(b"CPCP/1.0")
    with pytest.raises(h11.RemoteProtocolError):
        cycle.head()


@in_both_ways
@pytest.mark.parametrize(
    "framing", [b"content-length: 9\r\n\r\nhalf", b"transfer-encoding: chunked\r\n\r\n9\r\nhalf"]
)
def test_an_end_within_the_body_is_a_closed_connection(framing: bytes, h11_only: bool) -> None:
    """A body shorter than its framing announces is cut off, after what had come of it."""
    cycle = make_cycle(h11_only=h11_only)
    cycle.receive(b"HTTP/1.1 200 OK\r\n" + framing)
    cycle.head()
    assert cycle.next_part() == BodyPart(b"half", complete=False)
    cycle.receive(b"")
    with pytest.raises(PeerClosedError):
        cycle.next_part()


def test_a_body_without_framing_ends_with_the_connection() -> None:
    """HTTP/1.0 servers end the body by closing; that is a whole body."""
    cycle = make_cycle()
    cycle.receive(b"HTTP/1.0 200 OK\r\n\r\nall")
    cycle.head()
    assert cycle.next_part() == BodyPart(b"all", complete=False)
    cycle.receive(b"")
    assert cycle.next_part() == BodyPart(b"", complete=True)


@in_both_ways
def test_what_came_before_broken_framing_is_read_first(h11_only: bool) -> None:
    """A bad chunk does not take the good ones of the same read with it, and stays an error."""
    cycle = make_cycle(h11_only=h11_only)
    cycle.receive(STREAM_HEAD + chunk(b"good") + b"zz\r\n")
    cycle.head()
    assert cycle.next_part() == BodyPart(b"good", complete=False)
    for _ in range(2):
        with pytest.raises(h11.RemoteProtocolError, match="chunk header"):
            cycle.next_part()


def feed(cycle: RequestCycle, data: bytes, by: int, parts: list[BodyPart]) -> None:
    """Give a cycle so many bytes at a time, and take all parts of the body."""
    for start in range(0, len(data), by):
        cycle.receive(data[start : start + by])
        while part := cycle.next_part():
            parts.append(part)


@in_both_ways
@pytest.mark.parametrize("by", [1, 7, 10_000])
def test_a_body_that_is_mostly_framing_is_cut_off(by: int, h11_only: bool) -> None:
    """Each chunk header is short enough, but together they are not; what came is read first."""
    cycle = make_cycle(max_head_bytes=200, h11_only=h11_only)
    cycle.receive(STREAM_HEAD)
    assert cycle.head() is not None
    flood = (b"1;" + b"x" * 90 + b"\r\n.\r\n") * 10
    parts: list[BodyPart] = []
    with pytest.raises(h11.RemoteProtocolError, match="too much framing") as caught:
        feed(cycle, flood, by, parts)
    assert caught.value.error_status_hint == 431
    assert sum(len(part.data) for part in parts) == (10 if by > len(flood) else 2)


@in_both_ways
def test_nothing_is_read_behind_too_much_framing(h11_only: bool) -> None:
    """Plain chunks with long sizes are too much, too, and those behind them don't change that."""
    cycle = make_cycle(max_head_bytes=200, h11_only=h11_only)
    cycle.receive(STREAM_HEAD)
    assert cycle.head() is not None
    parts: list[BodyPart] = []
    for flood in (b"00000000000000000001\r\n.\r\n" * 26, b"1\r\n.\r\n"):
        with pytest.raises(h11.RemoteProtocolError, match="too much framing"):
            feed(cycle, flood, len(flood), parts)
    assert sum(len(part.data) for part in parts) == 26


@in_both_ways
def test_chunks_of_one_byte_are_no_flood(h11_only: bool) -> None:
    """However many there are, and with their sizes written as long as some servers do."""
    cycle = make_cycle(max_head_bytes=200, h11_only=h11_only)
    cycle.receive(STREAM_HEAD)
    assert cycle.head() is not None
    for _ in range(1000):
        cycle.receive(b"00000001\r\n.\r\n")
        assert cycle.next_part() == BodyPart(b".", complete=False)


@in_both_ways
@pytest.mark.parametrize(
    ("head", "nearly"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 9\r\n\r\n", False),
    ],
)
def test_a_body_that_ends_with_its_connection_is_never_nearly_complete(
    head: bytes, nearly: bool, h11_only: bool
) -> None:
    """Its end makes no connection fit to be used again, so nobody need wait for it."""
    cycle = make_cycle(h11_only=h11_only)
    cycle.receive(head + b"half")
    assert cycle.head() is not None
    cycle.forget_head()
    assert cycle.next_part() == BodyPart(b"half", complete=False)
    assert cycle.nearly_complete is nearly


@in_both_ways
@pytest.mark.parametrize("damage", [b"4\r\nhalfway\r\n", b"4\r\nhalf\r\nzz\r\n"])
def test_a_body_that_broke_is_never_nearly_complete(damage: bytes, h11_only: bool) -> None:
    """Not even before its damage is raised: what stands before that is read first."""
    cycle = make_cycle(h11_only=h11_only)
    cycle.receive(STREAM_HEAD + damage)
    assert cycle.head() is not None
    assert cycle.next_part() == BodyPart(b"half", complete=False)
    assert not cycle.nearly_complete
    assert not cycle.complete


def test_the_answer_to_head_has_no_chunks_whatever_it_announces() -> None:
    """How a body is framed is decided by h11, by the request too."""
    cycle = make_cycle(method="HEAD")
    cycle.receive(STREAM_HEAD)
    assert cycle.head() is not None
    assert cycle.next_part() == BodyPart(b"", complete=True)
    assert cycle.complete


def test_a_part_shows_its_size_only() -> None:
    """Bodies do not get into logs by way of a repr."""
    assert "canary" not in repr(BodyPart(b"canary", complete=False))


@given(st.binary(), st.booleans())
def test_arbitrary_bytes_raise_only_the_two_errors(data: bytes, after_head: bool) -> None:
    """Whatever a peer sends is read as a response, a closed connection or broken framing."""
    reads = [read for read in (STREAM_HEAD if after_head else b"", data) if read]
    with suppress(PeerClosedError, h11.RemoteProtocolError):
        read_all(make_cycle(), [*reads, b""])
