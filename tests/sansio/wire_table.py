"""The table of what each wire format carries, for the documentation: found by trying it.

Write it anew with ``python -m tests.sansio.wire_table``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from tokenwire.completion import Completion, CompletionBuilder
from tokenwire.endpoint import Limits
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, ToolCall, ToolResult
from tokenwire.provider_config import (
    ForcedTool,
    ProviderConfig,
    ReasoningOptions,
    ResponseSchema,
    Tool,
)
from tokenwire.tokens import End, Token, ToolCallDelta, Usage
from tokenwire.wire import WIRE_KINDS, wire_by_kind
from tokenwire.wire.base import EncodedRequest
from tokenwire.wire.gemini.signatures import Signature

PATH: Final = Path(__file__).parents[2] / "docs" / "wires.md"

_INTRODUCTION: Final = """\
# What each wire format carries

"yes" is sent as the API has it. "error" raises `LocalProtocolError` before anything is sent, and
the message says what to do instead. A word in `code` is the quirk that it takes, of
`Endpoint.quirks`. "as text" is a fact that only the text then tells. "no" is what the API never
sends.

What an API carries is not what every model and server behind it takes: that they say themselves,
with an `OtherError` of the kind `rejected`.

This page is written by the suite, which tries each (`python -m tests.sansio.wire_table`).
"""


@attrs.frozen
class Feature:
    """Something that a request may hold.

    Attributes:
        title: What the table calls it.
        messages: A conversation with it, for a wire format of this name.
        config: Settings with it.
        without: The same conversation without it, from which its body has to differ.
        config_without: The same settings without it.
        unsent: What to say where its body does not differ.
    """

    title: str
    messages: Callable[[str], Sequence[Message]]
    config: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    without: Callable[[str], Sequence[Message]] | None = None
    config_without: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    unsent: str = "not sent"


_USER: Final = Message.user("Hi")
_CALL: Final = ToolCall(id="call_1", name="weather", arguments='{"city":"Oslo"}')
_TOOL: Final = Tool(name="weather", parameters={"type": "object", "properties": {}})
_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_PICTURE: Final = Image(data=b"png", media_type="image/png")

#: Signatures as each wire format hands them out, of reasoning and of tool calls.
_REASONING_SIGNATURES: Final[Mapping[str, str]] = {
    "openai-chat": '[{"type":"reasoning.text","text":"Hm","signature":"c2ln","index":0}]',
    "azure-chat": '[{"type":"reasoning.text","text":"Hm","signature":"c2ln","index":0}]',
    "openai-responses": '{"type":"reasoning","id":"rs_1","encrypted_content":"c2ln","summary":[]}',
    "anthropic": "c2ln",
    "gemini": Signature("c2ln", 2, of_thought=True).pack(),
}
_CALL_SIGNATURES: Final[Mapping[str, str]] = {
    "openai-chat": '{"google":{"thought_signature":"c2ln"}}',
    "azure-chat": '{"google":{"thought_signature":"c2ln"}}',
    "gemini": Signature("c2ln").pack(),
}
_FOREIGN: Final = "signature of nobody"


def _always(*messages: Message) -> Callable[[str], Sequence[Message]]:
    return lambda _: messages


def _said(*parts: str | Part) -> Callable[[str], Sequence[Message]]:
    return _always(_USER, Message.assistant(*parts), _USER)


def _reasoned(kind: str) -> Sequence[Message]:
    reasoning = Reasoning("Hm", _REASONING_SIGNATURES.get(kind, _FOREIGN))
    return (_USER, Message.assistant(reasoning, "Hello"), _USER)


def _called(call: ToolCall = _CALL, *, is_error: bool = False) -> Sequence[Message]:
    result = ToolResult(call_id=call.id, text="sun", name="weather", is_error=is_error)
    return (_USER, Message.assistant(call), Message.tool(result))


def _called_with_signature(kind: str) -> Sequence[Message]:
    return _called(attrs.evolve(_CALL, signature=_CALL_SIGNATURES.get(kind, _FOREIGN)))


_PLAIN: Final = _always(_USER)
_SYSTEM: Final = Message.system("Be brief.")

MESSAGES: Final = (
    Feature("system message", _always(_SYSTEM, _USER)),
    Feature("system message in mid-conversation", _always(_USER, _SYSTEM, _USER)),
    Feature("picture, as bytes", _always(Message.user(_PICTURE))),
    Feature("picture, by URL", _always(Message.user(Image(url="https://host.example/a.png")))),
    Feature(
        "picture's `detail`",
        _always(Message.user(attrs.evolve(_PICTURE, detail="low"))),
        without=_always(Message.user(_PICTURE)),
    ),
    Feature("reasoning, sent back", _said(Reasoning("Hm"), "Hello"), without=_said("Hello")),
    Feature("reasoning with its signature, sent back", _reasoned, without=_said("Hello")),
    Feature("tool call and its result", _always(*_called())),
    Feature("tool call with its signature", _called_with_signature, without=_always(*_called())),
    Feature(
        "failed tool",
        _always(*_called(is_error=True)),
        without=_always(*_called()),
        unsent="as text",
    ),
)

_TOOLS: Final[Mapping[str, Any]] = {"tools": [_TOOL]}


def _setting(title: str, *, unsent: str = "not sent", **config: Any) -> Feature:
    return Feature(f"`{title}`", _PLAIN, config, unsent=unsent)


def _tool_setting(title: str, *, unsent: str = "not sent", **config: Any) -> Feature:
    return Feature(f"`{title}`", _PLAIN, {**_TOOLS, **config}, config_without=_TOOLS, unsent=unsent)


SETTINGS: Final = (
    _setting("max_output_tokens", max_output_tokens=10),
    _setting("temperature", temperature=0.5),
    _setting("top_p", top_p=0.5),
    _setting("stop", stop=["END"]),
    _setting("seed", seed=7),
    _setting("tools", **_TOOLS),
    _tool_setting("Tool.strict", tools=[attrs.evolve(_TOOL, strict=True)]),
    # What every API does anyway need not be said.
    _tool_setting('tool_choice = "auto"', tool_choice="auto", unsent="yes"),
    _tool_setting('tool_choice = "none"', tool_choice="none"),
    _tool_setting('tool_choice = "required"', tool_choice="required"),
    _tool_setting("tool_choice = ForcedTool", tool_choice=ForcedTool("weather")),
    _setting("response_schema", response_schema=_SCHEMA),
    Feature(
        "`ResponseSchema.strict`",
        _PLAIN,
        {"response_schema": ResponseSchema(schema=_SCHEMA, strict=True)},
        config_without={"response_schema": _SCHEMA},
        unsent="always strict",
    ),
    _setting("reasoning.effort", reasoning="low"),
    _setting("reasoning.max_tokens", reasoning=ReasoningOptions(max_tokens=2000)),
    _setting("n", n=2),
    _setting("logprobs", logprobs=1),
    _setting("extra", extra={"some_member": 1}),
)

#: Quirks that let a wire format carry what its reference does not.
_QUIRKS: Final[Mapping[str, tuple[str, str]]] = {
    "openai-chat": ("reasoning_field", "reasoning_content"),
    "azure-chat": ("reasoning_field", "reasoning_content"),
    "anthropic": ("version", "2023-06-01"),
}


def support(kind: str, feature: Feature) -> str:
    """Return what becomes of a feature in a wire format."""
    try:
        request = _encode(kind, feature.messages(kind), feature.config)
    except LocalProtocolError:
        return _support_with_quirk(kind, feature)
    without = _encode(kind, (feature.without or _PLAIN)(kind), feature.config_without)
    return "yes" if request.body != without.body else feature.unsent


def _support_with_quirk(kind: str, feature: Feature) -> str:
    quirk, value = _QUIRKS.get(kind, ("", ""))
    if not quirk:
        return "error"
    try:
        _encode(kind, feature.messages(kind), feature.config, {quirk: value})
    except LocalProtocolError:
        return "error"
    return f"`{quirk}`"


def _encode(
    kind: str,
    messages: Sequence[Message],
    config: Mapping[str, Any],
    quirks: Mapping[str, Any] | None = None,
) -> EncodedRequest:
    # What one API requires is given to all.
    defaults = ProviderConfig(model="m", max_output_tokens=4000)
    settings = ProviderConfig(**config).merged_over(defaults)
    return wire_by_kind(kind).encode(messages, settings, quirks or {})


# Answers

_CHAT_ANSWER: Final = """\
data: {"id":"r1","model":"m","choices":[{"index":0,"delta":{"reasoning":"Hm","reasoning_details":\
[{"type":"reasoning.text","text":"Hm","signature":"c2ln","index":0}]}}]}

