"""The JSON of a request, against the shape that the API documents."""

import json
from typing import Any

import pytest

from tests.sansio.leaks import everything_in
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Reasoning, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, ReasoningOptions, Tool
from tokenwire.wire.openai_chat import OpenAIChat

PROMPT = "the secret recipe"
USER = Message.user("Hi")


def encode(
    *messages: Message, config: ProviderConfig | None = None, **quirks: Any
) -> dict[str, Any]:
    """Return the body of a request as JSON values."""
    encoded = OpenAIChat().encode(messages or (USER,), config or ProviderConfig(), quirks)
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def message_of(message: Message, **quirks: Any) -> dict[str, Any]:
    """Return the one message that a message becomes."""
    [encoded] = encode(message, **quirks)["messages"]
    return dict(encoded)


def refusal_of(*messages: Message, **settings: Any) -> str:
    """Return why a request is refused, having checked that the error does not quote it."""
    with pytest.raises(LocalProtocolError) as caught:
        encode(*messages, **settings)
    assert PROMPT not in everything_in(caught.value)
    return str(caught.value)


def test_where_a_request_goes() -> None:
    """Under the base URL, as JSON, for an event stream."""
    encoded = OpenAIChat().encode([USER], ProviderConfig(), {})
    assert OpenAIChat().path(ProviderConfig(), {}) == "/chat/completions"
    assert encoded.accept == "text/event-stream"
    assert (dict(encoded.headers), dict(encoded.query)) == ({}, {})


def test_nothing_is_sent_that_was_not_set() -> None:
    """Messages and the wish for a stream are all that a request needs."""
    assert encode(USER) == {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


def test_a_whole_conversation() -> None:
    """System, user with picture, assistant with call, result, and the question behind it."""
    body = encode(
        Message.system("Be brief."),
        Message.user(
            "What is this?",
            Image(data=b"\x89PNG", media_type="image/png", detail="low"),
            Image(url="https://host.example/cat.png"),
        ),
        Message.assistant(
            "Let me look.", ToolCall(id="call_1", name="zoom", arguments='{"factor":2}')
        ),
        Message.tool(ToolResult(call_id="call_1", text="a cat")),
        Message.user("Sure?"),
        config=ProviderConfig(model="some-model"),
    )
    assert body == {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "low"},
                    },
                    {"type": "image_url", "image_url": {"url": "https://host.example/cat.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "zoom", "arguments": '{"factor":2}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
            {"role": "user", "content": "Sure?"},
        ],
        "stream": True,
    }


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}

SETTINGS: list[tuple[ProviderConfig, dict[str, Any]]] = [
    (ProviderConfig(model="m"), {"model": "m"}),
    (ProviderConfig(max_output_tokens=5), {"max_completion_tokens": 5}),
    (ProviderConfig(temperature=0), {"temperature": 0}),
    (ProviderConfig(temperature=0.5), {"temperature": 0.5}),
    (ProviderConfig(top_p=1), {"top_p": 1}),
    (ProviderConfig(stop="END"), {"stop": ["END"]}),
    (ProviderConfig(stop=["a", "b"]), {"stop": ["a", "b"]}),
    (ProviderConfig(seed=0), {"seed": 0}),
    (ProviderConfig(n=2), {"n": 2}),
    (ProviderConfig(logprobs=0), {"logprobs": True}),
    (ProviderConfig(logprobs=3), {"logprobs": True, "top_logprobs": 3}),
    (ProviderConfig(reasoning="low"), {"reasoning_effort": "low"}),
    (ProviderConfig(reasoning=ReasoningOptions()), {}),
    (
        ProviderConfig(tools=[Tool(name="f")], tool_choice="auto"),
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
    ),
    (
        ProviderConfig(tools=[Tool(name="f")], tool_choice=ForcedTool("f")),
        {
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    ),
    (
        ProviderConfig(tools=[Tool(name="f")]),
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ),
    (
        ProviderConfig(tools=[Tool(name="f", description="d", parameters=SCHEMA, strict=False)]),
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "d",
                        "parameters": SCHEMA,
                        "strict": False,
                    },
                }
            ]
        },
    ),
    (ProviderConfig(tools=[]), {}),
    (
        ProviderConfig(response_schema=SCHEMA),
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA},
            }
        },
    ),
    (
        ProviderConfig(response_schema={"schema": {}, "name": "city", "strict": True}),
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": {}, "strict": True},
            }
        },
    ),
    (ProviderConfig(extra={"top_k": 40, "a": None}), {"top_k": 40, "a": None}),
]


@pytest.mark.parametrize(("config", "members"), SETTINGS)
def test_each_setting_has_its_members(config: ProviderConfig, members: dict[str, Any]) -> None:
    """Those and no others."""
    assert encode(USER, config=config) == encode(USER) | members


