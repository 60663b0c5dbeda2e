"""`tokenwire_trio.plain_chunks`: it and h11 together accept and refuse what h11 alone does."""

from __future__ import annotations

import itertools
import re

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from fuzz.exchanges import split_at
from fuzz.fuzz_body_framing import check_same_as_bare_h11, check_same_as_h11_only
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import LAST_CHUNK, MemoryNetwork, answer, chunk, keeps_alive
from tokenwire.request import HTTPRequest
from tokenwire_trio import open_provider
from tokenwire_trio.http1 import RequestCycle
from tokenwire_trio.plain_chunks import PlainChunks

CHUNKED = b"transfer-encoding: chunked\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n"

#: Bodies with everything that chunks may have, and much that they may not.
BODIES = [
    b"3\r\none\r\n2\r\n\r\n\r\n0\r\n\r\n",
    b"3\r\none\r\n0\r\nx-a: 1\r\n\r\n",
    b"3\r\none\r\n0\n\n",
    b"3\r\none\r\n00;a\r\n\r\nHTTP",
    b"003\r\none\r\nA\r\n0123456789\r\n",
    b"3 \t\r\none\r\n3;a=b\r\ntwo\r\n",
    b"3\r\none\r\n1\r\n.\r\nzz\r\n",
    b"3\r\none\r\n3\ntwo\n0\n\n",
    b"3\r\nonetwo\r\n",
    b"3\r\none\r3\r\n",
    b"3\r\none\n\r3\r\n",
    b"3\r\none0\r\n\r\n",
    b"3\r\none\r\n\r\n0\r\n\r\n",
    b"3\r\none\r\n-1\r\n.\r\n",
    b"3\r\none\r\n0x1\r\n.\r\n",
    b"3\r\none\r\n 1\r\n.\r\n",
    b"3\r\none\r\n1_0\r\n.\r\n",
    b"ffffffffffffffffffff\r\n.\r\n",
    b"0ffffffffffffffffffff\r\n.",
    b"0\r\n\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_reads_as_h11_reads_it_however_it_is_cut(body: bytes) -> None:
    """Content, end, refusal and what is left behind it are the same after every read."""
    check_same_as_bare_h11([HEAD + body])
    for cuts in itertools.combinations(range(len(body)), 2):
        check_same_as_h11_only([HEAD, *split_at(body, cuts)])


@pytest.mark.parametrize("end", [b"", b"\r\n"])
@pytest.mark.parametrize("status", [200, 201, 204, 304, 404])
@pytest.mark.parametrize(
    "fields",
    [
        CHUNKED,
        b"Transfer-Encoding: Chunked\ncontent-length: 3\n",
        b"content-length: 3\r\n",
        b"content-length: 0\r\n",
        CHUNKED + b"connection: close\r\n",
        b"",
    ],
)
def test_h11_decides_how_a_body_is_framed(status: int, fields: bytes, end: bytes) -> None:
    """The same bytes are chunks behind one head and none behind another."""
    for version in (b"HTTP/1.1", b"HTTP/1.0"):
        head = b"HTTP/1.1 103\r\n\r\n%s %d OK\r\n%s\r\n" % (version, status, fields)
        data = head + b"3\r\none\r\n0\r\n" + end
        for cut in range(len(head) - 6, len(data)):
            check_same_as_h11_only([data[:cut], data[cut:]])
        check_same_as_bare_h11([data])


SIZE_FORMS = [b"%x", b"%X", b"%06x", b"%x;a=b", b"%x \t", b" %x", b"+%x", b"0x%x", b"%x\r", b"%xg"]


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """Draw a chunk that is right or nearly so."""
    content = draw(
        st.binary(max_size=20) | st.sampled_from([b"\r\n", b"0\r\n\r\n", b"\r\n3\r\n", b"a" * 300])
    )
    form = draw(st.sampled_from(SIZE_FORMS[:2]) | st.sampled_from(SIZE_FORMS))
    end_of_size = draw(st.sampled_from([b"\r\n"] * 4 + [b"\n", b""]))
    end = draw(st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"", b"\r\n\r\n", b"x"]))
    return form % len(content) + end_of_size + content + end


last_chunks = st.sampled_from(
    [LAST_CHUNK] * 3 + [b"", b"000\r\n\r\n", b"0\r\nx: 1\r\n\r\n", b"0\r\nx\r\n\r\n"]
)
bodies = st.tuples(
    st.lists(chunks(), max_size=5).map(b"".join), last_chunks, st.binary(max_size=3)
).map(b"".join)


