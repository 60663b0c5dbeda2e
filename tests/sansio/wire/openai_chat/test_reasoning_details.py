"""Signed reasoning goes back as it came, put together from its pieces."""

import json
from typing import Any

import pytest

from tokenwire.wire.openai_chat.reasoning_details import ReasoningDetails


def collected(*deltas: list[Any]) -> tuple[list[str], list[dict[str, Any]] | None]:
    """Return the text that each delta shows, and the details that go back."""
    details = ReasoningDetails()
    texts = [details.add(delta) for delta in deltas]
    signature = details.signature()
    return texts, None if signature is None else json.loads(signature)


def test_pieces_of_one_detail_are_joined() -> None:
    """Texts are put together, of everything else the last word counts."""
    texts, whole = collected(
        [{"type": "reasoning.text", "index": 0, "text": "h", "format": "a", "id": "1"}],
        [{"type": "reasoning.text", "index": 0, "text": "m", "format": "b", "id": None}],
        [{"type": "reasoning.text", "index": 0, "signature": "s1"}],
        [{"type": "reasoning.text", "index": 0, "signature": "s2"}],
    )
    assert texts == ["h", "m", "", ""]
    assert whole == [
        {
            "type": "reasoning.text",
            "index": 0,
            "text": "hm",
            "format": "b",
            "id": "1",
            "signature": "s1s2",
        }
    ]


@pytest.mark.parametrize("name", ["text", "summary", "data", "signature"])
def test_members_that_come_in_pieces(name: str) -> None:
    """These are joined."""
    _, whole = collected([{name: "a", "data": "x"} | {name: "a"}], [{name: "b"}])
    assert whole is None or whole[0][name] == "ab"


def test_details_are_told_apart_by_index_and_type() -> None:
    """Neither alone is enough."""
    _, whole = collected(
        [{"type": "reasoning.text", "index": 0, "text": "a"}],
        [{"type": "reasoning.encrypted", "index": 0, "data": "b"}],
        [{"type": "reasoning.text", "index": 1, "text": "c"}],
        [{"type": "reasoning.text", "index": 0, "text": "d"}],
    )
    assert whole == [
        {"type": "reasoning.text", "index": 0, "text": "ad"},
        {"type": "reasoning.encrypted", "index": 0, "data": "b"},
        {"type": "reasoning.text", "index": 1, "text": "c"},
    ]


def test_several_details_may_come_in_one_delta() -> None:
    """Their texts are shown together, a summary where there is no text."""
    texts, _ = collected([{"index": 0, "text": "a"}, {"index": 1, "summary": "b"}, {"index": 2}])
    assert texts == ["ab"]


@pytest.mark.parametrize("proof", ["signature", "data"])
def test_what_proves_something_goes_back(proof: str) -> None:
    """Then all details do, in order."""
    _, whole = collected([{"index": 0, "text": "a"}, {"index": 1, proof: "x"}])
    assert whole == [{"index": 0, "text": "a"}, {"index": 1, proof: "x"}]


@pytest.mark.parametrize(
    "delta",
    [
        [],
        [{"text": "a"}],
        [{"text": "a", "signature": None}],
        [{"summary": "a", "signature": ""}],
        [{"data": ""}],
    ],
)
def test_plain_text_need_not_go_back(delta: list[Any]) -> None:
    """It is shown, and that is all there is to it."""
    assert collected(delta)[1] is None


@pytest.mark.parametrize("item", [None, 5, "x", [], {}])
def test_an_item_of_another_shape_is_harmless(item: Any) -> None:
    """It says nothing, and takes nothing away."""
    texts, whole = collected([item, {"index": 0, "text": "a", "signature": "s"}])
    assert texts == ["a"]
    assert whole is not None
    assert whole[-1] == {"index": 0, "text": "a", "signature": "s"}


def test_members_of_another_type_are_kept() -> None:
    """Their last word counts, and no text is made of them."""
    texts, whole = collected([{"text": 5, "summary": ["a"], "data": "x"}], [{"text": 6}])
    assert texts == ["", ""]
    assert whole == [{"text": 6, "summary": ["a"], "data": "x"}]


def test_null_is_kept_until_something_else_comes() -> None:
    """A detail may have members that stay empty."""
    _, whole = collected([{"id": None, "format": None, "data": "x"}], [{"id": "1"}])
    assert whole == [{"id": "1", "format": None, "data": "x"}]


def test_half_characters_are_repaired() -> None:
    """What goes back can be written as UTF-8; halves that meet are joined."""
    _, whole = collected([{"text": "\ud83d", "data": "\ud83d"}], [{"text": "\ude00"}])
    assert whole == [{"text": "😀", "data": "\ufffd"}]


def test_the_size_grows_with_every_piece() -> None:
    """By its JSON and what a piece, and the detail that it begins, cost besides."""
    details = ReasoningDetails()
    assert details.size == 0
    details.add([{"a": "b"}])
    assert details.size == 1024 + len('{"a":"b"}') + 256
    details.add([{"a": "b"}, None])
    assert details.size == 1024 + 2 * (len('{"a":"b"}') + 256) + len("{}") + 256


def test_the_size_grows_with_every_detail() -> None:
    """Each has members of its own to keep."""
    details = ReasoningDetails()
    details.add([{"index": 0}])
    before = details.size
    details.add([{"index": 1}])
    assert details.size == 2 * before
