"""Errors for bytes that are no answer."""

import pytest

from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError
from tokenwire.wire import malformed


def test_an_excerpt_is_the_beginning_as_text() -> None:
    """256 bytes of it; half a character at the cut is replaced."""
    assert malformed.excerpt_of(b"x" * 256) == "x" * 256
    assert malformed.excerpt_of(b"x" * 257) == "x" * 256
    assert malformed.excerpt_of(b"x" * 255 + "é".encode()) == "x" * 255 + "\ufffd"
    assert malformed.excerpt_of(b"\xff") == "\ufffd"


def test_a_limit_error_says_what_to_do() -> None:
    """It names the limit by the field that raises it."""
    error = malformed.limit_error("line_bytes", 5)
    assert (error.reason, error.retryable) == ("limit", False)
    assert error.message == (
        "the response exceeds limits.line_bytes (5): raise it if this is expected"
    )


def test_a_truncated_answer_may_be_whole_next_time() -> None:
    """Asking again may help."""
    error = malformed.truncated_error()
    assert (error.reason, error.retryable, error.excerpt) == ("truncated", True, "")
    assert error.message == (
        "the stream ended cleanly, but without a finish reason or end marker: the answer is cut off"
    )


def test_a_schema_error_quotes_what_it_found() -> None:
    """Bounded."""
    error = malformed.schema_error("no chunk", b"x" * 300)
    assert (error.reason, error.message, error.excerpt) == ("schema", "no chunk", "x" * 256)
    assert not error.retryable


def test_json_is_decoded() -> None:
    """Of any kind, or only objects."""
    limits = Limits(json_depth=2)
    assert malformed.decode_json(b'[{"a": NaN}]', limits) == [{"a": None}]
    assert malformed.decode_object(b'{"a": [1]}', limits) == {"a": [1]}


@pytest.mark.parametrize(
    ("data", "reason", "retryable"),
    [
        (b"{", "json", True),
        (b'"\xff"', "utf8", True),
        (b"[[[1]]]", "limit", False),
    ],
)
def test_damage_is_told(data: bytes, reason: str, retryable: bool) -> None:
    """By its kind, and quoted where there is something to quote."""
    for decode in (malformed.decode_json, malformed.decode_object):
        with pytest.raises(MalformedResponseError) as caught:
            decode(data, Limits(json_depth=2))
        assert (caught.value.reason, caught.value.retryable) == (reason, retryable)
    assert malformed.is_json(data, Limits(json_depth=2)) is False


@pytest.mark.parametrize(("data", "what"), [(b"{", "JSON"), (b'"\xff"', "UTF-8")])
def test_damage_is_told_in_one_sentence(data: bytes, what: str) -> None:
    """With who may have done it."""
    with pytest.raises(MalformedResponseError) as caught:
        malformed.decode_json(data, Limits())
    assert caught.value.message == (
        f"the answer holds what is no valid {what}: the server or a proxy damaged it"
    )


@pytest.mark.parametrize("data", [b"5", b"[1]", b"null", b'"{}"'])
def test_what_is_no_object_is_told(data: bytes) -> None:
    """Where an object belongs."""
    with pytest.raises(
        MalformedResponseError, match=r"^an event of the stream is JSON, but no object$"
    ) as caught:
        malformed.decode_object(data, Limits())
    assert (caught.value.reason, caught.value.excerpt) == ("schema", data.decode())
    assert malformed.is_json(data, Limits())


def test_many_values_are_refused() -> None:
    """Each would take many times its own size."""
    malformed.refuse_many_values(b"[1, 2, 3]", Limits(json_values=3))
    with pytest.raises(MalformedResponseError, match=r"limits\.json_values \(2\)") as caught:
        malformed.refuse_many_values(b"[1, 2, 3]", Limits(json_values=2))
    assert caught.value.reason == "limit"


def test_an_empty_answer_may_be_full_next_time() -> None:
    """Asking again may help."""
    error = malformed.empty_error("nothing came")
    assert (error.reason, error.message, error.retryable) == ("empty", "nothing came", True)


def test_what_no_api_sends_is_quoted() -> None:
    """Perhaps it comes from another server."""
    error = malformed.no_answer_error("no stream", b"x" * 300)
    assert (error.reason, error.excerpt, error.retryable) == ("content_type", "x" * 256, False)
    assert error.message == "the response is no stream: is base_url the API's?"
