"""How servers differ, as data: checked by name, described in a sentence each."""

import re
from typing import Any

import attrs
import pytest

from tokenwire.wire.openai_chat import OpenAIChat
from tokenwire.wire.openai_chat.quirks import Quirks, read_quirks


def test_the_reference_has_no_quirks() -> None:
    """Unset, everything is as OpenAI documents it."""
    assert read_quirks({}) == Quirks(
        include_usage=False,
        max_tokens_field="max_completion_tokens",
        system_role="system",
        reasoning_field=None,
    )


@pytest.mark.parametrize(
    "quirks",
    [
        {"include_usage": True},
        {"max_tokens_field": "max_completion_tokens"},
        {"max_tokens_field": "max_tokens"},
        {"system_role": "system"},
        {"system_role": "developer"},
        {"reasoning_field": "reasoning_content"},
    ],
)
def test_each_quirk_is_read(quirks: dict[str, Any]) -> None:
    """And the others stay as they are."""
    OpenAIChat().check_quirks(quirks)
    assert attrs.asdict(read_quirks(quirks)) == attrs.asdict(Quirks()) | quirks


@pytest.mark.parametrize(
    ("quirks", "error"),
    [
        (
            {"include_usge": True},
            "quirks: unknown key 'include_usge' (did you mean 'include_usage'?)",
        ),
        ({"include_usage": "yes"}, "quirks.include_usage must be true or false, not str"),
        ({"include_usage": None}, "quirks.include_usage must be true or false, not NoneType"),
        (
            {"max_tokens_field": "tokens"},
            'quirks.max_tokens_field must be "max_completion_tokens" or "max_tokens"',
        ),
        ({"system_role": "boss"}, 'quirks.system_role must be "system" or "developer"'),
        ({"reasoning_field": ""}, "quirks.reasoning_field is empty: set it, or leave it out"),
    ],
)
def test_a_bad_quirk_is_refused_by_name(quirks: dict[str, Any], error: str) -> None:
    """With what it takes, or with the nearest name."""
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        OpenAIChat().check_quirks(quirks)


def test_every_quirk_is_described() -> None:
    """The command line and the reference show a sentence for each."""
    assert OpenAIChat().quirks.keys() == attrs.fields_dict(Quirks).keys()
