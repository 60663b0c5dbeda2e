"""A body is what its first significant byte says."""

from __future__ import annotations

import pytest

from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.wire.body_form import BodyForm, BodyStart

BOM = b"\xef\xbb\xbf"


def started(*pieces: bytes) -> BodyStart:
    """Return what knows these bytes."""
    start = BodyStart(Limits(silent_bytes=8))
    for piece in pieces:
        assert start.receive_data(piece) is start.form
    return start


@pytest.mark.parametrize("opening", [b"", BOM, b" \r\n\t", BOM + b"\n"])
@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b'{"a":1}', BodyForm.JSON),
        (b"[1]", BodyForm.JSON),
        (b"<html>", BodyForm.MARKUP),
        (b"data: 1", BodyForm.TEXT),
        (b"\xef\xbb1", BodyForm.TEXT),
    ],
)
def test_the_first_significant_byte_decides(opening: bytes, body: bytes, form: BodyForm) -> None:
    """However the bytes come; what stands before it is dropped."""
    whole = opening + body
    for start in (started(whole), started(*(whole[n : n + 1] for n in range(len(whole))))):
        assert start.form is form
        assert start.size == len(body)
        assert start.take() == body
        assert start.size == 0


@pytest.mark.parametrize("body", [b"", BOM, BOM[:1], BOM[:2], b" \n", BOM + b" "])
def test_nothing_significant_tells_nothing(body: bytes) -> None:
    """Half a byte order mark may become a whole one."""
    assert started(body).form is BodyForm.UNKNOWN


def test_one_byte_order_mark_is_dropped() -> None:
    """Another one is text."""
    assert started(BOM + BOM + b"{").form is BodyForm.TEXT
    assert started(BOM, BOM + b"{").form is BodyForm.TEXT


def test_white_space_is_bounded() -> None:
    """A peer that sends nothing else must end sometime."""
    with pytest.raises(MalformedResponseError, match=r"limits\.silent_bytes"):
        started(b" " * 4, b" " * 5)
