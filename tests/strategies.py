"""Hypothesis strategies: texts, damage, chunkings, heads of responses, conversations, settings.

Answers, with every oddity that servers show, are in `tests.answer_streams`.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fuzz.exchanges import split_at
from tests.split_points import EXHAUSTIVE
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import (
    ForcedTool,
    ProviderConfig,
    ReasoningOptions,
    ResponseSchema,
    Tool,
)

#: For properties of whole answers: to make one up takes a hundred times longer than to read it.
few_examples = settings(max_examples=3_000 if EXHAUSTIVE else 35)

#: The same, where a test runs for each wire format.
few_examples_each = settings(max_examples=1_000 if EXHAUSTIVE else 12)

# Chunkings


def chunkings(data: bytes, max_cuts: int = 12) -> SearchStrategy[list[bytes]]:
    """Cut `data` into pieces in any way, empty ones among them."""
    positions = st.integers(0, len(data))
    return st.lists(positions, max_size=max_cuts).map(lambda cuts: split_at(data, sorted(cuts)))


# Text

#: Characters that break what handles text badly, besides all others.
_HARD_CHARACTERS = '\n\r\0"\\\u2028\u0085\ufeff\x0b😀é{}[]:'
texts = st.text(st.characters(codec="utf-8") | st.sampled_from(_HARD_CHARACTERS), max_size=8)
some_text = texts.filter(bool)
names = st.text("abcdefghijklmnopqrstuvwxyz_-0123456789", min_size=1, max_size=8)


# Mutations

#: What turns one valid stream into another, or into none.
_WORDS = (
    b"\n", b"\r", b"\n\n", b"data: ", b"data: [DONE]\n\n", b"event: error\n", b"error: x\n", b":",
    b'"', b"\\", b"\\ud83d", b"{", b"}", b"[", b"]", b",", b"null", b"NaN", b"-1", b"1e999", b"\0",
    b"\xff", b"\xef\xbb\xbf", b'"error":{"message":"m"},', b'"finish_reason":"stop",', b"[" * 200,
    b'"type":"message_stop",', b'"done":true,', b'"finishReason":"STOP",',
    b"event: response.completed\n",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, bodies: SearchStrategy[bytes]) -> bytes:
    """Damage a body in a few places: cut out, doubled, overwritten, moved, words put in."""
    body = draw(bodies)
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        piece = body[start:end]
        replacement = draw(
            st.sampled_from((b"", piece + piece, piece[::-1], *_WORDS)) | st.binary(max_size=4)
        )
        body = body[:start] + replacement + body[end:]
    return body


# Responses

_HEADER_NAMES = (
    "content-type",
    "retry-after",
    "retry-after-ms",
    "date",
    "x-request-id",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "location",
)
_HEADER_VALUES = (
    "text/event-stream",
    "3",
    "-1",
    "NaN",
    "1e400",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:07 GMT",
    "6m0s",
    "true",
    "٣",
    "/elsewhere",
)
headers = st.lists(
    st.tuples(
        st.sampled_from(_HEADER_NAMES),
        st.sampled_from(_HEADER_VALUES) | st.text(st.characters(codec="latin-1"), max_size=10),
    ),
    max_size=5,
).map(tuple)
statuses = st.sampled_from((200, 201, 204, 302, 400, 401, 402, 403, 404, 408, 409, 422)) | (
    st.sampled_from((429, 500, 502, 503, 504, 529)) | st.integers(200, 599)
)

# Conversations and settings

_json_values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
json_objects = st.dictionaries(names, _json_values, max_size=3)

_text_parts = st.builds(Text, some_text)
_images = st.builds(
    Image, url=st.just("https://host.example/cat.png"), detail=st.sampled_from((None, "low"))
) | st.builds(Image, data=st.binary(max_size=8), media_type=st.just("image/png"))
_tool_calls = st.builds(
    ToolCall, id=names, name=names, arguments=json_objects.map(json.dumps) | st.just("")
)
_tool_results = st.builds(ToolResult, call_id=names, text=texts, name=st.none() | names)


def _message(
    role: Literal["system", "user", "assistant", "tool"], parts: SearchStrategy[Part]
) -> SearchStrategy[Message]:
    return st.builds(Message, st.just(role), st.lists(parts, min_size=1, max_size=3))


#: Messages that every wire format can carry.
messages: SearchStrategy[Message] = (
    _message("system", _text_parts)
    | _message("user", _text_parts | _images)
    | _message("assistant", _text_parts | _tool_calls)
    | _message("tool", _tool_results)
)
conversations = st.lists(messages, min_size=1, max_size=4)

#: Any parts under any role: what a wire format can't carry, it must refuse.
odd_messages: SearchStrategy[Message] = st.builds(
    Message,
    st.sampled_from(("system", "user", "assistant", "tool")),
    st.lists(
        _text_parts | _images | _tool_calls | _tool_results | st.builds(Reasoning, texts),
        min_size=1,
        max_size=3,
    ),
)

_tools = st.builds(
    Tool,
    name=names,
    description=st.none() | some_text,
    parameters=json_objects,
    strict=st.none() | st.booleans(),
)


def _with_a_tool_to_choose(config: ProviderConfig) -> ProviderConfig:
    """Leave the choice of tools out where there are none; a certain tool is one that there is."""
    if not config.tools:
        return attrs.evolve(config, tool_choice=None)
    if isinstance(config.tool_choice, ForcedTool):
        return attrs.evolve(config, tool_choice=ForcedTool(config.tools[0].name))
    return config


configs = st.builds(
    ProviderConfig,
    model=st.none() | names,
    max_output_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0.01, 1),
    stop=st.none() | st.lists(some_text, min_size=1, max_size=2),
    seed=st.none() | st.integers(0, 2**31),
    tools=st.none() | st.lists(_tools, max_size=2),
    tool_choice=st.none() | st.sampled_from(("auto", "none", "required", ForcedTool("f"))),
    response_schema=st.none() | st.builds(ResponseSchema, schema=json_objects, name=names),
    reasoning=st.none() | st.builds(ReasoningOptions, effort=st.sampled_from(("low", "none"))),
    n=st.none() | st.integers(1, 4),
    logprobs=st.none() | st.integers(0, 5),
).map(_with_a_tool_to_choose)
