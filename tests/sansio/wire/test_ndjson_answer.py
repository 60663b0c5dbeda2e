"""Lines of JSON, and what servers send in their place."""

from __future__ import annotations

from typing import final

import pytest

from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.tokens import End, TextDelta, Token
from tokenwire.wire.ndjson_answer import NDJSONAnswer


@final
class Reader:
    """Takes each line for text; one ends the answer, one completes it, one says nothing."""

    def __init__(self) -> None:
        """Begin without a terminal marker."""
        self.complete = False

    def receive_line(self, line: bytes, tokens: list[Token]) -> None:
        """Append a token, unless the line says nothing."""
        match line:
            case b'"end"' | b'["end"]':
                self.finish(tokens)
            case b'["complete"]':
                self.complete = True
            case b'["nothing"]':
                pass
            case _:
                tokens.append(TextDelta(line.decode()))

    def finish(self, tokens: list[Token]) -> None:
        """Append the end."""
        tokens.append(End("stop"))


def read(body: bytes, limits: Limits | None = None) -> list[Token]:
    """Return the tokens of a whole body, having checked that single bytes give the same."""
    at_once, by_bytes = (_read(pieces, limits or Limits()) for pieces in ([body], _bytes(body)))
    assert at_once == by_bytes
    return at_once


def _bytes(body: bytes) -> list[bytes]:
    return [body[n : n + 1] for n in range(len(body))]


def _read(pieces: list[bytes], limits: Limits) -> list[Token]:
    answer = NDJSONAnswer(Reader(), limits)
    tokens: list[Token] = []
    for piece in pieces:
        answer.receive_data(piece, tokens)
        if tokens and isinstance(tokens[-1], End):
            return tokens
    answer.receive_eof(tokens)
    return tokens


def failure(body: bytes, limits: Limits | None = None) -> MalformedResponseError:
    """Return the error in which a body ends, the same however it comes."""
    errors: list[MalformedResponseError] = []
    for pieces in ([body], _bytes(body)):
        with pytest.raises(MalformedResponseError) as caught:
            _read(pieces, limits or Limits())
        errors.append(caught.value)
    assert errors[0].facts() == errors[1].facts()
    return errors[0]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\n\n", b" \n \n"])
def test_every_line_is_read(line_end: bytes) -> None:
    """Blank ones are none."""
    body = b"[1]" + line_end + b"[2]" + line_end + b'["end"]' + line_end
    assert read(body) == [TextDelta("[1]"), TextDelta("[2]"), End("stop")]


def test_nothing_is_read_behind_the_end() -> None:
    """It came too late."""
    assert read(b'[1]\n["end"]\n[2]\n') == [TextDelta("[1]"), End("stop")]


@pytest.mark.parametrize("opening", [b"\xef\xbb\xbf", b" \n\t", b"\xef\xbb\xbf \n"])
def test_what_stands_before_the_first_line_is_dropped(opening: bytes) -> None:
    """A byte order mark, white space."""
    assert read(opening + b'{"a":1}\n["end"]\n')[0] == TextDelta('{"a":1}')


def test_the_last_line_needs_no_line_feed() -> None:
    """If it is whole JSON; half of one does not count."""
    assert read(b'[1]\n["end"]') == [TextDelta("[1]"), End("stop")]
    assert failure(b'[1]\n["end"').reason == "truncated"


def test_a_complete_answer_may_just_stop() -> None:
    """Its end comes with the end of the body."""
    assert read(b'[1]\n["complete"]\n') == [TextDelta("[1]"), End("stop")]
    assert read(b'[1]\n["complete"]\n[2]') == [TextDelta("[1]"), TextDelta("[2]"), End("stop")]


def test_a_complete_answer_outlives_its_connection() -> None:
    """Nothing is missing."""
    answer = NDJSONAnswer(Reader(), Limits())
    tokens: list[Token] = []
    complete: list[bool] = []
    for line in (b"[1]\n", b'["complete"]\n'):
        answer.receive_data(line, tokens)
        complete.append(answer.complete)
    assert complete == [False, True]
    answer.receive_cut(tokens)
    assert tokens == [TextDelta("[1]"), End("stop")]


def test_an_answer_that_just_stops_is_truncated() -> None:
    """A clean end of the body is no end of the answer."""
    assert failure(b"[1]\n").reason == "truncated"


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_body_is_told_apart(body: bytes) -> None:
    """Nothing came at all."""
    assert failure(body).reason == "empty"


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"data: {}\n\n", b"not found", b"<p>" * 1000]
)
def test_another_body_is_no_answer(body: bytes) -> None:
    """An event stream neither; its beginning is quoted."""
    error = failure(body)
    assert error.reason == "content_type"
    assert error.excerpt == body.decode()[:256]


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"[" + b"1" * 100, "line_bytes"),
        (b"[1]\n" + b"\n" * 200, "silent_bytes"),
        (b" " * 200 + b"[1]\n", "silent_bytes"),
        (b'["nothing"]\n' * 20, "silent_bytes"),
    ],
)
def test_a_peer_is_bounded(body: bytes, limit: str) -> None:
    """The error names the limit."""
    error = failure(body, Limits(line_bytes=64, silent_bytes=64))
    assert error.reason == "limit"
    assert f"limits.{limit} " in error.message


def test_silence_ends_with_a_token() -> None:
    """Any number of lines that say nothing may stand between others."""
    body = (b'["nothing"]\n' * 4 + b"[1]\n") * 5
    assert len(read(body + b'["end"]\n', Limits(silent_bytes=64))) == 6