data: {"choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":\
[{"token":"Hi","logprob":-0.5,"bytes":null,"top_logprobs":[]}]}},\
{"index":1,"delta":{"content":"Ho"}}]}

data: {"choices":[{"index":0,"delta":{"refusal":"No"}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function",\
"extra_content":{"google":{"thought_signature":"c2ln"}},"function":{"name":"f","arguments":"{\\"a\\""}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"},\
{"index":1,"delta":{},"finish_reason":"stop"}]}

data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9,\
"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":1},\
"completion_tokens_details":{"reasoning_tokens":1}}}

data: [DONE]

"""

_RESPONSES_EVENTS: Final[Sequence[Mapping[str, Any]]] = (
    {"type": "response.created", "response": {"id": "r1", "model": "m"}},
    {
        "type": "response.reasoning_summary_text.delta",
        "output_index": 0,
        "summary_index": 0,
        "delta": "Hm",
    },
    {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm"}],
            "encrypted_content": "c2ln",
        },
    },
    {
        "type": "response.output_text.delta",
        "output_index": 1,
        "content_index": 0,
        "delta": "Hi",
        "logprobs": [{"token": "Hi", "logprob": -0.5, "top_logprobs": []}],
    },
    {"type": "response.refusal.delta", "output_index": 1, "content_index": 1, "delta": "No"},
    {
        "type": "response.output_item.added",
        "output_index": 2,
        "item": {
            "type": "function_call",
            "id": "fc",
            "call_id": "c",
            "name": "f",
            "arguments": "",
        },
    },
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"a"'},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ":1}"},
    {
        "type": "response.completed",
        "response": {
            "id": "r1",
            "model": "m",
            "status": "completed",
            "usage": {
                "input_tokens": 5,
                "output_tokens": 4,
                "total_tokens": 9,
                "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1},
                "output_tokens_details": {"reasoning_tokens": 1},
            },
        },
    },
)

_ANTHROPIC_EVENTS: Final[Sequence[Mapping[str, Any]]] = (
    {
        "type": "message_start",
        "message": {
            "id": "r1",
            "model": "m",
            "usage": {
                "input_tokens": 3,
                "cache_read_input_tokens": 1,
                "cache_creation_input_tokens": 1,
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Hm"},
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "signature_delta", "signature": "c2ln"},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"a"'},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": ":1}"},
    },
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_details": {"explanation": "No"}},
        "usage": {"output_tokens": 4, "output_tokens_details": {"thinking_tokens": 1}},
    },
    {"type": "message_stop"},
)

_OLLAMA_ANSWER: Final = """\
{"model":"m","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}
{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false,\
"logprobs":[{"token":"Hi","logprob":-0.5}]}
{"model":"m","message":{"role":"assistant","content":"","tool_calls":\
[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}
{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",\
"prompt_eval_count":5,"eval_count":4,"eval_duration":1000000}
"""

_GEMINI_ANSWER: Final = """\
data: {"responseId":"r1","modelVersion":"m","candidates":[{"index":0,"content":{"parts":\
[{"text":"Hm","thought":true,"thoughtSignature":"c2ln"}]}}]}

data: {"candidates":[{"index":0,"content":{"parts":[{"text":"Hi"}]}},\
{"index":1,"content":{"parts":[{"text":"Ho"}]},"finishReason":"STOP"}]}

data: {"candidates":[{"index":0,"content":{"parts":[{"functionCall":{"name":"f",\
"partialArgs":[{"jsonPath":"$.a","numberValue":1}],"willContinue":true},\
"thoughtSignature":"c2ln"}]}}]}

data: {"candidates":[{"index":0,"content":{"parts":[{"functionCall":{\
"partialArgs":[{"jsonPath":"$.b","numberValue":2}],"willContinue":true}}]}}]}

data: {"candidates":[{"index":0,"content":{"parts":[{"functionCall":{}}]},\
"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,\
"totalTokenCount":9,"cachedContentTokenCount":1,"thoughtsTokenCount":1}}

"""


def _stream(events: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


#: An answer of each API that holds all that it can.
ANSWERS: Final[Mapping[str, str]] = {
    "openai-chat": _CHAT_ANSWER,
    "openai-responses": _stream(_RESPONSES_EVENTS),
    "azure-chat": _CHAT_ANSWER,
    "anthropic": _stream(_ANTHROPIC_EVENTS),
    "ollama": _OLLAMA_ANSWER,
    "gemini": _GEMINI_ANSWER,
}


def decoded(kind: str) -> tuple[Sequence[Token], Completion]:
    """Read the wire format's answer."""
    answer = wire_by_kind(kind).answer(Limits(), {})
    tokens: list[Token] = []
    answer.receive_data(ANSWERS[kind].encode(), tokens)
    if not any(isinstance(token, End) for token in tokens):
        answer.receive_eof(tokens)
    builder = CompletionBuilder()
    builder.extend(tokens)
    return tokens, builder.completion()


_Found: TypeAlias = Callable[[Sequence[Token], Completion], bool]


def _counts(name: str) -> _Found:
    """Look for one of the counts."""
    return lambda _, whole: whole.usage is not None and getattr(whole.usage, name) is not None


ANSWER_FEATURES: Final[Mapping[str, _Found]] = {
    "text": lambda _, whole: whole.text == "Hi",
    "reasoning": lambda _, whole: whole.reasoning == "Hm",
    "signature of reasoning": lambda _, whole: any(
        isinstance(part, Reasoning) and part.signature for part in whole.first.parts
    ),
    "refusal": lambda _, whole: whole.refusal == "No",
    "tool calls": lambda _, whole: (
        [(call.name, json.loads(call.arguments)["a"]) for call in whole.tool_calls] == [("f", 1)]
    ),
    "arguments as the model writes them": lambda tokens, _: (
        sum(isinstance(token, ToolCallDelta) and bool(token.arguments) for token in tokens) > 1
    ),
    "signature of a tool call": lambda _, whole: any(call.signature for call in whole.tool_calls),
    "several answers (`n`)": lambda _, whole: len(whole.choices) == 2,
    "log probabilities": lambda _, whole: bool(whole.first.logprobs),
    "id of the response": lambda _, whole: whole.end is not None and whole.end.response_id == "r1",
    "model": lambda _, whole: whole.end is not None and whole.end.model == "m",
    "durations": lambda _, whole: whole.end is not None and whole.end.durations is not None,
    **{f"`Usage.{name}`": _counts(name) for name in Usage.__struct_fields__},
}


# The page


def page() -> str:
    """Return the page."""
    return "\n".join((_INTRODUCTION, *_tables()))


def _tables() -> Iterator[str]:
    for title, features in (("Messages", MESSAGES), ("Settings", SETTINGS)):
        yield from _head(title)
        for feature in features:
            yield _row(feature.title, (support(kind, feature) for kind in WIRE_KINDS))
        yield ""
    yield from _head("Answers")
    answers = [decoded(kind) for kind in WIRE_KINDS]
    for title, is_found in ANSWER_FEATURES.items():
        yield _row(title, ("yes" if is_found(*answer) else "no" for answer in answers))
    yield ""


def _head(title: str) -> Iterator[str]:
    yield f"## {title}\n"
    yield _row("", (f"`{kind}`" for kind in WIRE_KINDS))
    yield _row("---", ("---" for _ in WIRE_KINDS))


def _row(title: str, cells: Iterator[str]) -> str:
    return f"| {' | '.join((title, *cells))} |"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
