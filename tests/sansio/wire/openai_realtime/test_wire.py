"""The wire format's own facts, and what an exchange makes of recorded messages."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from tests.sansio.wire.openai_realtime.conversations import (
    OUT_OF_BAND,
    created,
    delta,
    done,
    event,
    failure,
)
from tests.sansio.wire.socket_peers import CONFIG, HELLO
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import (
    LocalProtocolError,
    OtherError,
    RateLimitError,
)
from tokenwire.exchange import Events, Exchange, State
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, ReasoningOptions, Tool
from tokenwire.tokens import End, FinishReason, TextDelta, ToolCallDelta, Usage
from tokenwire.wire.openai_realtime import OpenAIRealtime

WIRE = OpenAIRealtime()
LIMITS = Limits()
TOOL = Tool(name="get_weather")


def asked_exchange(limits: Limits = LIMITS) -> Exchange:
    """Return an exchange whose request is out."""
    exchange = Exchange(WIRE, Endpoint(base_url="https://host.example/v1", limits=limits))
    exchange.send(HELLO, CONFIG)
    exchange.receive_head(200, ())
    return exchange


def read(*messages: str) -> Events:
    """Read an answer as a recording has it, one message a line."""
    return asked_exchange().receive_data("".join(f"{each}\n" for each in messages).encode())


def encoded(
    messages: tuple[Message, ...] = HELLO, quirks: dict[str, Any] | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """Return the events that ask for an answer."""
    body = WIRE.encode(messages, ProviderConfig(**settings), quirks or {}).body
    return [json.loads(line) for line in body.split(b"\n")]


def items(*messages: Message) -> list[dict[str, Any]]:
    """Return the items that messages become."""
    *creating, _ = encoded(messages)
    return [each["item"] for each in creating]


def test_the_model_is_part_of_the_address() -> None:
    """A connection is one to a model."""
    exchange = Exchange(WIRE, Endpoint(base_url="https://host.example/v1"))
    assert exchange.send(HELLO, CONFIG).url == "https://host.example/v1/realtime?model=some-model"
    assert WIRE.encode(HELLO, ProviderConfig(), {}).query == {}


def test_every_quirk_is_described() -> None:
    """And checked."""
    assert set(WIRE.quirks) == {"out_of_band", "rotate_after"}
    WIRE.check_quirks({"out_of_band": True, "rotate_after": 60})
    assert WIRE.answers_at_once({}) == 1
    assert WIRE.answers_at_once(OUT_OF_BAND) == 16
    with pytest.raises(ValueError, match="did you mean 'out_of_band'"):
        WIRE.check_quirks({"out_of_bands": True})


# Requests


def test_every_setting_that_the_api_has_is_sent() -> None:
    """In the request for the response."""
    asking = encoded(
        max_output_tokens=5,
        tools=[TOOL, Tool(name="other", description="D", parameters={"type": "object"})],
        tool_choice=ForcedTool("other"),
        reasoning="low",
        extra={"parallel_tool_calls": False},
    )[-1]
    empty: dict[str, Any] = {"type": "object", "properties": {}}
    assert asking == {
        "type": "response.create",
        "response": {
            "output_modalities": ["text"],
            "max_output_tokens": 5,
            "tools": [
                {"type": "function", "name": "get_weather", "parameters": empty},
                {
                    "type": "function",
                    "name": "other",
                    "description": "D",
                    "parameters": {"type": "object"},
                },
            ],
            "tool_choice": {"type": "function", "name": "other"},
            "reasoning": {"effort": "low"},
            "parallel_tool_calls": False,
        },
    }
    assert (
        encoded(tools=[TOOL], tool_choice="required")[-1]["response"]["tool_choice"] == "required"
    )
    assert "reasoning" not in encoded(reasoning=ReasoningOptions())[-1]["response"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("temperature", {"temperature": 1.0}),
        ("top_p", {"top_p": 0.5}),
        ("stop", {"stop": "x"}),
        ("seed", {"seed": 1}),
        ("n", {"n": 1}),
        ("response_schema", {"response_schema": {"type": "object"}}),
        ("logprobs", {"logprobs": 1}),
        ("reasoning.max_tokens", {"reasoning": ReasoningOptions(max_tokens=5)}),
        ("strict of tool 'f'", {"tools": [Tool(name="f", strict=True)]}),
        ("extra['conversation']", {"extra": {"conversation": "none"}}),
        ("extra['input']", {"extra": {"input": []}}),
        ("extra['output_modalities']", {"extra": {"output_modalities": ["audio"]}}),
    ],
)
def test_a_setting_that_the_api_lacks_is_refused(name: str, settings: dict[str, Any]) -> None:
    """The error names it."""
    with pytest.raises(LocalProtocolError) as caught:
        encoded(**settings)
    assert str(caught.value).startswith(name)


def test_the_systems_first_message_is_the_instructions() -> None:
    """They replace the server's own, which are those of a voice; a later one is an item."""
    later, asking = encoded((Message.system("A"), Message.system("B")))
    assert asking["response"]["instructions"] == "A"
    content = [{"type": "input_text", "text": "B"}]
    assert later["item"] == {"type": "message", "role": "system", "content": content}


