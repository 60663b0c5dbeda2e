"""A conversation is encoded as Gemini wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.wire.gemini import Gemini

HI = Message.user("Hi")
LOOK = ToolCall(id="7bdf4dc4", name="look", arguments='{"a":1}')


def encode(
    *messages: Message, quirks: dict[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Return the body of a request."""
    all_settings: dict[str, Any] = {"model": "m"} | settings
    config = ProviderConfig(**all_settings)
    body: dict[str, Any] = json.loads(Gemini().encode(messages, config, quirks or {}).body)
    return body


def contents(*messages: Message, **quirks: Any) -> list[dict[str, Any]]:
    """Return the contents of a request."""
    encoded: list[dict[str, Any]] = encode(*messages, quirks=quirks)["contents"]
    return encoded


def test_unset_means_not_sent() -> None:
    """Nothing but the contents."""
    assert encode(HI) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_every_setting_has_its_place() -> None:
    """As far as the API has one."""
    body = encode(
        HI,
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        stop=["x"],
        seed=7,
        n=2,
        reasoning={"effort": "low", "max_tokens": 5},
        response_schema={"type": "object"},
        tools=[Tool(name="look", description="Look.", parameters={"type": "object"})],
        quirks={"include_thoughts": True},
    )
    assert body["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["x"],
        "seed": 7,
        "candidateCount": 2,
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low", "thinkingBudget": 5},
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    look = {"name": "look", "description": "Look.", "parametersJsonSchema": {"type": "object"}}
    assert body["tools"] == [{"functionDeclarations": [look]}]


def test_thoughts_may_be_asked_for_without_settings() -> None:
    """By the quirk alone."""
    body = encode(HI, quirks={"include_thoughts": True})
    assert body["generationConfig"] == {"thinkingConfig": {"includeThoughts": True}}


def test_schemas_may_go_in_the_older_members() -> None:
    """For servers that know no JSON schemas."""
    schema = {"type": "object"}
    body = encode(
        HI,
        response_schema=schema,
        tools=[Tool(name="look", parameters=schema), Tool(name="see")],
        quirks={"schema_dialect": "openapi"},
    )
    assert body["generationConfig"]["responseSchema"] == schema
    assert body["tools"][0]["functionDeclarations"] == [
        {"name": "look", "parameters": schema},
        {"name": "see"},
    ]


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (ForcedTool("look"), {"mode": "ANY", "allowedFunctionNames": ["look"]}),
    ],
)
def test_tool_choices_have_their_modes(choice: Any, calling: dict[str, Any]) -> None:
    """A certain tool is the only one allowed."""
    body = encode(HI, tools=[Tool(name="look")], tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": calling}


def test_extra_adds_to_the_generation_config() -> None:
    """The API has more settings than we name."""
    body = encode(HI, seed=7, extra={"generationConfig": {"topK": 3}, "safetySettings": []})
    assert body["generationConfig"] == {"seed": 7, "topK": 3}
    assert body["safetySettings"] == []


def test_system_messages_stand_above_the_conversation() -> None:
    """All that come first."""
    body = encode(Message.system("Be brief."), Message.system("Be kind."), HI)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
    assert [content["role"] for content in body["contents"]] == ["user"]


def test_a_system_message_in_mid_conversation_is_refused() -> None:
    """The API has no place for it."""
    with pytest.raises(LocalProtocolError, match=r"messages\[1\].*before all others"):
        encode(HI, Message.system("Be brief."))


@pytest.mark.parametrize("messages", [(), (Message.system("Be brief."),)])
def test_a_conversation_without_a_turn_is_refused(messages: tuple[Message, ...]) -> None:
    """There is nothing to answer."""
    with pytest.raises(LocalProtocolError, match="message"):
        encode(*messages)


def test_pictures_go_as_data_or_by_uri() -> None:
    """With the media type, where it is known."""
    data = Image(data=b"\0", media_type="image/png")
    typed = Image(url="gs://b/a.png", media_type="image/png")
    [turn] = contents(Message.user("See:", data, Image(url="https://x.example/a"), typed))
    assert turn["parts"] == [
        {"text": "See:"},
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"fileData": {"fileUri": "https://x.example/a"}},
        {"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}},
    ]


def test_unsigned_reasoning_goes_back_as_a_thought() -> None:
    """The API takes it."""
    [turn] = contents(Message.assistant(Reasoning("Hm"), "Hi"))
    assert turn == {
        "role": "model",
        "parts": [{"text": "Hm", "thought": True}, {"text": "Hi"}],
    }


def test_results_of_one_turn_share_a_content() -> None:
    """In the order of the calls, which is how those without ids are matched."""
    calls = [ToolCall(id=f"call_{n}", name="look") for n in (0, 1)]
    second, first = (ToolResult(call_id=f"call_{n}", text=str(n)) for n in (1, 0))
    *_, turn = contents(HI, Message.assistant(*calls), Message.tool(second), Message.tool(first))
    assert turn == {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "look", "response": {"result": "0"}}},
            {"functionResponse": {"name": "look", "response": {"result": "1"}}},
        ],
    }


