"""Lines of JSON, cut anywhere."""

import pytest

from tokenwire.endpoint import Limits
from tokenwire.ndjson import NDJSONDecoder
from tokenwire.sse import LimitExceeded


def decode(body: bytes, limits: Limits | None = None) -> list[bytes | LimitExceeded]:
    """Decode a body at once, and check that it gives the same cut anywhere and byte by byte."""
    items = NDJSONDecoder(limits).receive_data(body)
    for cut in range(len(body) + 1):
        decoder = NDJSONDecoder(limits)
        assert decoder.receive_data(body[:cut]) + decoder.receive_data(body[cut:]) == items
    decoder = NDJSONDecoder(limits)
    assert [i for n in range(len(body)) for i in decoder.receive_data(body[n : n + 1])] == items
    return items


def test_each_line_is_a_text() -> None:
    """In order, without its end."""
    assert decode(b'{"a":1}\n{"b":2}\n') == [b'{"a":1}', b'{"b":2}']


def test_cr_belongs_to_the_line_end() -> None:
    """Some servers end lines with CRLF."""
    assert decode(b"1\r\n2\r\n") == [b"1", b"2"]


def test_cr_alone_ends_no_line() -> None:
    """It is white space to JSON."""
    assert decode(b"1\r2\n") == [b"1\r2"]


def test_white_space_around_a_text_is_dropped() -> None:
    """It says nothing."""
    assert decode(b"  1\t \n") == [b"1"]


def test_blank_lines_are_skipped() -> None:
    """They are what keep-alives look like here."""
    assert decode(b"\n\r\n  \n1\n\n2\n") == [b"1", b"2"]


def test_a_line_without_end_waits() -> None:
    """It is handed over at the end of the stream, once."""
    decoder = NDJSONDecoder()
    assert decoder.receive_data(b'1\n{"a"') == [b"1"]
    assert decoder.receive_data(b":2} \r") == []
    assert decoder.receive_eof() == b'{"a":2}'
    assert decoder.receive_eof() is None


@pytest.mark.parametrize("body", [b"", b"1\n", b"1\n \r"])
def test_a_blank_rest_is_nothing(body: bytes) -> None:
    """Most streams end with a line end."""
    decoder = NDJSONDecoder()
    decoder.receive_data(body)
    assert decoder.receive_eof() is None


def test_a_line_may_be_as_long_as_its_limit() -> None:
    """The LF does not count, white space does."""
    limits = Limits(line_bytes=5)
    assert decode(b"12345\n", limits) == [b"12345"]
    assert decode(b"123456\n", limits) == [LimitExceeded("line_bytes", 5)]
    assert decode(b"12345", limits) == []
    assert decode(b"123456", limits) == [LimitExceeded("line_bytes", 5)]


def test_nothing_comes_behind_a_limit() -> None:
    """Lines before it do."""
    limits = Limits(line_bytes=5)
    body = b"1\n123456\n2\n3\n4"
    assert decode(body, limits) == [b"1", LimitExceeded("line_bytes", 5)]
    decoder = NDJSONDecoder(limits)
    decoder.receive_data(body)
    assert decoder.receive_data(b"5\n") == []
    assert decoder.receive_eof() is None


def test_blank_lines_may_go_on_up_to_their_limit() -> None:
    """Each counts with its end."""
    assert decode(b"\n \n\n" + b"1\n", Limits(silent_bytes=4)) == [b"1"]
    assert decode(b"\n \n\n" + b"1\n", Limits(silent_bytes=3)) == [LimitExceeded("silent_bytes", 3)]


def test_a_text_ends_the_silence() -> None:
    """Keep-alives between lines may go on for ever."""
    assert decode(b"\n\n1\n" * 10, Limits(silent_bytes=2)) == [b"1"] * 10


def test_a_text_that_comes_alone_ends_the_silence() -> None:
    """What follows has all of the limit."""
    decoder = NDJSONDecoder(Limits(silent_bytes=3))
    assert decoder.receive_data(b"\n\n") == []
    assert decoder.receive_data(b"1\n") == [b"1"]
    assert decoder.receive_data(b"\n\n\n") == []


def test_limits_of_the_documentation_apply_by_default() -> None:
    """A decoder without arguments is bounded, too."""
    decoder = NDJSONDecoder()
    line_bytes = Limits().line_bytes
    assert decoder.receive_data(b"1" * line_bytes) == []
    assert decoder.receive_data(b"1") == [LimitExceeded("line_bytes", line_bytes)]