@given(bodies, st.lists(st.integers(0, 400), max_size=6), st.sampled_from([100, 10_000]))
def test_good_and_bad_bodies_read_as_h11_reads_them(
    body: bytes, cuts: list[int], max_head_bytes: int
) -> None:
    """Also where a limit of the framing ends them."""
    data = HEAD + body
    reads = split_at(data, sorted(min(cut, len(data)) for cut in cuts))
    check_same_as_h11_only(reads, max_head_bytes)
    check_same_as_bare_h11(reads)


@given(bodies.filter(bool), st.integers(0), st.binary(min_size=1, max_size=2), st.booleans())
def test_a_body_with_a_byte_changed_reads_as_h11_reads_it(
    body: bytes, position: int, instead: bytes, inserted: bool
) -> None:
    """Whatever that makes of it, byte by byte."""
    position %= len(body)
    damaged = body[:position] + instead + body[position + (not inserted) :]
    check_same_as_h11_only([HEAD + damaged])
    check_same_as_h11_only([HEAD, *(bytes([byte]) for byte in damaged)])


def test_plain_chunks_are_read_without_h11() -> None:
    """Of any size, in digits of either case; what the next begins with is waited for."""
    reader = PlainChunks()
    data = chunk(b"one") + b"0000000A\r\n0123456789\r\n" + b"a\r\nABCDEFGHIJ\r\n"
    assert b"".join(reader.receive(data + b"1")) == b"one0123456789ABCDEFGHIJ"
    assert b"".join(reader.receive(b"\r\n.\r\n")) == b"."
    assert reader.unread is None
    assert not reader.damaged


@pytest.mark.parametrize("other", [LAST_CHUNK, b"1;a\r\n.\r\n", b"1 \r\n", b"1\n", b"x", b"1" * 21])
def test_the_first_chunk_that_is_not_plain_is_left_from_its_beginning_on(other: bytes) -> None:
    """Whether the chunks before it came in the same read or in earlier ones."""
    reader = PlainChunks()
    assert b"".join(reader.receive(chunk(b"one") + other)) == b"one"
    assert reader.unread == other
    reader = PlainChunks()
    reader.receive(chunk(b"one"))
    assert not any(reader.receive(other))
    assert reader.unread == other


def test_a_chunk_that_does_not_end_is_damaged() -> None:
    """Its content counts, and nothing behind it is taken for a chunk."""
    reader = PlainChunks()
    assert b"".join(reader.receive(b"3\r\none0\r\n\r\n")) == b"one"
    assert reader.damaged
    assert reader.unread is None


@pytest.mark.parametrize("cut", range(1, 5))
def test_the_content_of_a_large_chunk_is_not_copied(cut: int) -> None:
    """What a read brings of it is handed on as it is, wherever the reads cut the head's end."""
    request = HTTPRequest("POST", "https://host.example/", (("content-length", "0"),), b"")
    cycle = RequestCycle(request, max_head_bytes=1000)
    for read in (HEAD[:-cut], HEAD[-cut:] + b"10000\r\n"):
        assert cycle.head() is None
        cycle.receive(read)
    assert cycle.head() is not None
    assert cycle.next_part() is None
    for _ in range(4):
        read = bytes(16 * 1024)
        cycle.receive(read)
        part = cycle.next_part()
        assert part is not None
        assert part.data is read


def test_a_body_that_h11_was_given_with_the_head_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a head ends is its word, should it ever differ from what we take for blank lines."""
    monkeypatch.setattr("tokenwire_trio.http1._BLANK_LINE", re.compile(b"(?!)"))
    check_same_as_bare_h11([HEAD + chunk(b"one"), chunk(b"two") + LAST_CHUNK])


@pytest.mark.parametrize("h11_only", [False, True])
async def test_a_provider_leaves_all_chunks_to_h11_on_request(
    h11_only: bool, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the same, and its connection is used again."""
    readers: list[PlainChunks] = []

    def make_reader() -> PlainChunks:
        readers.append(PlainChunks())
        return readers[-1]

    monkeypatch.setattr("tokenwire_trio.http1.PlainChunks", make_reader)
    network = MemoryNetwork(nursery, keeps_alive(answer("o", "ne")))
    async with open_provider(provider_section(), dial=network, h11_only=h11_only) as provider:
        for _ in range(2):
            async with provider.complete(HELLO) as stream:
                assert (await stream.collect()).text == "one"
    assert len(network.connections) == 1
    assert len(readers) == (0 if h11_only else 2)
