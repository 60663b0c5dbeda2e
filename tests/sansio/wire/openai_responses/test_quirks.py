"""Quirks are checked before a request is made."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tokenwire.wire.openai_responses.quirks import DESCRIPTIONS, Quirks, read_quirks


def test_every_quirk_is_described() -> None:
    """And nothing else."""
    assert list(DESCRIPTIONS) == [field.name for field in attrs.fields(Quirks)]


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"system_rule": "system"}, "did you mean 'system_role'"),
        ({"system_role": "boss"}, 'must be "system" or "developer"'),
        ({"encrypted_reasoning": "yes"}, "must be true or false"),
        ({"reasoning_summary": ""}, "is empty"),
    ],
)
def test_a_bad_quirk_is_refused(quirks: dict[str, Any], said: str) -> None:
    """With a sentence that says what to do."""
    with pytest.raises(ValueError, match=said):
        read_quirks(quirks)
