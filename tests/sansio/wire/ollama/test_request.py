"""A conversation is encoded as Ollama's chat API wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, ReasoningOptions, Tool
from tokenwire.wire.ollama import Ollama

HI = Message.user("Hi")
CALL = ToolCall(id="c1", name="look", arguments='{"at": 1}')


def encode(*messages: Message, **settings: Any) -> dict[str, Any]:
    """Return the body of a request."""
    encoded = Ollama().encode(messages, ProviderConfig(**settings), {})
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def sent(*messages: Message) -> list[dict[str, Any]]:
    """Return the messages of a request."""
    encoded: list[dict[str, Any]] = encode(*messages)["messages"]
    return encoded


def refused(*messages: Message, **settings: Any) -> str:
    """Return why a request is refused."""
    with pytest.raises(LocalProtocolError) as caught:
        encode(*messages, **settings)
    return str(caught.value)


# Settings


def test_unset_means_not_sent() -> None:
    """Nothing but the messages and the wish for a stream."""
    assert encode(HI) == {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


def test_every_setting_has_its_place() -> None:
    """Most of them among the options."""
    body = encode(
        HI,
        model="m",
        max_output_tokens=9,
        temperature=0,
        top_p=0.9,
        seed=7,
        stop=["END"],
        tools=[
            Tool(name="look", description="Look.", parameters={"type": "object"}),
            {"name": "f"},
        ],
        tool_choice="auto",
        response_schema={"type": "array"},
        reasoning="high",
        logprobs=2,
    )
    del body["messages"]
    look = {"name": "look", "description": "Look.", "parameters": {"type": "object"}}
    assert body == {
        "model": "m",
        "stream": True,
        "options": {
            "num_predict": 9,
            "temperature": 0,
            "top_p": 0.9,
            "seed": 7,
            "stop": ["END"],
        },
        "tools": [
            {"type": "function", "function": look},
            {"type": "function", "function": {"name": "f"}},
        ],
        "format": {"type": "array"},
        "think": "high",
        "logprobs": True,
        "top_logprobs": 2,
    }


def test_log_probabilities_need_no_alternatives() -> None:
    """Zero of them is not sent."""
    body = encode(HI, logprobs=0)
    assert body["logprobs"] is True
    assert "top_logprobs" not in body


def test_thinking_can_be_turned_off() -> None:
    """By the effort that asks for none."""
    assert encode(HI, reasoning="none")["think"] is False
    assert "think" not in encode(HI, reasoning=ReasoningOptions())


def test_extra_members_join_those_of_the_settings() -> None:
    """Options too; what is set twice is refused."""
    extra = {"options": {"num_ctx": 8192}, "keep_alive": "5m", "think": True}
    body = encode(HI, temperature=0, extra=extra)
    assert body["options"] == {"temperature": 0, "num_ctx": 8192}
    assert (body["keep_alive"], body["think"]) == ("5m", True)
    twice = refused(HI, temperature=0, extra={"options": {"temperature": 1}})
    assert "extra['options']['temperature']" in twice


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"n": 1}, "n:"),
        ({"tool_choice": "none", "tools": [Tool(name="look")]}, "tool_choice:"),
        ({"tool_choice": "required", "tools": [Tool(name="look")]}, "tool_choice:"),
        ({"tool_choice": ForcedTool("look"), "tools": [Tool(name="look")]}, "tool_choice:"),
        ({"reasoning": ReasoningOptions(max_tokens=5)}, "reasoning.max_tokens:"),
        ({"tools": [Tool(name="look", strict=True)]}, "tool 'look':"),
    ],
)
def test_what_the_api_does_not_have_is_refused(setting: dict[str, Any], name: str) -> None:
    """By name, and not dropped."""
    assert refused(HI, **setting).startswith(name)


def test_schemas_that_nobody_enforces_are_sent() -> None:
    """That is what the API does."""
    assert len(encode(HI, tools=[Tool(name="look", strict=False)])["tools"]) == 1


# Messages


def test_an_empty_conversation_is_refused() -> None:
    """There is nothing to answer."""
    assert "at least one" in refused()


def test_every_role_has_its_message() -> None:
    """In the order of the conversation."""
    conversation = (
        Message.system("Be brief."),
        Message.user("Hi", " there"),
        Message.assistant(Reasoning("I see."), "Hm.", CALL),
        Message.tool(ToolResult(call_id="c1", text="a cat")),
    )
    assert sent(*conversation) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi there"},
        {
            "role": "assistant",
            "content": "Hm.",
            "thinking": "I see.",
            "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}],
        },
        {"role": "tool", "content": "a cat", "tool_name": "look"},
    ]


def test_results_are_known_by_the_tool_s_name() -> None:
    """Their own, else that of the last call with their id."""
    again = ToolCall(id="c1", name="listen")
    results = [
        ToolResult(call_id="c1", text="a purr", is_error=True),
        ToolResult(call_id="c9", text="a cat", name="look"),
    ]
    encoded = sent(HI, Message.assistant(CALL), Message.assistant(again), Message.tool(*results))
    assert [message.get("tool_name") for message in encoded[3:]] == ["listen", "look"]


def test_a_result_without_a_name_is_refused() -> None:
    """With what to do about it."""
    result = ToolResult(call_id="c1", text="a cat")
    assert "ToolResult.name" in refused(HI, Message.tool(result))
    assert "messages[0]" in refused(Message.tool(result), Message.assistant(CALL))


def test_pictures_come_with_their_bytes() -> None:
    """Beside the text."""
    image = Image(data=b"\x89PNG", media_type="image/png")
    assert sent(Message.user("What is", image, " this?")) == [
        {"role": "user", "content": "What is this?", "images": ["iVBORw=="]}
    ]


def test_a_picture_s_url_is_refused() -> None:
    """Nobody fetches it."""
    image = Image(url="https://host.example/cat.png")
    assert "messages[1]: this API takes no URL" in refused(HI, Message.user(image))


@pytest.mark.parametrize(
    "part",
    [
        Reasoning("I see.", signature="c2ln"),
        ToolCall(id="c1", name="look", signature="c2ln"),
    ],
)
def test_signatures_of_other_apis_are_refused(part: Part) -> None:
    """They have no place here."""
    assert "another API" in refused(HI, Message("assistant", (part,)))


def test_arguments_that_never_came_whole_are_refused() -> None:
    """The API takes an object, not its text."""
    call = ToolCall(id="c1", name="look", arguments='{"at":')
    assert "no JSON object" in refused(HI, Message.assistant(call))


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("system", Image(url="https://host.example/a")),
        ("user", CALL),
        ("assistant", Image(url="https://host.example/a")),
        ("tool", Text("a cat")),
    ],
)
def test_a_part_in_the_wrong_place_is_refused(role: Any, part: Part) -> None:
    """By its name, and not dropped."""
    reason = refused(Message(role, (part,)))
    assert reason.startswith("messages[0]: ")
    assert type(part).__name__ in reason
