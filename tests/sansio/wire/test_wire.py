"""Wire formats are found by the names that configurations use."""

import pytest

from tokenwire.config import ConfigError
from tokenwire.wire import WIRE_KINDS, wire_by_kind


@pytest.mark.parametrize("kind", WIRE_KINDS)
def test_each_format_is_found_by_its_name(kind: str) -> None:
    """And calls itself by it."""
    assert wire_by_kind(kind).kind == kind


def test_the_formats_are_values() -> None:
    """They hold no state, so any two of a kind are the same."""
    assert wire_by_kind("openai-chat") == wire_by_kind("openai-chat")


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("openai-caht", r"'openai-caht' \(did you mean 'openai-chat'\?\)"),
        ("OpenAI-Chat", r"'OpenAI-Chat' \(did you mean 'openai-chat'\?\)"),
        ("smtp", r"'smtp' \(known: .*openai-chat"),
        ("", r"'' \(known: .*openai-chat"),
    ],
)
def test_an_unknown_format_names_the_nearest(kind: str, hint: str) -> None:
    """Names are exact, and the error helps."""
    with pytest.raises(ConfigError, match=f"^unknown wire format {hint}"):
        wire_by_kind(kind)
