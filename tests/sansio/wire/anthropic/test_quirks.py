"""How versions and servers differ, as data."""

from __future__ import annotations

import attrs
import pytest

from tokenwire.wire.anthropic.quirks import DESCRIPTIONS, Quirks, read_quirks


def test_the_current_version_is_asked_for() -> None:
    """Unless the endpoint says otherwise."""
    assert read_quirks({}).version == "2026-10-21"
    assert read_quirks({"version": "2023-06-01"}).version == "2023-06-01"


@pytest.mark.parametrize(
    ("quirks", "message"),
    [
        ({"version": "2024-01-01"}, "2026-10-21"),
        ({"system_messages": "bottom"}, "in_place"),
        ({"versoin": "2023-06-01"}, "did you mean 'version'"),
    ],
)
def test_a_mistake_is_refused(quirks: dict[str, str], message: str) -> None:
    """With what is possible instead."""
    with pytest.raises(ValueError, match=message):
        read_quirks(quirks)


def test_every_quirk_is_described() -> None:
    """For whoever looks for it."""
    assert list(DESCRIPTIONS) == [field.name for field in attrs.fields(Quirks)]
