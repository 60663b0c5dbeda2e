"""A conversation is encoded as the Responses API wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.wire.openai_responses import OpenAIResponses

HI = Message.user("Hi")
ITEM = '{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"I see."}]}'


def encode(
    *messages: Message, quirks: dict[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Return the body of a request."""
    encoded = OpenAIResponses().encode(messages, ProviderConfig(**settings), quirks or {})
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def items(*messages: Message, **quirks: Any) -> list[dict[str, Any]]:
    """Return the input items of a request."""
    encoded: list[dict[str, Any]] = encode(*messages, quirks=quirks)["input"]
    return encoded


def test_unset_means_not_sent() -> None:
    """Nothing but the input and the wish for a stream."""
    message = {"type": "message", "role": "user", "content": "Hi"}
    assert encode(HI) == {"input": [message], "stream": True}


def test_every_setting_has_its_place() -> None:
    """As far as the API has one."""
    body = encode(
        HI,
        model="m",
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        logprobs=3,
        reasoning="low",
        response_schema={"type": "object"},
        tools=[Tool(name="look", description="Look.", parameters={"type": "object"}, strict=True)],
        tool_choice="required",
        quirks={"encrypted_reasoning": True, "reasoning_summary": "auto"},
    )
    del body["input"]
    assert body == {
        "model": "m",
        "stream": True,
        "max_output_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 3,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}},
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "Look.",
                "parameters": {"type": "object"},
                "strict": True,
            }
        ],
        "tool_choice": "required",
    }


def test_a_tool_without_parameters_says_so() -> None:
    """The API demands the member."""
    [tool] = encode(HI, tools=[Tool(name="look")])["tools"]
    assert tool["parameters"] == {"type": "object", "properties": {}}


def test_a_tool_can_be_forced() -> None:
    """By its name, flat."""
    body = encode(HI, tools=[Tool(name="look")], tool_choice=ForcedTool("look"))
    assert body["tool_choice"] == {"type": "function", "name": "look"}


def test_stored_conversations_are_reached_through_extra() -> None:
    """Its members go into the body as they are."""
    extra = {"previous_response_id": "resp_1", "store": False, "instructions": "Be brief."}
    body = encode(HI, extra=extra)
    assert extra.items() <= body.items()


def test_extra_may_add_to_an_object_of_the_settings() -> None:
    """What is in neither twice."""
    body = encode(HI, reasoning="low", extra={"reasoning": {"summary": "auto"}})
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"stop": "x"}, "stop"),
        ({"seed": 1}, "seed"),
        ({"n": 2}, "n"),
        ({"reasoning": {"max_tokens": 5}}, r"reasoning\.max_tokens"),
    ],
)
def test_what_the_api_lacks_is_refused_by_name(settings: dict[str, Any], name: str) -> None:
    """Nothing is dropped silently."""
    with pytest.raises(LocalProtocolError, match=f"^{name}: "):
        encode(HI, **settings)


def test_an_empty_conversation_is_refused() -> None:
    """There is nothing to answer."""
    with pytest.raises(LocalProtocolError, match="give at least one"):
        encode()


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_role_of_system_messages_is_a_quirk(role: str) -> None:
    """They stay where they are in the conversation."""
    first, second = items(HI, Message.system("Be brief."), system_role=role)
    assert first["role"] == "user"
    assert second == {"type": "message", "role": role, "content": "Be brief."}


def test_pictures_go_by_url_or_as_data() -> None:
    """With the detail, where it is set."""
    url, data = Image(url="https://x.example/a.png"), Image(data=b"\0", media_type="image/png")
    [item] = items(Message.user("See:", url, Image(url="u", detail="low"), data))
    assert item["content"] == [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "https://x.example/a.png"},
        {"type": "input_image", "image_url": "u", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
    ]


def test_the_assistants_parts_become_items_in_their_order() -> None:
    """Reasoning goes back as the item that it was."""
    call = ToolCall(id="call_1", name="look")
    assert items(Message.assistant(Reasoning("I see.", ITEM), "Wait.", call)) == [
        json.loads(ITEM),
        {"type": "message", "role": "assistant", "content": "Wait."},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    ]


def test_tool_results_name_their_calls() -> None:
    """One item each."""
    results = (ToolResult(call_id="call_1", text="21"), ToolResult(call_id="call_2", text="22"))
    assert items(Message.tool(*results)) == [
        {"type": "function_call_output", "call_id": "call_1", "output": "21"},
        {"type": "function_call_output", "call_id": "call_2", "output": "22"},
    ]


def test_reasoning_whose_signature_came_late_stands_where_it_began() -> None:
    """And once."""
    late = Message.assistant(Reasoning("I see."), "Hi", Reasoning("", ITEM))
    assert [item["type"] for item in items(late)] == ["reasoning", "message"]


@pytest.mark.parametrize(
    "parts",
    [
        (Reasoning("Hm"),),
        (Reasoning("Hm"), Text("Hi"), Reasoning("", ITEM)),
        (Reasoning(), Reasoning("", ITEM)),
    ],
)
def test_reasoning_without_a_signature_is_refused(parts: tuple[Part, ...]) -> None:
    """The API takes none."""
    with pytest.raises(LocalProtocolError, match=r"messages\[0\].*without_reasoning"):
        items(Message("assistant", parts))


@pytest.mark.parametrize("signature", ["ErUB", '{"type":"other"}', "[1]"])
def test_a_signature_of_another_api_is_refused(signature: str) -> None:
    """Here it proves nothing."""
    with pytest.raises(LocalProtocolError, match="comes from another API"):
        items(Message.assistant(Reasoning("Hm", signature)))
    with pytest.raises(LocalProtocolError, match="comes from another API"):
        items(Message.assistant(ToolCall(id="c", name="f", signature=signature)))


@pytest.mark.parametrize(
    ("message", "part"),
    [
        (Message("system", Image(url="u")), "Image"),
        (Message("user", (Text("a"), Reasoning("Hm"))), "Reasoning"),
        (Message("assistant", Image(url="u")), "Image"),
        (Message("tool", Text("21")), "Text"),
    ],
)
def test_a_part_without_a_place_is_refused_by_name(message: Message, part: str) -> None:
    """The error says which message, and what in it."""
    with pytest.raises(LocalProtocolError, match=rf"messages\[1\].*{message.role}.*{part}"):
        items(HI, message)
