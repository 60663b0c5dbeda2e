"""Properties of requests: what is given is sent, what is not is not, and nothing of it shows."""

from __future__ import annotations

import json
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from fuzz.exchanges import PROMPT
from tests.strategies import configs, conversations, few_examples, json_objects, odd_messages
from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError
from tokenwire.exchange import Exchange, State
from tokenwire.messages import Message, Text, ToolCall, ToolResult
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.secret import Secret
from tokenwire.wire import wire_by_kind

_KEY = "key-of-this-test-4711"
_ENDPOINT = Endpoint(base_url="https://host.example/v1", credential=Secret(_KEY))

#: The member of the body for each setting.
_MEMBERS = {
    "model": "model",
    "max_output_tokens": "max_completion_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "response_schema": "response_format",
    "reasoning": "reasoning_effort",
    "n": "n",
    "logprobs": "logprobs",
}


def _request(messages: list[Message], config: ProviderConfig | None = None) -> HTTPRequest:
    return Exchange(wire_by_kind("openai-chat"), _ENDPOINT).send(messages, config)


def _body(request: HTTPRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    return body


@few_examples
@given(conversations, configs)
def test_a_setting_is_sent_where_it_is_set(messages: list[Message], config: ProviderConfig) -> None:
    """Unset means not sent; zero and false are settings, no tools at all are none."""
    body = _body(_request(messages, config))
    for name, member in _MEMBERS.items():
        assert (member in body) == (getattr(config, name) not in (None, ()))
    assert body["stream"] is True


@few_examples
@given(conversations)
def test_everything_said_is_sent_in_order(messages: list[Message]) -> None:
    """The texts, calls and results of the conversation are those of the body."""
    body = _body(_request(messages))
    assert _said_in_body(body) == [part for message in messages for part in _said(message)]


def _said(message: Message) -> list[str]:
    """Return what an assistant or user message says, texts first, as the API sorts it."""
    texts = "".join(part.text for part in message.parts if isinstance(part, Text))
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    results = [part.text for part in message.parts if isinstance(part, ToolResult)]
    return [*([texts] if message.role != "tool" else results), *(call.name for call in calls)]


def _said_in_body(body: dict[str, Any]) -> list[str]:
    said: list[str] = []
    for message in body["messages"]:
        content: str | list[dict[str, str]] = message["content"] or ""
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        said += [content, *(call["function"]["name"] for call in message.get("tool_calls", ()))]
    return said


@few_examples
@given(st.lists(odd_messages, max_size=3), configs, json_objects)
def test_what_cannot_be_sent_is_refused_and_nothing_moves(
    messages: list[Message], config: ProviderConfig, extra: dict[str, Any]
) -> None:
    """A part that the API cannot carry raises `LocalProtocolError`; it is never left out."""
    exchange = Exchange(wire_by_kind("openai-chat"), _ENDPOINT)
    messages = [*messages, Message.user(PROMPT)]
    refusal, request = None, None
    try:
        request = exchange.send(messages, attrs.evolve(config, extra=extra))
    except LocalProtocolError as error:
        refusal = error
    if request is not None:
        assert exchange.state is State.SENT
        assert len(_body(request)["messages"]) >= len(messages)
        assert extra.items() <= _body(request).items()
    else:
        assert exchange.state is State.IDLE
        assert PROMPT not in str(refusal)


@few_examples
@given(conversations, configs)
def test_neither_key_nor_prompt_shows(messages: list[Message], config: ProviderConfig) -> None:
    """Requests, messages and settings can be printed."""
    secret = [PROMPT, {"role": PROMPT}]
    config = attrs.evolve(config, extra={"x": secret}, response_schema={"a": secret}, stop=PROMPT)
    messages = [*messages, Message.user(PROMPT), Message.tool(ToolResult(call_id="a", text=PROMPT))]
    request = _request(messages, config)
    assert any(_KEY in value for _, value in request.headers)
    assert PROMPT.encode() in request.body
    for thing in (request, messages, config, _ENDPOINT):
        assert _KEY not in repr(thing)
        assert PROMPT not in repr(thing)