def test_all_settings_together() -> None:
    """No setting hides another."""
    config = ProviderConfig(
        model="m",
        max_output_tokens=5,
        temperature=0.5,
        top_p=0.9,
        stop=["END"],
        seed=1,
        tools=[Tool(name="f")],
        tool_choice="required",
        response_schema=SCHEMA,
        reasoning="high",
        n=2,
        logprobs=1,
        extra={"user": "u"},
    )
    assert encode(USER, config=config).keys() == {
        "model",
        "messages",
        "stream",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "n",
        "logprobs",
        "top_logprobs",
        "user",
    }


@pytest.mark.parametrize(
    ("quirks", "members"),
    [
        ({"include_usage": False}, {}),
        ({"include_usage": True}, {"stream_options": {"include_usage": True}}),
    ],
)
def test_usage_is_asked_for_where_the_server_knows_that(
    quirks: dict[str, Any], members: dict[str, Any]
) -> None:
    """Some servers refuse a request that asks."""
    assert encode(USER, **quirks) == encode(USER) | members


def test_older_servers_call_the_bound_max_tokens() -> None:
    """It is sent under one of its names."""
    body = encode(USER, config=ProviderConfig(max_output_tokens=5), max_tokens_field="max_tokens")
    assert body == encode(USER) | {"max_tokens": 5}


def test_newer_models_call_the_system_a_developer() -> None:
    """Which role it is belongs to the server."""
    message = message_of(Message.system("Be ", "brief."), system_role="developer")
    assert message == {"role": "developer", "content": "Be brief."}


def test_text_alone_is_a_string() -> None:
    """However many parts it has: every server understands that."""
    assert message_of(Message.user("a", "b")) == {"role": "user", "content": "ab"}


def test_an_assistant_that_said_nothing_sends_an_empty_string() -> None:
    """The API demands content where there are no calls."""
    assert message_of(Message.assistant("")) == {"role": "assistant", "content": ""}


def test_an_assistant_that_only_called_sends_no_content() -> None:
    """Null says that there was no text; missing arguments are an empty object."""
    message = message_of(Message.assistant(ToolCall(id="1", name="f")))
    assert message == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }


def test_calls_stay_in_order() -> None:
    """Text around them is joined."""
    calls = [ToolCall(id=str(number), name="f") for number in range(3)]
    message = message_of(Message.assistant("a", calls[0], "b", calls[1], calls[2]))
    assert message["content"] == "ab"
    assert [call["id"] for call in message["tool_calls"]] == ["0", "1", "2"]


def test_each_tool_result_is_a_message() -> None:
    """The API takes one a message."""
    results = Message.tool(
        ToolResult(call_id="1", text="a", name="f"),
        ToolResult(call_id="2", text="b", is_error=True),
    )
    assert encode(results)["messages"] == [
        {"role": "tool", "tool_call_id": "1", "content": "a"},
        {"role": "tool", "tool_call_id": "2", "content": "b"},
    ]


def test_reasoning_goes_back_under_the_servers_name() -> None:
    """Its parts are joined."""
    message = message_of(
        Message.assistant(Reasoning("h"), "Hi", Reasoning("m")), reasoning_field="reasoning_content"
    )
    assert message == {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}


def test_signed_reasoning_goes_back_as_it_came() -> None:
    """The details of all parts in one array, with or without a member for the text."""
    one, two = '[{"type":"reasoning.text","text":"hm","signature":"s"}]', '[{"data":"x"}]'
    message = Message.assistant(Reasoning("hm", one), "Hi", Reasoning("", two))
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s"}, {"data": "x"}]
    expected = {"role": "assistant", "content": "Hi", "reasoning_details": details}
    assert message_of(message) == expected
    assert message_of(message, reasoning_field="reasoning") == expected | {"reasoning": "hm"}


def test_empty_reasoning_says_nothing() -> None:
    """There is nothing that could be lost."""
    assert message_of(Message.assistant(Reasoning(""), "Hi")) == {
        "role": "assistant",
        "content": "Hi",
    }


def test_the_signature_of_a_call_goes_back_as_it_came() -> None:
    """Gemini refuses the conversation without it."""
    call = ToolCall(id="1", name="f", signature='{"google":{"thought_signature":"s"}}')
    [encoded] = message_of(Message.assistant(call))["tool_calls"]
    assert encoded["extra_content"] == {"google": {"thought_signature": "s"}}


def test_an_empty_conversation_is_refused() -> None:
    """There is nothing to answer."""
    with pytest.raises(LocalProtocolError, match="no message to send: give at least one"):
        OpenAIChat().encode([], ProviderConfig(), {})


