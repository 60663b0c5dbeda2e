"""What is left of a body when a server, a proxy or a model got something wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast

#: What stands where something else should. Few, for each stands in every place once.
_ODDITIES: Final[tuple[object, ...]] = (None, True, -1, 10**40, "\ud800", [None], {})

#: Deeper than Python's stack.
_DEEP: Final = b"[" * 3_000 + b"]" * 3_000

#: Bytes that mean something to a decoder, or nothing to any.
_ODD_BYTES: Final = (b'"', b"{", b"}", b"\n", b"\\", b"\x00", b"\xff")

#: At how many places a byte is replaced.
_MAX_PLACES: Final = 20


def damaged(body: bytes) -> Iterator[bytes]:
    """Give variants of a body, each with one thing wrong.

    A member of its JSON has another type, is missing or nests without end; a byte is another one.
    """
    lines = body.splitlines(keepends=True)
    for number, line in enumerate(lines):
        before, after = b"".join(lines[:number]), b"".join(lines[number + 1 :])
        for variant in _damaged_line(line):
            yield before + variant + after
    for position in range(0, len(body), 1 + len(body) // _MAX_PLACES):
        for byte in _ODD_BYTES:
            yield body[:position] + byte + body[position + 1 :]


def with_strings(body: bytes, text: str) -> Iterator[bytes]:
    """Give variants of a JSON text, or of lines with some, each with `text` in one string."""
    for line in (body, *body.splitlines()):
        for prefix, value in _json_of(line):
            for variant in _with_string(value, text):
                yield prefix + json.dumps(variant).encode() + b"\n\n"


def _damaged_line(line: bytes) -> Iterator[bytes]:
    for prefix, value in _json_of(line):
        for variant in _variants(value):
            yield prefix + json.dumps(variant).encode() + b"\n"
        yield prefix + b'{"x":' + _DEEP + b"," + json.dumps(value).encode()[1:] + b"\n"
        yield prefix + _DEEP + b"\n"


def _json_of(line: bytes) -> Iterator[tuple[bytes, Any]]:
    """Give the JSON object in a line, if one is there, with what stands before it."""
    prefix, brace, rest = line.partition(b"{")
    try:
        yield prefix, json.loads(brace + rest)
    except ValueError:
        return


def _variants(value: object) -> Iterator[object]:
    yield from _ODDITIES
    for name, child in _children(value):
        yield _without(value, name)
        for variant in _variants(child):
            yield _with(value, name, variant)


def _with_string(value: object, text: str) -> Iterator[object]:
    if isinstance(value, str):
        yield text
    for name, child in _children(value):
        for variant in _with_string(child, text):
            yield _with(value, name, variant)


def _children(value: object) -> Iterator[tuple[Any, object]]:
    if isinstance(value, dict):
        yield from cast("dict[str, object]", value).items()
    elif isinstance(value, list):
        yield from enumerate(cast("list[object]", value))


def _with(value: Any, name: Any, child: object) -> object:
    copy = value.copy()
    copy[name] = child
    return copy


def _without(value: Any, name: Any) -> object:
    copy = value.copy()
    del copy[name]
    return copy
