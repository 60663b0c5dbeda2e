"""Hypothesis strategies: conversations, settings, answers with every oddity, damage, chunkings.

`chat_streams` builds an answer twice: as the bytes that some server would send, and as what must be
read out of them. The model behind it is the list of choices with the pieces that each says, so the
expectation is joined from the pieces and owes nothing to the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, final

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
from tokenwire.tokens import FinishReason

#: For properties of whole answers: to make one up takes a hundred times longer than to read it.
few_examples = settings(max_examples=3_000 if EXHAUSTIVE else 35)

Object: TypeAlias = dict[str, Any]
Kind: TypeAlias = Literal["text", "reasoning", "refusal"]

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


def torn(text: str) -> str:
    """Return `text` as a server has it that counts in UTF-16: as code units, one a character."""
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(int.from_bytes(data[i : i + 2], "little")) for i in range(0, len(data), 2))


def mended(text: str) -> str:
    """Return what is left of text in UTF-16 code units: pairs joined, halves as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@st.composite
def _fragments(draw: st.DrawFn, text: SearchStrategy[str] = texts) -> list[str]:
    """Cut a text into pieces, now and then inside a character of two UTF-16 units."""
    whole = draw(text)
    if draw(st.booleans()):
        whole = torn(whole) + draw(st.sampled_from(["", "", "\ud83d", "\ude00"]))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


# What an answer says


@final
@attrs.frozen
class CallModel:
    """A tool call as a server means it."""

    id: str
    name: str
    arguments: tuple[str, ...]


@final
@attrs.frozen
class ChoiceModel:
    """What one choice says: pieces of each kind in order, then calls, then why it ended."""

    pieces: tuple[tuple[Kind, str], ...]
    calls: tuple[CallModel, ...]
    finish: str

    def joined(self, kind: Kind) -> str:
        """Return the whole text of one kind as a client must read it."""
        return mended("".join(text for of, text in self.pieces if of == kind))


@final
@attrs.frozen
class ChatStream:
    """The bytes of an answer, and what they say.

    Attributes:
        body: The response body, with status 200.
        choices: What each choice says.
        usage: The token counts that must come out, as (input, output, total).
        marker: Where in the body the first terminal marker begins, at the earliest.
    """

    body: bytes
    choices: tuple[ChoiceModel, ...]
    usage: tuple[int | None, int | None, int | None]
    marker: int


_KINDS: Sequence[Kind] = ("text", "text", "reasoning", "refusal")

#: Finish reasons, and what they mean.
FINISHES: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "insufficient_system_resource": "other",
    "STOP": "other",
}


@st.composite
def _calls(draw: st.DrawFn) -> tuple[CallModel, ...]:
    ids = draw(st.lists(names, max_size=3, unique=True))
    return tuple(
        CallModel(f"call-{call_id}", draw(names), tuple(draw(_fragments()))) for call_id in ids
    )


@st.composite
def _choices(draw: st.DrawFn) -> ChoiceModel:
    kinds = draw(st.lists(st.sampled_from(_KINDS), max_size=4))
    pieces: list[tuple[Kind, str]] = [
        (kind, piece) for kind in kinds for piece in draw(_fragments()) if piece
    ]
    return ChoiceModel(tuple(pieces), draw(_calls()), draw(st.sampled_from(sorted(FINISHES))))


# How its chunks say it