IMAGE = Image(url="https://host.example/" + PROMPT)
CALL = ToolCall(id="1", name="f", arguments=PROMPT)
RESULT = ToolResult(call_id="1", text=PROMPT)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (Message.system(PROMPT, IMAGE), "this API's system messages cannot carry Image"),
        (Message.system(CALL), "this API's system messages cannot carry ToolCall"),
        (Message.system(Reasoning(PROMPT)), "this API's system messages cannot carry Reasoning"),
        (Message.user(CALL), "this API's user messages cannot carry ToolCall"),
        (Message.user(PROMPT, RESULT), "this API's user messages cannot carry ToolResult"),
        (Message.user(Reasoning(PROMPT)), "this API's user messages cannot carry Reasoning"),
        (Message.assistant(IMAGE), "this API's assistant messages cannot carry Image"),
        (Message.assistant(RESULT), "this API's assistant messages cannot carry ToolResult"),
        (Message("tool", PROMPT), "this API's tool messages cannot carry Text"),
        (Message("tool", [RESULT, IMAGE]), "this API's tool messages cannot carry Image"),
    ],
)
def test_a_part_where_the_api_has_no_place_is_refused(message: Message, what: str) -> None:
    """Nothing is dropped silently; the error says which message it is."""
    assert refusal_of(USER, message) == f"messages[1]: {what}"


def test_reasoning_is_refused_unless_the_server_wants_it() -> None:
    """The error names both ways out."""
    error = refusal_of(USER, Message.assistant(Reasoning(PROMPT), "Hi"))
    assert error == (
        "messages[1]: this API takes no reasoning back: send message.without_reasoning(), or name"
        " the member that your server wants in the quirk reasoning_field"
    )


@pytest.mark.parametrize("signature", [PROMPT, "{}", "5", '"x"', "[" * 100_000, "\ud83d"])
def test_reasoning_signed_by_another_api_is_refused(signature: str) -> None:
    """It could only be misunderstood."""
    error = refusal_of(Message.assistant(Reasoning("hm", signature)))
    assert error == (
        "messages[0]: the signature of its reasoning comes from another API:"
        " send message.without_reasoning()"
    )


@pytest.mark.parametrize("signature", [PROMPT, "[]", "{}", "5", '{"thoughtSignature":"s"}'])
def test_a_call_signed_by_another_api_is_refused(signature: str) -> None:
    """The error names the call."""
    error = refusal_of(Message.assistant(ToolCall(id="call_1", name="f", signature=signature)))
    assert error.startswith("messages[0]: the signature of tool call 'call_1' comes from")


def test_a_bound_on_reasoning_tokens_is_refused() -> None:
    """This API only knows the effort."""
    config = ProviderConfig(reasoning=ReasoningOptions(effort="low", max_tokens=5))
    assert refusal_of(USER, config=config) == (
        "reasoning.max_tokens: this API counts no reasoning tokens; set reasoning.effort"
    )


@pytest.mark.parametrize("name", ["messages", "stream", "model", "temperature", "stream_options"])
def test_an_extra_member_replaces_nothing(name: str) -> None:
    """Two words on one thing are a mistake."""
    config = ProviderConfig(model="m", temperature=0, extra={name: PROMPT})
    error = refusal_of(USER, config=config, include_usage=True)
    assert error == f"extra[{name!r}] would replace what the settings already say: set only one"


def test_an_extra_member_may_stand_in_for_a_setting() -> None:
    """What is not set is free."""
    config = ProviderConfig(extra={"model": "m", "max_tokens": 5})
    assert encode(USER, config=config) == encode(USER) | {"model": "m", "max_tokens": 5}


@pytest.mark.parametrize(
    ("message", "config"),
    [
        (Message.user(PROMPT + "\ud83d"), ProviderConfig()),
        (USER, ProviderConfig(extra={"x": object()})),
        (USER, ProviderConfig(extra={"x": {5.5: PROMPT, object(): 1}})),
        (USER, ProviderConfig(tools=[Tool(name="f", parameters={"x": print})])),
        (USER, ProviderConfig(response_schema={"x": {PROMPT: object}})),
    ],
)
def test_what_json_cannot_say_is_refused_unseen(message: Message, config: ProviderConfig) -> None:
    """Half characters and objects of other kinds; the encoder's own error would quote them."""
    assert "cannot be written as JSON" in refusal_of(message, config=config)


def test_endless_nesting_is_refused() -> None:
    """A structure that holds itself cannot be written."""
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    assert "cannot be written as JSON" in refusal_of(USER, config=ProviderConfig(extra=loop))


def test_the_wire_format_names_itself() -> None:
    """As configurations call it, and with the usual way to send a key."""
    wire = OpenAIChat()
    assert wire.kind == "openai-chat"
    assert (wire.auth.header, wire.auth.prefix) == ("authorization", "Bearer ")


def test_the_repr_of_an_encoded_request_shows_no_prompt() -> None:
    """Its size is enough."""
    encoded = OpenAIChat().encode([Message.user(PROMPT)], ProviderConfig(), {})
    assert PROMPT not in repr(encoded)
