"""The shape of a chunk, and two ways to read one.

The fast way decodes JSON straight into structs that name only the members this library uses. What
does not fit (an error, a content list, NaN, half an emoji) takes the tolerant way, which reads
plain JSON values and builds the same structs from whatever is usable in them.

Reference: https://developers.openai.com/api/reference/resources/chat (chat completion chunk).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.wire.openai_chat.logprobs import Logprobs, tolerant_logprobs

Count = Annotated[int, msgspec.Meta(ge=0)]


class Function(msgspec.Struct, gc=False):
    """The function of a tool call fragment."""

    name: str | None = None
    arguments: str | None = None


class ToolCallFragment(msgspec.Struct, gc=False):
    """A piece of a tool call. Some servers leave out `index`, or repeat or empty the `id`."""

    index: Count | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: dict[str, Any] | None = None

    @property
    def says_anything(self) -> bool:
        """Whether there is more to it than its place."""
        function = self.function or Function()
        return bool(self.id or function.name or function.arguments or self.extra_content)


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds to one choice. Reasoning comes under two names, or inside `content`."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallFragment] | None = None
    reasoning_details: list[Any] | None = None
    function_call: None = None  # what came before tool calls takes the tolerant way


class TokenDetails(msgspec.Struct, gc=False):
    """The details of input or output tokens that are in use."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class UsageCounts(msgspec.Struct, gc=False):
    """Token counts. Cached tokens come under two names."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None
    prompt_cache_hit_tokens: Count | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice of a chunk; `message` stands in for `delta` in a whole completion."""

    index: Count = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    usage: UsageCounts | None = None
    error: None = None  # anything else takes the tolerant way


class VendorUsage(msgspec.Struct, gc=False):
    """An object of one vendor that holds the usage."""

    usage: UsageCounts | None = None
    error: None = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk, or a whole completion."""

    choices: list[Choice] | None = None
    usage: UsageCounts | None = None
    x_groq: VendorUsage | None = None
    error: None = None  # anything else takes the tolerant way, as it does below
    error_code: None = None


class OpeningChunk(Chunk, gc=False):
    """A chunk with what is only read until it is known."""

    id: str | None = None
    model: str | None = None


Nothing = Annotated[str, msgspec.Meta(max_length=0)] | None
NoItems = Annotated[list[Any], msgspec.Meta(max_length=0)] | None


class TextOnlyDelta(msgspec.Struct, gc=False):
    """A `Delta` that is a piece of the answer's text, and nothing else."""

    content: Annotated[str, msgspec.Meta(min_length=1)]
    reasoning_content: Nothing = None
    reasoning: Nothing = None
    refusal: Nothing = None
    tool_calls: NoItems = None
    reasoning_details: NoItems = None
    function_call: None = None


class TextOnlyChoice(msgspec.Struct, gc=False):
    """A `Choice` with such a delta."""

    delta: TextOnlyDelta
    index: Literal[0] = 0
    message: None = None
    finish_reason: Nothing = None
    logprobs: None = None
    usage: None = None
    error: None = None


class TextOnlyChunk(msgspec.Struct, gc=False):
    """What nine chunks in ten are: a `Chunk` that adds text to choice 0, and nothing else."""

    choices: tuple[TextOnlyChoice]
    usage: None = None
    x_groq: None = None
    error: None = None
    error_code: None = None


#: Each decodes one chunk or raises `msgspec.DecodeError`, UnicodeDecodeError or RecursionError.
decode_text_only_chunk: Callable[[bytes], TextOnlyChunk] = msgspec.json.Decoder(
    TextOnlyChunk
).decode
decode_chunk: Callable[[bytes], Chunk] = msgspec.json.Decoder(Chunk).decode
decode_opening_chunk: Callable[[bytes], OpeningChunk] = msgspec.json.Decoder(OpeningChunk).decode


