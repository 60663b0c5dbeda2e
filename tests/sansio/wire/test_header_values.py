"""Header values that mean the same wherever they come from."""

from __future__ import annotations

import pytest

from tokenwire.wire.header_values import count, first_of


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("450000", 450_000), (None, None), ("", None), ("-1", None), ("1.5", None)],
)
def test_a_count_is_digits(text: str | None, number: int | None) -> None:
    """Anything else is none."""
    assert count(text) == number


@pytest.mark.parametrize("text", ["9" * 20, "9" * 9000, "٣"])
def test_what_is_no_reasonable_count_is_none(text: str) -> None:
    """Converting endless digits would cost quadratic time."""
    assert count(text) is None


def test_the_first_header_that_was_sent_counts() -> None:
    """In the order of the names, not of the headers."""
    headers = {"b": "2", "a": "1"}
    assert first_of(headers, ("x", "a", "b")) == "1"
    assert first_of(headers, ("x",)) is None
