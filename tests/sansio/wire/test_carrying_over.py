"""A conversation goes on with another provider: the answers of each API, sent to every other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sansio import wire_table
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, ToolCall, ToolResult
from tokenwire.provider_config import ProviderConfig
from tokenwire.wire import WIRE_KINDS, wire_by_kind

CONFIG = ProviderConfig(model="m", max_output_tokens=100)
PICTURE = Image(data=b"a picture", media_type="image/png")

#: What stands in a body of any API: instructions, picture, text, call and result.
SAID = ["Be brief.", "YSBwaWN0dXJl", "Look.", "Hi", "f", "the result", "Go on."]

#: The API is one and the same, at two addresses.
FAMILIES = [{"openai-chat", "azure-chat"}]

from_each = pytest.mark.parametrize("source", WIRE_KINDS)
to_each = pytest.mark.parametrize("target", WIRE_KINDS)


def answer_of(kind: str) -> Message:
    """Return what an API answered: reasoning, text, a tool call, and signatures if it has any."""
    return wire_table.decoded(kind)[1].message


def conversation(answer: Message) -> list[Message]:
    """Return a conversation that goes on behind an answer."""
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    return [
        Message.system("Be brief."),
        Message.user(PICTURE, "Look."),
        answer,
        Message.tool(*(ToolResult(call_id=call.id, text="the result") for call in calls)),
        Message.user("Go on."),
    ]


def strings_of(body: bytes) -> list[str]:
    """Return every string in a body, pictures without what makes them a URL."""
    found: list[str] = []

    def search(value: Any) -> None:
        match value:
            case str():
                found.append(value.removeprefix("data:image/png;base64,"))
            case dict():
                for member in value.values():  # pyright: ignore[reportUnknownVariableType]  # JSON
                    search(member)
            case list():
                for item in value:  # pyright: ignore[reportUnknownVariableType]  # JSON
                    search(item)
            case _:
                pass

    search(json.loads(body))
    return found


def encoded(target: str, answer: Message) -> list[str]:
    """Return every string of the body that goes on with this answer."""
    return strings_of(wire_by_kind(target).encode(conversation(answer), CONFIG, {}).body)


@from_each
@to_each
def test_an_answer_goes_on_with_any_api(source: str, target: str) -> None:
    """Without its reasoning, it is taken by all of them, and nothing else is lost."""
    strings = encoded(target, answer_of(source).without_reasoning())
    assert [text for text in SAID if text not in strings] == []


@from_each
@to_each
def test_what_an_api_cannot_take_back_names_the_message(source: str, target: str) -> None:
    """Reasoning goes where it can, text and all; elsewhere the error says what to do."""
    refusal, strings = "", list[str]()
    try:
        strings = encoded(target, answer_of(source))
    except LocalProtocolError as error:
        refusal = str(error)
    if refusal:
        assert source != target
        assert refusal.startswith("messages[2]: ")
        assert "send message.without_reasoning()" in refusal
    else:
        assert [text for text in [*SAID, "Hm"] if text not in strings] == []


@from_each
def test_an_answer_goes_back_with_its_signatures(source: str) -> None:
    """To the API that made them, and to nobody else."""
    signature = "c2ln"
    is_signed = signature in repr(wire_table.ANSWERS[source])
    for target in WIRE_KINDS:
        if source == target or {source, target} in FAMILIES:
            assert (signature in encoded(target, answer_of(source))) == is_signed
        elif is_signed:
            with pytest.raises(LocalProtocolError):
                encoded(target, answer_of(source))