def _spelled_reasoning(text: str) -> list[Object]:
    """Return every spelling of a piece of reasoning."""
    return [
        {"reasoning_content": text},
        {"reasoning": text, "content": ""},
        {"reasoning": text, "reasoning_content": text},
        {"content": [{"type": "thinking", "thinking": text}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": text}]},
    ]


def _spelled_text(text: str) -> list[Object]:
    return [
        {"content": text},
        {"role": "assistant", "content": text, "refusal": None, "tool_calls": None},
        {"content": [{"type": "text", "text": text}]},
        {"content": [text[:1], {"type": "text", "text": text[1:]}, {"type": "image_url"}]},
    ]


def _piece_delta(kind: Kind, text: str) -> SearchStrategy[Object]:
    match kind:
        case "text":
            return st.sampled_from(_spelled_text(text))
        case "reasoning":
            return st.sampled_from(_spelled_reasoning(text))
        case "refusal":
            return st.just({"refusal": text})


def _fragment(index: int | None, call_id: str | None, name: str | None, text: str) -> Object:
    fragment: Object = {"type": "function", "function": {"arguments": text}}
    if index is not None:
        fragment["index"] = index
    if call_id is not None:
        fragment["id"] = call_id
    if name is not None:
        fragment["function"]["name"] = name
    return fragment


def _numbered(calls: Sequence[CallModel], first: int) -> list[list[Object]]:
    """Write calls as the reference does: index on each fragment, id and name on the first."""
    return [
        [
            _fragment(first + number, None if i else call.id, None if i else call.name, text)
            for i, text in enumerate(call.arguments)
        ]
        for number, call in enumerate(calls)
    ]


def _repeating(calls: Sequence[CallModel]) -> list[list[Object]]:
    """Write calls with index, id and name on every fragment."""
    return [
        [_fragment(number, call.id, call.name, text) for text in call.arguments]
        for number, call in enumerate(calls)
    ]


def _emptying(calls: Sequence[CallModel]) -> list[list[Object]]:
    """Write calls with an empty id and name on later fragments."""
    return [
        [
            _fragment(number, "" if i else call.id, "" if i else call.name, text)
            for i, text in enumerate(call.arguments)
        ]
        for number, call in enumerate(calls)
    ]


def _unnumbered(calls: Sequence[CallModel], index: int | None) -> list[list[Object]]:
    """Write each call whole, without index or all at the same."""
    return [[_fragment(index, call.id, call.name, "".join(call.arguments))] for call in calls]


def _trailing(calls: Sequence[CallModel]) -> list[list[Object]]:
    """Write calls without index, whose later fragments hold nothing but arguments."""
    return [
        [
            _fragment(None, None if i else call.id, None if i else call.name, text)
            for i, text in enumerate(call.arguments)
        ]
        for call in calls
    ]


_SPELLED_CALLS: tuple[Callable[[Sequence[CallModel]], list[list[Object]]], ...] = (
    lambda calls: _numbered(calls, 0),
    lambda calls: _numbered(calls, 2),
    _repeating,
    _emptying,
    lambda calls: _unnumbered(calls, None),
    lambda calls: _unnumbered(calls, 0),
    _trailing,
)


@st.composite
def _call_deltas(draw: st.DrawFn, calls: Sequence[CallModel]) -> list[Object]:
    """Write the calls of a choice as deltas, one or several fragments in each."""
    fragments = [f for call in draw(st.sampled_from(_SPELLED_CALLS))(calls) for f in call]
    deltas: list[Object] = []
    while fragments:
        # Several fragments without index or id in one delta would belong to several calls.
        whole = all(f.get("id") or "index" in f for f in fragments)
        count = draw(st.integers(1, 3)) if whole else 1
        deltas.append({"tool_calls": fragments[:count]})
        fragments = fragments[count:]
    return deltas


@st.composite
def _choice_entries(draw: st.DrawFn, index: int, choice: ChoiceModel) -> list[Object]:
    """Write a choice as the entries of successive chunks, the last with its finish reason."""
    deltas: list[Any] = [draw(_piece_delta(kind, text)) for kind, text in choice.pieces]
    deltas += draw(_call_deltas(choice.calls))
    position = st.integers(0, len(deltas))
    for silent in draw(st.lists(st.sampled_from(({}, None, {"content": None})), max_size=2)):
        deltas.insert(draw(position), silent)
    entries = [{"index": index, "delta": delta, "finish_reason": None} for delta in deltas]
    if not entries or draw(st.booleans()):
        entries.append({"index": index, "delta": {}})
    entries[-1]["finish_reason"] = choice.finish
    return entries


_SILENT_CHUNKS: tuple[Object, ...] = (
    {"choices": []},
    {"choices": None},
    {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
    {},
    {"error": None, "object": "chat.completion.chunk"},
)


@st.composite
def _chunks(draw: st.DrawFn, choices: Sequence[ChoiceModel]) -> list[Object]:
    """Write an answer as chunks, its choices interleaved."""
    waiting = [draw(_choice_entries(index, choice)) for index, choice in enumerate(choices)]
    # An answer whose choices have all ended is complete: the first entry of each comes first.
    chunks: list[Object] = [{"choices": [entries.pop(0)]} for entries in waiting if entries[1:]]
    while remaining := [entries for entries in waiting if entries]:
        chunks.append({"choices": [draw(st.sampled_from(remaining)).pop(0)]})
    for silent in draw(st.lists(st.sampled_from(_SILENT_CHUNKS), max_size=2)):
        chunks.insert(draw(st.integers(0, len(chunks))), silent)
    head = {"id": "chat-1", "model": "m-1"}
    return [draw(st.sampled_from([chunk, {**head, **chunk}])) for chunk in chunks]


_counts = st.integers(0, 10**6)


@st.composite
def _placed_usage(
    draw: st.DrawFn, chunks: list[Object]
) -> tuple[list[Object], tuple[int | None, int | None, int | None]]:
    """Put token counts in one of the places where servers send them."""
    counts = (draw(_counts), draw(_counts), draw(_counts))
    usage = dict(zip(("prompt_tokens", "completion_tokens", "total_tokens"), counts, strict=True))
    last = chunks[-1]
    match draw(st.sampled_from(("none", "alone", "last", "groq", "choice", "every"))):
        case "alone":
            return [*chunks, {"choices": [], "usage": usage}], counts
        case "last":
            return [*chunks[:-1], {**last, "usage": usage}], counts
        case "groq":
            return [*chunks[:-1], {**last, "x_groq": {"usage": usage}}], counts
        case "choice" if last.get("choices"):
            entry = {**last["choices"][0], "usage": usage}
            return [*chunks[:-1], {**last, "choices": [entry]}], counts
        case "every":
            earlier = [{**chunk, "usage": {"prompt_tokens": 1}} for chunk in chunks]
            return [*earlier, {"choices": [], "usage": usage}], counts
        case _:
            return [{**chunk, "usage": None} for chunk in chunks], (None, None, None)


# How they are framed

line_ends = st.sampled_from((b"\n", b"\r\n", b"\r"))


@st.composite
def framed(draw: st.DrawFn, text: str, *, line_end: bytes | None = None) -> bytes:
    """Write one event of an event stream: the data in one line or several, with other fields."""
    end = line_end or draw(line_ends)
    space = draw(st.sampled_from((b" ", b"")))
    lines = [b"data:" + space + line.encode() for line in text.split("\n")]
    for other in draw(st.lists(st.sampled_from(_OTHER_LINES), max_size=1)):
        lines.insert(draw(st.integers(0, len(lines))), other)
    return b"".join(line + end for line in [*lines, b""])


_OTHER_LINES = (b": keep-alive", b":", b"id: 7", b"retry: 10", b"x-vendor: y", b"event: message")


@st.composite
def _as_json(draw: st.DrawFn, chunk: Object) -> str:
    """Write a chunk as JSON text: compact or over several lines, with escapes or without."""
    indent = draw(st.sampled_from((None, 1)))
    plain = json.dumps(chunk, ensure_ascii=False, indent=indent)
    is_text = plain.encode(errors="replace").decode() == plain  # half a character must be escaped
    return plain if is_text and draw(st.booleans()) else json.dumps(chunk, indent=indent)


@st.composite
def chat_streams(draw: st.DrawFn) -> ChatStream:
    """Build a complete answer with any mixture of the oddities that servers show."""
    choices = tuple(draw(st.lists(_choices(), min_size=1, max_size=3)))
    chunks, usage = draw(_placed_usage(draw(_chunks(choices))))
    line_end = draw(line_ends | st.none())  # None mixes them
    bodies = [draw(framed(draw(_as_json(chunk)), line_end=line_end)) for chunk in chunks]
    finishing = next(i for i in range(len(chunks)) if _is_complete(chunks[: i + 1]))
    if draw(st.booleans()):
        bodies.append(draw(framed("[DONE]", line_end=line_end)))
    opening = draw(st.sampled_from((b"", b"\xef\xbb\xbf", b": PROCESSING\n\n", b"\n\n")))
    marker = len(opening) + sum(map(len, bodies[:finishing]))
    body = opening + b"".join(bodies)
    if draw(st.booleans()):
        body = body.rstrip(b"\r\n")  # the blank line is missing, with the end of the line or not
        body += draw(st.sampled_from((b"", b"\n", b"\r\n")))
    return ChatStream(body, choices, usage, marker)


def _is_complete(chunks: Sequence[Object]) -> bool:
    """Whether every choice that began in these chunks has its finish reason."""
    entries = [entry for chunk in chunks for entry in chunk.get("choices") or ()]
    finished = {entry["index"] for entry in entries if entry.get("finish_reason")}
    return bool(entries) and finished == {entry["index"] for entry in entries}


# Failures

#: What servers send inside a successful answer when they fail, with the label of the error.
FAILURES: tuple[tuple[bytes, str], ...] = (
    (b'data: {"error":{"message":"m","type":"server_error","code":null}}\n\n', "other"),
    (b'data: {"error":"the runner stopped"}\n\n', "other"),
    (b'data: {"error":{"message":"m","code":"rate_limit_exceeded"}}\n\n', "rate_limit"),
    (b'data: {"error":{"message":"m","code":429}}\n\n', "rate_limit"),
    (b'data: {"error":{"message":"m","type":"insufficient_quota"}}\n\n', "rate_limit"),
    (b'data: {"error":{"message":"m","code":"invalid_api_key"}}\n\n', "auth"),
    (b'data: {"error":{"message":"m","code":401}}\n\n', "auth"),
    (b'data: {"object":"error","message":"m","type":"E","code":500}\n\n', "other"),
    (b'data: {"error_code":"E","message":"m"}\n\n', "other"),
    (b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n', "other"),
    (b'data: {"choices":[{"index":0,"error":{"code":502,"message":"m"}}]}\n\n', "other"),
    (b'event: error\ndata: {"message":"m","code":"500"}\n\n', "other"),
    (b"event: error\ndata: out of memory\n\n", "other"),
    (b'error: {"code":500,"message":"m","type":"server_error"}\n\n', "other"),
    (b'data: [{"error":{"code":503,"message":"m"}}]\n\n', "other"),
    (b"data: {oops\n\n", "malformed"),
    (b"data: 42\n\n", "malformed"),
    (b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', "malformed"),
)
failures = st.sampled_from(FAILURES)

#: Bodies that are no stream at all, with the label of the error.
OTHER_BODIES: tuple[tuple[bytes, str], ...] = (
    (b"", "malformed"),
    (b" \r\n\n", "malformed"),
    (b": ping\n\n", "malformed"),
    (b"<!doctype html>\n<html><title>Sign in</title></html>", "malformed"),
    (b"upstream connect error", "malformed"),
    (b'{"status":"ok"}', "malformed"),
    (b'{"id":"c","choices":[{"index":0,"mess', "malformed"),
    (b'{"error":{"message":"m","code":"invalid_api_key"}}', "auth"),
    (b'{"error":{"message":"m","code":402}}', "rate_limit"),
    (b'[{"error":{"code":503,"message":"m"}}]', "other"),
    (b'{"detail":"Not found"}', "malformed"),
)
other_bodies = st.sampled_from(OTHER_BODIES)

# Mutations

#: What turns one valid stream into another, or into none.
_WORDS = (
    b"\n", b"\r", b"\n\n", b"data: ", b"data: [DONE]\n\n", b"event: error\n", b"error: x\n", b":",
    b'"', b"\\", b"\\ud83d", b"{", b"}", b"[", b"]", b",", b"null", b"NaN", b"-1", b"1e999", b"\0",
    b"\xff", b"\xef\xbb\xbf", b'"error":{"message":"m"},', b'"finish_reason":"stop",', b"[" * 200,
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
)