def tolerant_chunk(value: dict[str, Any]) -> OpeningChunk:
    """Build a chunk from a JSON object of any shape; members of an unusable type count as unset."""
    choices = value.get("choices")
    return OpeningChunk(
        choices=[_choice(lenient.as_object(choice)) for choice in lenient.as_array(choices)],
        usage=_usage(value.get("usage")),
        x_groq=VendorUsage(_usage(lenient.as_object(value.get("x_groq")).get("usage"))),
        id=lenient.as_text(value.get("id")),
        model=lenient.as_text(value.get("model")),
    )


def _choice(value: dict[str, Any]) -> Choice:
    return Choice(
        index=lenient.as_count(value.get("index")) or 0,
        delta=_delta(value.get("delta")),
        message=_delta(value.get("message")),
        finish_reason=lenient.as_text(value.get("finish_reason")),
        logprobs=tolerant_logprobs(value.get("logprobs")),
        usage=_usage(value.get("usage")),
    )


def _delta(value: object) -> Delta | None:
    """Read a delta. Its texts keep lone surrogates: they are joined over deltas."""
    if not isinstance(value, dict):
        return None
    members = lenient.as_object(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
    text, thought = _content(members.get("content"))
    return Delta(
        content=text,
        reasoning_content=_str(members.get("reasoning_content")) or thought,
        reasoning=_str(members.get("reasoning")),
        refusal=_str(members.get("refusal")),
        tool_calls=_tool_calls(members.get("tool_calls"))
        or _deprecated_call(members.get("function_call")),
        reasoning_details=lenient.as_array(members.get("reasoning_details")) or None,
    )


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _content(value: object) -> tuple[str | None, str | None]:
    """Split content into text and reasoning: some servers send a list of typed parts."""
    if isinstance(value, str):
        return value, None
    text, thought = "", ""
    for part in lenient.as_array(value):
        if isinstance(part, str):
            text += part
            continue
        members = lenient.as_object(part)
        match members.get("type"):
            case "thinking":
                thought += _text_of_parts(members.get("thinking"))
            case "reasoning":
                thought += _text_of_parts(members.get("summary"))
            case _:
                text += _str(members.get("text")) or ""
    return text or None, thought or None


def _text_of_parts(value: object) -> str:
    if isinstance(value, str):
        return value
    parts = (lenient.as_object(part).get("text") for part in lenient.as_array(value))
    return "".join(part for part in parts if isinstance(part, str))


def _tool_calls(value: object) -> list[ToolCallFragment] | None:
    fragments = [_fragment(lenient.as_object(item)) for item in lenient.as_array(value)]
    return fragments or None


def _deprecated_call(value: object) -> list[ToolCallFragment] | None:
    """Read the one call that an answer could hold before there were tool calls."""
    function = lenient.as_object(value)
    return [_fragment({"index": 0, "function": function})] if function else None


def _fragment(value: dict[str, Any]) -> ToolCallFragment:
    function = lenient.as_object(value.get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, dict | list):  # sent as JSON instead of as text that holds JSON
        arguments = lenient.compact(arguments)  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return ToolCallFragment(
        index=lenient.as_count(value.get("index")),
        id=lenient.as_text(value.get("id")),
        function=Function(lenient.as_text(function.get("name")), _str(arguments)),
        extra_content=lenient.as_object(value.get("extra_content")) or None,
    )


def _usage(value: object) -> UsageCounts | None:
    if not isinstance(value, dict) or not value:
        return None
    members = lenient.as_object(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return UsageCounts(
        prompt_tokens=lenient.as_count(members.get("prompt_tokens")),
        completion_tokens=lenient.as_count(members.get("completion_tokens")),
        total_tokens=lenient.as_count(members.get("total_tokens")),
        prompt_tokens_details=_details(members.get("prompt_tokens_details")),
        completion_tokens_details=_details(members.get("completion_tokens_details")),
        prompt_cache_hit_tokens=lenient.as_count(members.get("prompt_cache_hit_tokens")),
    )


def _details(value: object) -> TokenDetails | None:
    members = lenient.as_object(value)
    counts = (
        lenient.as_count(members.get(name))
        for name in ("cached_tokens", "cache_write_tokens", "reasoning_tokens")
    )
    return TokenDetails(*counts)
