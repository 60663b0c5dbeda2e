"""Tool calls keep their numbers, however badly a server numbers them."""

from collections.abc import Sequence
from typing import Any

import pytest

from tokenwire.wire.openai_chat.chunks import Function, ToolCallFragment
from tokenwire.wire.openai_chat.tool_calls import PlacedCall, ToolCallSorter


def fragment(
    index: int | None = None, call_id: str | None = None, name: str | None = None
) -> ToolCallFragment:
    """Return a fragment; one without a name has arguments alone."""
    return ToolCallFragment(index, call_id, Function(name, "{}"))


def numbers(*deltas: Sequence[ToolCallFragment]) -> list[int]:
    """Return the number of the call that each fragment of the deltas belongs to."""
    sorter = ToolCallSorter()
    placed: list[int] = []
    for delta in deltas:
        for position, item in enumerate(delta):
            call = sorter.place(item, position, len(delta))
            call.learn(item)
            placed.append(call.number)
    return placed


CASES: dict[str, tuple[list[list[ToolCallFragment]], list[int]]] = {
    "the reference": (
        [[fragment(0, "a", "f")], [fragment(0)], [fragment(1, "b", "g")], [fragment(1)]],
        [0, 0, 1, 1],
    ),
    "interleaved": (
        [
            [fragment(0, "a", "f"), fragment(1, "b", "g")],
            [fragment(0)],
            [fragment(1)],
            [fragment(0)],
        ],
        [0, 1, 0, 1, 0],
    ),
    "numbers that skip": (
        [[fragment(5, "a", "f")], [fragment(3, "b", "g")], [fragment(5)]],
        [0, 1, 0],
    ),
    "an id that is repeated": (
        [[fragment(0, "a", "f")], [fragment(0, "a")], [fragment(0, "a", "f")]],
        [0, 0, 0],
    ),
    "an id that is emptied": ([[fragment(0, "a", "f")], [fragment(0, "")]], [0, 0]),
    "an id that comes late": ([[fragment(0, None, "f")], [fragment(0, "a")]], [0, 0]),
    "one index for all calls": (
        [[fragment(0, "a", "f")], [fragment(0, "b", "g")], [fragment(0)], [fragment(0, "c", "h")]],
        [0, 1, 1, 2],
    ),
    "one index for all calls, ids repeated": (
        [[fragment(0, "a", "f"), fragment(0, "b", "g")], [fragment(0, "a"), fragment(0, "b")]],
        [0, 1, 0, 1],
    ),
    "no index, ids": (
        [[fragment(None, "a", "f")], [fragment(None, "b", "g")], [fragment(None, "a")]],
        [0, 1, 0],
    ),
    "no index, ids once": (
        [[fragment(None, "a", "f")], [fragment()], [fragment(None, "b", "g")], [fragment()]],
        [0, 0, 1, 1],
    ),
    "no index, no ids": (
        [[fragment(None, None, "f")], [fragment()], [fragment(None, None, "f")], [fragment()]],
        [0, 0, 1, 1],
    ),
    "no index, empty ids": (
        [[fragment(None, "", "f")], [fragment(None, "")], [fragment(None, "", "g")]],
        [0, 0, 1],
    ),
    "no index, several calls in one delta": (
        [[fragment(None, "a", "f"), fragment(None, "b", "g")]],
        [0, 1],
    ),
    "no index, arguments of several calls in one delta": (
        [[fragment(None, "a", "f"), fragment(None, "b", "g")], [fragment(), fragment()]],
        [0, 1, 0, 1],
    ),
    "no index, arguments of the last calls in one delta": (
        [
            [fragment(None, "a", "f"), fragment(None, "b", "g"), fragment(None, "c", "h")],
            [fragment(), fragment()],
        ],
        [0, 1, 2, 1, 2],
    ),
    "no index, more arguments than calls": (
        [[fragment(None, "a", "f")], [fragment(), fragment()]],
        [0, 0, 0],
    ),
    "nothing that names a call": ([[fragment()], [fragment()]], [0, 0]),
    "arguments behind the call that spoke last": (
        [
            [fragment(None, "a", "f")],
            [fragment(None, "b", "g")],
            [fragment(None, "a")],
            [fragment()],
        ],
        [0, 1, 0, 0],
    ),
    "an index behind fragments without": (
        [[fragment(None, "a", "f")], [fragment(0, "b", "g")], [fragment(0)]],
        [0, 1, 1],
    ),
}


@pytest.mark.parametrize(("deltas", "placed"), CASES.values(), ids=CASES)
def test_each_fragment_finds_its_call(
    deltas: list[list[ToolCallFragment]], placed: list[int]
) -> None:
    """Calls are numbered in the order in which they began."""
    assert numbers(*deltas) == placed


def test_a_fragment_without_function_is_no_new_call() -> None:
    """It belongs to whatever was open."""
    assert numbers([fragment(None, "a", "f")], [ToolCallFragment()]) == [0, 0]


LEARNT: list[tuple[list[ToolCallFragment], list[tuple[Any, Any]]]] = [
    ([fragment(0, "a", "f"), fragment(0, "a", "f")], [("a", "f"), (None, None)]),
    ([fragment(0, None, "f"), fragment(0, "a")], [(None, "f"), ("a", None)]),
    ([fragment(0, "", ""), fragment(0, "a", "f")], [(None, None), ("a", "f")]),
    ([fragment(0, "a"), fragment(0, "b", "g")], [("a", None), (None, "g")]),
    ([ToolCallFragment(0, "a"), fragment(0, None, "f")], [("a", None), (None, "f")]),
]


@pytest.mark.parametrize(("fragments", "news"), LEARNT)
def test_id_and_name_are_news_once(
    fragments: list[ToolCallFragment], news: list[tuple[Any, Any]]
) -> None:
    """The first that come count."""
    call = PlacedCall(0)
    assert [call.learn(item) for item in fragments] == news
