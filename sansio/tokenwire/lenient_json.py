"""JSON from peers that do not write quite JSON.

The fast path of every wire format decodes straight into typed structs and refuses whatever does not
fit. This module is the other path: it takes what real servers send (NaN, lone surrogates, numbers
of thousands of digits, unexpected types) and gives plain values, or one of two errors of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from json import JSONDecoder

# Possessive, so that a long string costs neither time nor memory.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'

#: Strings, and the brackets outside of them.
_STRUCTURE: Final = re.compile(_STRING + r"|[\[{]|[\]}]", re.DOTALL)

#: Strings, and what stands before every value but the first.
_VALUES: Final = re.compile((_STRING + r"|[\[{,]").encode(), re.DOTALL)

#: Longest integer taken exactly: far beyond any count or id, and short of the length at which
#: Python refuses to convert.
_MAX_INTEGER_DIGITS: Final = 100


class NotJSONError(ValueError):
    """The bytes are no JSON text, or no UTF-8 (then `utf8` is False)."""

    def __init__(self, *, utf8: bool) -> None:
        super().__init__("no JSON" if utf8 else "no UTF-8")
        self.utf8 = utf8


class TooDeepError(ValueError):
    """The JSON nests deeper than the limit."""


def decode(data: bytes, max_depth: int) -> object:
    """Decode one JSON text.

    NaN and what is too large for a float become None. Integers past a hundred digits
    become floats. Strings may hold lone surrogates: see `repaired`.

    Args:
        data: The text in UTF-8.
        max_depth: How deep arrays and objects may nest.

    Raises:
        NotJSONError: If it is something else.
        TooDeepError: If it nests deeper than `max_depth`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJSONError(utf8=False) from None
    if text.count("[") + text.count("{") > max_depth and _depth(text) > max_depth:
        raise TooDeepError
    try:
        return _decoder().decode(text)
    except RecursionError:  # the caller's own stack was nearly used up
        raise TooDeepError from None
    except ValueError:
        raise NotJSONError(utf8=True) from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def holds_more_values(data: bytes, max_values: int) -> bool:
    """Whether a JSON text holds more values than that, each of which would cost an object.

    Time is next to none for texts that are short or nearly all strings.
    """
    if len(data) <= max_values:
        return False
    if data.count(b",") + data.count(b"[") + data.count(b"{") <= max_values:
        return False
    marks = (match for match in _VALUES.finditer(data) if match[0][:1] != b'"')
    return any(count > max_values for count, _ in enumerate(marks, 1))


def nests_deeper(value: object, max_depth: int) -> bool:
    """Whether arrays and objects nest deeper than that in a value that another decoder made."""
    level = [value]
    for _ in range(max_depth):
        level = [child for container in level for child in _children(container)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _children(value: object) -> Iterable[object]:
    return as_object(value).values() or as_array(value)


def _parse_int(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else _parse_float(digits)


def _parse_float(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _no_constant(_: str) -> None:
    return None


@cache
def _decoder() -> JSONDecoder:
    """Return the one decoder: making one takes longer than decoding most events."""
    from json import JSONDecoder  # most programs never meet what is not quite JSON

    return JSONDecoder(parse_int=_parse_int, parse_float=_parse_float, parse_constant=_no_constant)


def repaired(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def as_object(value: object) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON's keys are strings


def as_array(value: object) -> list[Any]:
    """Return `value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON's items are anything


def as_text(value: object) -> str | None:
    """Return `value` if it is a string, repaired; None otherwise."""
    return repaired(value) if isinstance(value, str) else None


def as_count(value: object) -> int | None:
    """Return `value` if it is a whole number from 0 up, also one written as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == int(value) else None


def compact(value: object) -> str:
    """Write a decoded value as one line of JSON, with its strings repaired."""
    from json import dumps  # most programs never need it

    return repaired(dumps(value, ensure_ascii=False, separators=(",", ":")))