def test_ids_of_the_api_go_back_with_call_and_result() -> None:
    """So both find each other."""
    result = ToolResult(call_id="7bdf4dc4", text="21")
    _, call, answer, _ = contents(HI, Message.assistant(LOOK), Message.tool(result), HI)
    assert call["parts"][0]["functionCall"] == {"id": "7bdf4dc4", "name": "look", "args": {"a": 1}}
    assert answer["parts"][0]["functionResponse"]["id"] == "7bdf4dc4"


@pytest.mark.parametrize(
    ("call_id", "quirks"),
    [("call_0", {}), ("call_0_r-1", {}), ("7bdf4dc4", {"send_call_ids": False})],
)
def test_ids_that_were_made_up_do_not_go_back(call_id: str, quirks: dict[str, Any]) -> None:
    """Some servers refuse them, and older ones refuse all."""
    call = ToolCall(id=call_id, name="look")
    result = ToolResult(call_id=call_id, text="21")
    turns = contents(HI, Message.assistant(call), Message.tool(result), **quirks)
    assert '"id"' not in json.dumps(turns)


@pytest.mark.parametrize(
    ("result", "response"),
    [
        (ToolResult(call_id="c", name="look", text="21"), {"result": "21"}),
        (ToolResult(call_id="c", name="look", text='{"t":21}'), {"t": 21}),
        (ToolResult(call_id="c", name="look", text="Boom.", is_error=True), {"error": "Boom."}),
    ],
)
def test_a_result_is_an_object(result: ToolResult, response: dict[str, Any]) -> None:
    """The tool's own, or one around its text."""
    [turn] = contents(Message.tool(result))
    assert turn["parts"][0]["functionResponse"]["response"] == response


def test_a_result_without_a_name_is_refused() -> None:
    """The API matches by it."""
    with pytest.raises(LocalProtocolError, match=r"messages\[1\].*set ToolResult\.name"):
        contents(HI, Message.tool(ToolResult(call_id="c", text="21")))


@pytest.mark.parametrize("arguments", ["[1]", "{"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """The API takes them as an object, not as text."""
    call = ToolCall(id="c", name="look", arguments=arguments)
    with pytest.raises(LocalProtocolError, match="'c' are no JSON object"):
        contents(Message.assistant(call))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"logprobs": 1}, "logprobs"),
        ({"tools": [Tool(name="look", strict=True)]}, "tool 'look'"),
    ],
)
def test_what_the_api_lacks_is_refused_by_name(settings: dict[str, Any], name: str) -> None:
    """Nothing is dropped silently."""
    with pytest.raises(LocalProtocolError, match=f"^{name}: "):
        encode(HI, **settings)


@pytest.mark.parametrize(
    ("message", "part"),
    [
        (Message("user", (Text("a"), Reasoning("Hm"))), "Reasoning"),
        (Message("assistant", Image(url="u")), "Image"),
        (Message("tool", Text("21")), "Text"),
    ],
)
def test_a_part_without_a_place_is_refused_by_name(message: Message, part: str) -> None:
    """The error says which message, and what in it."""
    with pytest.raises(LocalProtocolError, match=rf"messages\[1\].*{message.role}.*{part}"):
        contents(HI, message)
