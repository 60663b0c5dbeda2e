"""A conversation is encoded as the Messages API wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, ReasoningOptions, Tool
from tokenwire.wire.anthropic import Anthropic

HI = Message.user("Hi")
OLD = {"version": "2023-06-01"}
CALL = ToolCall(id="t1", name="look", arguments='{"at": 1}')
RESULT = ToolResult(call_id="t1", text="a cat")


def encode(
    *messages: Message, quirks: dict[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Return the body of a request."""
    given: dict[str, Any] = {"max_output_tokens": 9, **settings}
    config = ProviderConfig(**given)
    body: dict[str, Any] = json.loads(Anthropic().encode(messages, config, quirks or {}).body)
    return body


def turns(*messages: Message, **quirks: Any) -> list[dict[str, Any]]:
    """Return the turns of a request."""
    encoded: list[dict[str, Any]] = encode(*messages, quirks=quirks)["messages"]
    return encoded


def refused(*messages: Message, **settings: Any) -> str:
    """Return why a request is refused."""
    with pytest.raises(LocalProtocolError) as caught:
        encode(*messages, **settings)
    return str(caught.value)


# Settings


def test_unset_means_not_sent() -> None:
    """Nothing but what the API requires, and the wish for a stream."""
    assert encode(HI) == {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


def test_every_setting_has_its_place() -> None:
    """As far as the API has one."""
    body = encode(
        HI,
        model="m",
        temperature=0.5,
        top_p=0.9,
        stop=["END"],
        tools=[Tool(name="look", description="Look.", parameters={"type": "object"}, strict=True)],
        tool_choice="auto",
        response_schema={"type": "array"},
        reasoning="low",
        quirks=OLD,
    )
    del body["messages"]
    assert body == {
        "model": "m",
        "max_tokens": 9,
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "tools": [
            {
                "name": "look",
                "description": "Look.",
                "input_schema": {"type": "object"},
                "strict": True,
            }
        ],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "adaptive"},
        "output_config": {
            "effort": "low",
            "format": {"type": "json_schema", "schema": {"type": "array"}},
        },
    }


def test_a_bound_on_the_answer_is_required() -> None:
    """By the API, and by no other: it is said before anything is sent."""
    assert "max_output_tokens" in refused(HI, max_output_tokens=None)


@pytest.mark.parametrize("setting", [{"temperature": 0}, {"top_p": 0.5}])
def test_sampling_needs_the_older_version(setting: dict[str, Any]) -> None:
    """The message names both the setting and the quirk."""
    reason = refused(HI, **setting)
    assert next(iter(setting)) in reason
    assert 'quirk version = "2023-06-01"' in reason
    assert setting.items() <= encode(HI, **setting, quirks=OLD).items()


@pytest.mark.parametrize("setting", [{"n": 2}, {"seed": 1}, {"logprobs": 0}])
def test_what_the_api_does_not_have_is_refused(setting: dict[str, int]) -> None:
    """By name, and not dropped."""
    assert refused(HI, **setting).startswith(f"{next(iter(setting))}: ")


