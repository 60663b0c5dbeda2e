"""What is the same for every wire format: its name, and what its requests make of a setting."""

from collections.abc import Sequence
from typing import Any

import pytest

from tokenwire.config import ConfigError
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.wire import WIRE_KINDS, wire_by_kind

HI = Message.user("Hi")
LOOK = Tool(name="look")


def body(kind: str, messages: Sequence[Message] = (HI,), **settings: Any) -> bytes:
    """Return the body of a request, with what one of the APIs requires."""
    config = ProviderConfig(model="m", max_output_tokens=100, **settings)
    return wire_by_kind(kind).encode(messages, config, {}).body


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


@pytest.mark.parametrize("kind", WIRE_KINDS)
@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_no_tools_are_the_same_as_unset_ones(kind: str, choice: str | None) -> None:
    """So a call can do without the tools of its provider's defaults, and of their choice."""
    assert body(kind, tools=[], tool_choice=choice) == body(kind)
    assert body(kind, tool_choice=choice) == body(kind)


@pytest.mark.parametrize("kind", WIRE_KINDS)
@pytest.mark.parametrize("choice", ["required", ForcedTool("look")])
def test_a_tool_that_must_be_called_must_be_there(kind: str, choice: str | ForcedTool) -> None:
    """The mistake is told before anything is sent."""
    with pytest.raises(LocalProtocolError, match=r"^tool_choice: there is no tool to choose"):
        body(kind, tool_choice=choice)


@pytest.mark.parametrize("kind", WIRE_KINDS)
def test_a_misspelt_tool_names_the_nearest(kind: str) -> None:
    """It is none of the tools."""
    hint = r"^tool_choice: there is no tool 'loook' \(did you mean 'look'\?\)$"
    with pytest.raises(LocalProtocolError, match=hint):
        body(kind, tools=[LOOK], tool_choice=ForcedTool("loook"))


@pytest.mark.parametrize("kind", sorted(set(WIRE_KINDS) - {"ollama"}))
def test_tools_of_the_provider_may_be_chosen(kind: str) -> None:
    """They go in with the extra members, where nobody here knows their names."""
    extra = {"tools": [{"type": "search"}]}
    for choice in ("required", "auto", ForcedTool("search")):
        assert body(kind, tool_choice=choice, extra=extra) != body(kind, extra=extra)


@pytest.mark.parametrize("kind", ["anthropic", "ollama", "gemini"])
def test_a_hint_that_the_api_has_no_place_for_is_refused(kind: str) -> None:
    """How closely to look at a picture is nothing that may get lost."""
    picture = Image(data=b"png", media_type="image/png", detail="low")
    with pytest.raises(LocalProtocolError, match=r"^messages\[1\]: Image\.detail: .* unset$"):
        body(kind, [HI, Message.user(picture)])
