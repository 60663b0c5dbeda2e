"""`tokenwire_trio.recording.redacted_body`: no secret gets through, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.secret import REDACTED, Scrubber
from tokenwire_trio.recording.redacted_body import Piece, RedactedBody

_KEY = "sk-canary-0123456789"


def _through(*reads: bytes) -> list[Piece]:
    body = RedactedBody(Scrubber([_KEY]).scrub)
    pieces = [piece for t, data in enumerate(reads) for piece in body.receive(float(t), data)]
    return pieces + body.rest()


@pytest.mark.parametrize("cut", range(len(_KEY) + 1))
def test_a_key_in_two_reads_is_redacted(cut: int) -> None:
    """As if it had come in one; the line is then one piece, of the later time."""
    line = f"no such key: {_KEY}".encode()
    cut += len("no such key: ")
    redacted = f"no such key: {REDACTED}\n".encode()
    assert _through(line[:cut], line[cut:] + b"\n") == [Piece(1.0, redacted)]


def test_lines_without_a_key_keep_their_pieces_and_times() -> None:
    """Also where a line ends in the middle of a read."""
    assert _through(b"a\n\n", b"b", b"c\nd", b"e") == [
        Piece(0.0, b"a\n\n"),
        Piece(1.0, b"b"),
        Piece(2.0, b"c\n", more=True),
        Piece(2.0, b"d"),
        Piece(3.0, b"e"),
    ]


def test_a_line_is_held_back_until_it_is_whole() -> None:
    """Or until nothing follows."""
    body = RedactedBody(Scrubber([_KEY]).scrub)
    assert body.receive(0.0, b"data: 1") == []
    assert body.receive(1.0, b"2\n") == [Piece(0.0, b"data: 1"), Piece(1.0, b"2\n")]
    assert body.receive(2.0, b"3") == []
    assert body.rest() == [Piece(2.0, b"3")]
    assert body.rest() == []


@given(st.lists(st.sampled_from([b"", b"\n", b"\xff\xc3", b"x" * 9, _KEY[:9].encode(), b"9\n"])))
def test_nothing_is_lost(reads: list[bytes]) -> None:
    """What is no part of a key comes out as it went in."""
    data = b"".join(reads)
    expected = Scrubber([_KEY]).scrub(data.decode("latin-1")).encode("latin-1")
    assert b"".join(piece.data for piece in _through(*reads)) == expected