def test_a_tool_without_parameters_has_an_empty_schema() -> None:
    """The API requires one."""
    assert encode(HI, tools=[Tool(name="look")])["tools"] == [
        {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    ]


@pytest.mark.parametrize(
    ("choice", "encoded"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (ForcedTool("look"), {"type": "tool", "name": "look"}),
    ],
)
def test_tool_choice_has_four_forms(choice: Any, encoded: dict[str, str]) -> None:
    """In the API's own words."""
    assert encode(HI, tools=[Tool(name="look")], tool_choice=choice)["tool_choice"] == encoded


@pytest.mark.parametrize(
    ("reasoning", "thinking", "output_config"),
    [
        (ReasoningOptions(), None, None),
        (ReasoningOptions(effort="max"), {"type": "adaptive"}, {"effort": "max"}),
        (ReasoningOptions(effort="none"), {"type": "disabled"}, None),
        (ReasoningOptions(max_tokens=0), {"type": "disabled"}, None),
        (
            ReasoningOptions(max_tokens=2048),
            {"type": "enabled", "budget_tokens": 2048},
            None,
        ),
        (
            ReasoningOptions(effort="low", max_tokens=2048),
            {"type": "enabled", "budget_tokens": 2048},
            {"effort": "low"},
        ),
    ],
)
def test_reasoning_is_thinking_and_effort(
    reasoning: ReasoningOptions, thinking: Any, output_config: Any
) -> None:
    """A budget or an effort, or none of it."""
    body = encode(HI, reasoning=reasoning)
    assert (body.get("thinking"), body.get("output_config")) == (thinking, output_config)


def test_reasoning_that_contradicts_itself_is_refused() -> None:
    """Nobody knows what was meant."""
    assert "max_tokens" in refused(HI, reasoning=ReasoningOptions(effort="none", max_tokens=1))


def test_extra_members_join_those_of_the_settings() -> None:
    """What this library does not name is sent as it is."""
    extra = {"output_config": {"task_budget": 1}, "service_tier": "auto"}
    body = encode(HI, reasoning="low", extra=extra)
    assert body["output_config"] == {"effort": "low", "task_budget": 1}
    assert body["service_tier"] == "auto"
    assert "max_tokens" in refused(HI, extra={"max_tokens": 1})


# System messages


def test_the_system_prompt_stands_above() -> None:
    """There is no such role among the messages."""
    body = encode(Message.system("Be brief."), HI)
    assert body["system"] == "Be brief."
    assert body["messages"] == [{"role": "user", "content": "Hi"}]


def test_several_system_messages_stand_above_in_order() -> None:
    """Also those that come later, unless the model takes them where they are."""
    body = encode(Message.system("One."), HI, Message.system("Two."))
    assert body["system"] == [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert len(body["messages"]) == 1


def test_later_system_messages_may_stay_in_place() -> None:
    """So that the cache of what came before stays good."""
    messages = (Message.system("One."), HI, Message.system("Two."))
    body = encode(*messages, quirks={"system_messages": "in_place"})
    assert body["system"] == "One."
    assert body["messages"][1] == {"role": "system", "content": "Two."}


def test_a_system_message_holds_text_alone() -> None:
    """The part is named."""
    assert "cannot carry Image" in refused(Message.system(Image(url="https://host.example/a")), HI)


@pytest.mark.parametrize("quirk", ["top", "in_place"])
def test_a_conversation_needs_a_turn(quirk: str) -> None:
    """The system prompt is none."""
    quirks = {"system_messages": quirk}
    assert "user's" in refused(Message.system("Be brief."), quirks=quirks)


def test_an_empty_conversation_is_refused() -> None:
    """There is nothing to answer."""
    assert "at least one" in refused()


# Turns


def test_turns_of_one_side_become_one() -> None:
    """The two sides alternate."""
    conversation = (HI, Message.user("Ho"), Message.assistant("A"), Message.assistant("B"))
    assert turns(*conversation) == [
        {"role": "user", "content": [{"type": "text", "text": t} for t in ("Hi", "Ho")]},
        {"role": "assistant", "content": [{"type": "text", "text": t} for t in ("A", "B")]},
    ]


def test_tool_results_are_the_user_s() -> None:
    """They join what the user says next."""
    other = ToolResult(call_id="t2", text="failed", name="look", is_error=True)
    conversation = (HI, Message.assistant(CALL), Message.tool(RESULT), Message.tool(other), HI)
    assert turns(*conversation)[1:] == [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "a cat"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t2",
                    "content": "failed",
                    "is_error": True,
                },
                {"type": "text", "text": "Hi"},
            ],
        },
    ]


def test_ids_of_other_apis_are_made_fit() -> None:
    """A call and its result alike."""
    call = ToolCall(id="functions.look:0", name="look")
    result = ToolResult(call_id="functions.look:0", text="a cat")
    _, assistant, user = turns(HI, Message.assistant(call), Message.tool(result))
    assert assistant["content"][0]["id"] == "functions_look_0"
    assert assistant["content"][0]["input"] == {}
    assert user["content"][0]["tool_use_id"] == "functions_look_0"


@pytest.mark.parametrize("arguments", ['{"at":', "[1]"])
def test_arguments_that_never_came_whole_are_refused(arguments: str) -> None:
    """The API takes an object, not its text."""
    call = ToolCall(id="t1", name="look", arguments=arguments)
    assert "no JSON object" in refused(HI, Message.assistant(call))


def test_a_signed_call_of_another_api_is_refused() -> None:
    """The signature has no place here."""
    call = ToolCall(id="t1", name="look", signature="c2ln")
    assert "another API" in refused(HI, Message.assistant(call))


def test_pictures_come_with_their_bytes_or_by_url() -> None:
    """Between texts, in their order."""
    image = Image(data=b"\x89PNG", media_type="image/png")
    linked = Image(url="https://host.example/cat.png")
    assert turns(Message.user("What is", image, linked))[0]["content"] == [
        {"type": "text", "text": "What is"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
        },
        {"type": "image", "source": {"type": "url", "url": "https://host.example/cat.png"}},
    ]


def test_thinking_goes_back_where_it_stood() -> None:
    """Before the call that it led to."""
    reply = Message.assistant(
        Reasoning("I see.", "c2ln"), Reasoning("", "redacted_thinking:eA=="), "Hm.", CALL
    )
    assert [block["type"] for block in turns(HI, reply)[1]["content"]] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
    ]


@pytest.mark.parametrize("signature", [None, '{"id":"rs_1"}'])
def test_reasoning_of_another_api_is_refused(signature: str | None) -> None:
    """With what to do about it."""
    reply = Message.assistant(Reasoning("I see.", signature), "Hm.")
    assert "messages[1]" in refused(HI, reply)
    assert "without_reasoning()" in refused(HI, reply)


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("user", CALL),
        ("user", RESULT),
        ("user", Reasoning("I see.", "c2ln")),
        ("assistant", Image(url="https://host.example/a")),
        ("assistant", RESULT),
        ("tool", Text("a cat")),
    ],
)
def test_a_part_in_the_wrong_place_is_refused(role: Any, part: Part) -> None:
    """By its name, and not dropped."""
    reason = refused(Message(role, (part,)))
    assert reason.startswith("messages[0]: ")
    assert f"{role} messages" in reason
    assert type(part).__name__ in reason
