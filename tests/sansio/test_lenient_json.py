"""JSON as servers write it, which is not quite JSON."""

import json
from typing import Any

import pytest

from tokenwire import lenient_json as lenient


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        ("5", 5),
        (" null\n", None),
        ('"é😀"', "é😀"),
        ("NaN", None),
        ("[Infinity, -Infinity]", [None, None]),
        ("1e999", None),
        ("-1e999", None),
        ("1e308", 1e308),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"\\ud83d"', "\ud83d"),
        ("9" * 100, int("9" * 100)),
        ("1" + "0" * 100, 1e100),
        ("-" + "9" * 99, -int("9" * 99)),
        ("9" * 5_000, None),
    ],
)
def test_what_servers_send_is_read(text: str, value: object) -> None:
    """NaN, doubled keys, half characters and endless numbers have a defined result."""
    decoded = lenient.decode(text.encode("utf-8"), 10)
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}}', "{'a': 1}", "[1,]", "nul", '"\n"', "1 2"])
def test_what_is_no_json_is_told(text: str) -> None:
    """With an error of our own, which does not quote it."""
    with pytest.raises(lenient.NotJSONError, match=r"^no JSON$") as caught:
        lenient.decode(text.encode(), 10)
    assert caught.value.utf8 is True


@pytest.mark.parametrize("data", [b"\xff", b'"\xed\xa0\xbd"', b'"\xc3'])
def test_what_is_no_utf8_is_told(data: bytes) -> None:
    """Damaged bytes are another fault than bad JSON."""
    with pytest.raises(lenient.NotJSONError, match=r"^no UTF-8$") as caught:
        lenient.decode(data, 10)
    assert caught.value.utf8 is False


def nested(depth: int) -> bytes:
    """Return JSON that nests arrays and objects in turn."""
    text = "1"
    for level in range(depth):
        text = f"[{text}]" if level % 2 else f'{{"a": {text}}}'
    return text.encode()


def test_depth_is_counted_over_what_was_closed() -> None:
    """What closes takes one level back, and no more."""
    for text in (b"[[[], [[1]]]]", b'{"a": {"b": {}, "c": [[1]]}}'):
        lenient.decode(text, 4)
        with pytest.raises(lenient.TooDeepError):
            lenient.decode(text, 3)


@pytest.mark.parametrize("max_depth", [1, 2, 3, 10])
def test_the_depth_limit_is_exact(max_depth: int) -> None:
    """As deep as the limit is fine; one level more is not."""
    lenient.decode(nested(max_depth), max_depth)
    with pytest.raises(lenient.TooDeepError):
        lenient.decode(nested(max_depth + 1), max_depth)


@pytest.mark.parametrize(
    "text",
    [
        "[[[1], [1]], [[1]], {}]",
        '["[[[[[[", "]]]", "\\"[[[["]',
        '{"[[[[": "{{{{\\\\"}',
        "[1, [2], [3]]",
    ],
)
def test_only_nesting_counts(text: str) -> None:
    """Neighbours are not nested, and brackets in strings are text."""
    assert lenient.decode(text.encode(), 3) == json.loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_endless_nesting_is_told(text: str) -> None:
    """No recursion error gets out, however deep it goes."""
    with pytest.raises(lenient.TooDeepError):
        lenient.decode(text.encode(), 500)


def test_a_stack_that_is_nearly_used_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python's own limit comes first, it counts as ours."""

    def decode(*_: object) -> object:
        raise RecursionError

    # How deep JSON may nest before Python refuses differs between its versions.
    monkeypatch.setattr(json.JSONDecoder, "decode", decode)
    with pytest.raises(lenient.TooDeepError):
        lenient.decode(b"[]", 10)


DEEP: list[tuple[object, int]] = [
    ("x", 0),
    (None, 0),
    ([], 1),
    ({}, 1),
    ([1, 2], 1),
    ({"a": 1}, 1),
    ([[]], 2),
    ([1, {"a": 1}], 2),
    ({"a": 1, "b": [1, {}]}, 3),
]


@pytest.mark.parametrize(("value", "depth"), DEEP)
def test_the_depth_of_a_value_is_that_of_its_text(value: object, depth: int) -> None:
    """What another decoder made is measured as our own would have measured it."""
    assert not lenient.nests_deeper(value, depth)
    assert depth == 0 or lenient.nests_deeper(value, depth - 1)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("plain", "plain"),
        ("é😀", "é😀"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00b", "\ufffdb"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_characters_are_repaired(text: str, whole: str) -> None:
    """What comes out can always be written as UTF-8."""
    assert lenient.repaired(text) == whole
    assert lenient.repaired(text).encode()


@pytest.mark.parametrize("value", [None, 5, "x", [], [1], True])
def test_what_is_no_object_is_an_empty_one(value: object) -> None:
    """Looking for members needs no check."""
    assert lenient.as_object(value) == {}


@pytest.mark.parametrize("value", [None, 5, "x", {}, {"a": 1}, True])
def test_what_is_no_array_is_an_empty_one(value: object) -> None:
    """Nor does looking at items."""
    assert lenient.as_array(value) == []


def test_objects_and_arrays_are_themselves() -> None:
    """They are not copied."""
    members: dict[str, Any] = {"a": 1}
    items: list[Any] = [1]
    assert lenient.as_object(members) is members
    assert lenient.as_array(items) is items


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", ""), ("\ud83d", "\ufffd"), (None, None), (5, None), ([], None)],
)
def test_text_is_a_repaired_string(value: object, text: str | None) -> None:
    """Everything else is none."""
    assert lenient.as_text(value) == text


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (7, 7),
        (7.0, 7),
        (0.0, 0),
        (10**99, 10**99),
        (-1, None),
        (-1.0, None),
        (0.5, None),
        (True, None),
        (False, None),
        ("7", None),
        (None, None),
        ([], None),
    ],
)
def test_a_count_is_a_whole_number_from_zero(value: object, count: int | None) -> None:
    """Some servers write their counts as floats."""
    assert lenient.as_count(value) == count
    assert type(lenient.as_count(value)) is type(count)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        ("\ud83d\ude00\ud83d", '"😀\ufffd"'),
        ({}, "{}"),
        (None, "null"),
    ],
)
def test_a_value_is_written_in_one_compact_line(value: object, text: str) -> None:
    """Without spaces, and with its strings as they are read."""
    assert lenient.compact(value) == text


VALUES: list[tuple[str, int]] = [
    ("1", 0),
    ('"a,b,[{"', 0),
    ("[]", 1),
    ("[1, 2, 3]", 3),
    ('{"a": 1, "b": [2, 3]}', 4),
    ('["a,b", "\\",[{", {}]', 4),
    ("[[[[", 4),
]


@pytest.mark.parametrize(("text", "count"), VALUES)
def test_values_are_counted_without_decoding(text: str, count: int) -> None:
    """By brackets and commas outside of strings, whatever else the text is."""
    padded = text.encode() + b" " * 20
    assert not lenient.holds_more_values(padded, count)
    assert count == 0 or lenient.holds_more_values(padded, count - 1)


def test_a_short_text_holds_few_values() -> None:
    """There is at least a byte to each."""
    assert not lenient.holds_more_values(b"[[[[", 4)
    assert lenient.holds_more_values(b"[[[[[", 4)


def test_the_depth_goes_on_where_a_neighbour_ended() -> None:
    """The end of an array leads out of that array only."""
    with pytest.raises(lenient.TooDeepError):
        lenient.decode(b"[[[], [[]]]]", 3)