def test_a_conversation_becomes_items() -> None:
    """In the order of its parts."""
    user = Message.user(Text("Look"), Image(data=b"\x00", media_type="image/png", detail="low"))
    assistant = Message.assistant(Text("Hm"), ToolCall(id="c1", name="f", arguments=""))
    found = items(user, assistant, Message.tool(ToolResult(call_id="c1", text="21")))
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    assert found == [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Look"}, picture],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hm"}],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "21"},
    ]


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (Message.user(Image(url="https://host.example/x.png")), "not by URL"),
        (Message.assistant(Reasoning("Hm."), Text("Hi.")), "without_reasoning"),
        (Message.assistant(ToolCall(id="c", name="f", arguments="{}", signature="s")), "signature"),
    ],
)
def test_what_the_api_cannot_carry_is_refused(message: Message, named: str) -> None:
    """The error says what to do."""
    with pytest.raises(LocalProtocolError, match=named) as caught:
        encoded((message,))
    assert str(caught.value).startswith("messages[0]")


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("user", ToolResult(call_id="c", text="x")),
        ("assistant", Image(data=b"x", media_type="image/png")),
        ("tool", Text("x")),
    ],
)
def test_a_part_that_its_role_cannot_have_is_refused(role: Any, part: Part) -> None:
    """Whoever made such a message."""
    message = attrs.evolve(Message.user("x"))
    object.__setattr__(message, "role", role)
    object.__setattr__(message, "parts", (part,))
    with pytest.raises(LocalProtocolError, match=type(part).__name__):
        encoded((message,))


def test_an_empty_conversation_is_refused() -> None:
    """There is nothing to answer."""
    with pytest.raises(LocalProtocolError, match="no message"):
        encoded(())


# Answers


def test_a_tool_call_comes_in_pieces() -> None:
    """As in the Responses API."""
    call = {"id": "i1", "type": "function_call", "call_id": "c1", "name": "f"}
    of_item = {"response_id": "r1", "item_id": "i1", "output_index": 0}
    tokens = read(
        created("r1"),
        event("response.output_item.added", response_id="r1", output_index=0, item=call),
        event("response.function_call_arguments.delta", **of_item, delta='{"a":'),
        event("response.function_call_arguments.delta", **of_item, delta="1}"),
        event("response.function_call_arguments.done", **of_item, arguments='{"a":1}'),
        done("r1", output=[{**call, "arguments": '{"a":1}'}]),
    )
    assert tokens[:3] == [
        ToolCallDelta(0, "c1", "f"),
        ToolCallDelta(0, arguments='{"a":'),
        ToolCallDelta(0, arguments="1}"),
    ]
    end = tokens[3]
    assert isinstance(end, End)
    assert (end.finish, end.raw_finish) == ("tool_calls", "completed")


@pytest.mark.parametrize(
    ("status", "reason", "finish"),
    [
        ("completed", None, "stop"),
        ("incomplete", "max_output_tokens", "length"),
        ("incomplete", "content_filter", "content_filter"),
        ("cancelled", "client_cancelled", "other"),
        ("cancelled", "turn_detected", "other"),
    ],
)
def test_each_status_is_a_reason_to_finish(
    status: str, reason: str | None, finish: FinishReason
) -> None:
    """In the shared words, with the server's beside them."""
    details = {"type": status, "reason": reason}
    _, end = read(created("r1"), delta("r1", "Hi"), done("r1", status, status_details=details))
    assert isinstance(end, End)
    assert (end.finish, end.raw_finish) == (finish, reason or status)
    assert end.usage is None


def test_a_failed_response_is_an_error() -> None:
    """With the code of the API."""
    error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Slow."}
    details = {"type": "failed", "error": error}
    (failed,) = read(created("r1"), done("r1", "failed", status_details=details))
    assert isinstance(failed, RateLimitError)
    assert failed.message == "Slow."
    (failed,) = read(created("r1"), done("r1", "failed"))
    assert isinstance(failed, OtherError)


def test_an_error_in_place_of_an_answer_is_one() -> None:
    """Whatever it is about."""
    (error,) = read(failure("model_not_found"))
    assert isinstance(error, OtherError)
    assert error.kind == "not_found"


def test_usage_is_counted_in_the_apis_own_words() -> None:
    """They differ from those of the Responses API by a letter."""
    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_token_details": {"cached_tokens": 4, "text_tokens": 10},
        "output_token_details": {"reasoning_tokens": 2},
    }
    end = read(created("r1"), delta("r1", "Hi"), done("r1", usage=usage))[-1]
    assert isinstance(end, End)
    assert end.usage == Usage(
        input_tokens=10, output_tokens=5, total_tokens=15, cached_tokens=4, reasoning_tokens=2
    )


def test_older_servers_call_texts_otherwise() -> None:
    """Half characters, and what only looks like such an event, come through."""
    old = [
        event("response.text.delta", response_id="r1", delta=half) for half in ("\ud83d", "\ude00")
    ]
    quoting = event("response.output_text.delta", response_id="r1", delta='"response.text."')
    tokens = read(created("r1"), *old, quoting, done("r1"))
    assert tokens[:2] == [TextDelta("😀"), TextDelta('"response.text."')]


def test_recorded_messages_are_read_like_a_body() -> None:
    """One a line, in whatever pieces they come, up to an event's length."""
    exchange = asked_exchange(Limits(line_bytes=10, event_bytes=500))
    body = f"{created('r1')}\n{delta('r1', 'Hi')}\n{done('r1')}\n".encode()
    events = [event for byte in body for event in exchange.receive_data(bytes([byte]))]
    assert events[0] == TextDelta("Hi")
    assert isinstance(events[1], End)
    assert exchange.state is State.DONE
