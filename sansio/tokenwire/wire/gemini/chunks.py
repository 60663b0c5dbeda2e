"""The shape of a chunk, and two ways to read one.

The fast way decodes JSON straight into structs that name only the members this library uses. What
does not fit (an error, NaN, half an emoji) takes the tolerant way, which reads plain JSON values
and builds the same structs from whatever is usable in them.

Reference: https://ai.google.dev/api/generate-content (``GenerateContentResponse``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from tokenwire import lenient_json as lenient

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class FunctionCall(msgspec.Struct, gc=False, rename="camel"):
    """A function call, or a piece of one.

    Attributes:
        args: The arguments as the model wrote them, not decoded and not even checked to be UTF-8;
            empty where there are none.
    """

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = msgspec.Raw()
    partial_args: list[Any] | None = None
    will_continue: bool | None = None


class Part(msgspec.Struct, gc=False, rename="camel"):
    """A part of the content: text, a thought, a function call; others are empty here."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(msgspec.Struct, gc=False, rename="camel"):
    """What a chunk adds to one candidate."""

    parts: list[Part] | None = None


class Candidate(msgspec.Struct, gc=False, rename="camel"):
    """One candidate of a chunk."""

    index: Count = 0
    content: Content | None = None
    finish_reason: str | None = None


class PromptFeedback(msgspec.Struct, gc=False, rename="camel"):
    """What the API thinks of the prompt."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class UsageCounts(msgspec.Struct, gc=False, rename="camel"):
    """Token counts so far."""

    prompt_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    total_token_count: Count | None = None


class Chunk(msgspec.Struct, gc=False, rename="camel"):
    """A chunk, or a whole answer."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageCounts | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: None = None  # anything else takes the tolerant way


class TextOnlyPart(msgspec.Struct, gc=False, rename="camel"):
    """A `Part` that is text of the answer."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    thought: Literal[False] | None = None
    thought_signature: None = None
    function_call: None = None


class TextOnlyContent(msgspec.Struct, gc=False, rename="camel"):
    """A `Content` of one such part."""

    parts: tuple[TextOnlyPart]


class TextOnlyCandidate(msgspec.Struct, gc=False, rename="camel"):
    """A `Candidate` with such a content."""

    content: TextOnlyContent
    index: Literal[0] = 0
    finish_reason: None = None


class TextOnlyChunk(msgspec.Struct, gc=False, rename="camel"):
    """What nine chunks in ten are: a `Chunk` that adds text to candidate 0, and counts."""

    candidates: tuple[TextOnlyCandidate]
    prompt_feedback: None = None
    usage_metadata: UsageCounts | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: None = None


#: Each decodes one chunk or raises `msgspec.DecodeError`, UnicodeDecodeError or RecursionError.
decode_text_only_chunk: Callable[[bytes], TextOnlyChunk] = msgspec.json.Decoder(
    TextOnlyChunk
).decode
decode_chunk: Callable[[bytes], Chunk] = msgspec.json.Decoder(Chunk).decode


def tolerant_chunk(value: Mapping[str, Any]) -> Chunk:
    """Build a chunk from a JSON object of any shape; members of an unusable type count as unset."""
    feedback = lenient.as_object(value.get("promptFeedback"))
    return Chunk(
        candidates=[
            _candidate(lenient.as_object(candidate))
            for candidate in lenient.as_array(value.get("candidates"))
        ],
        prompt_feedback=PromptFeedback(
            lenient.as_text(feedback.get("blockReason")),
            lenient.as_text(feedback.get("blockReasonMessage")),
        ),
        usage_metadata=_usage(lenient.as_object(value.get("usageMetadata"))),
        model_version=lenient.as_text(value.get("modelVersion")),
        response_id=lenient.as_text(value.get("responseId")),
    )


def _candidate(value: Mapping[str, Any]) -> Candidate:
    parts = lenient.as_array(lenient.as_object(value.get("content")).get("parts"))
    return Candidate(
        index=lenient.as_count(value.get("index")) or 0,
        content=Content([_part(lenient.as_object(part)) for part in parts]),
        finish_reason=lenient.as_text(value.get("finishReason")),
    )


def _part(value: Mapping[str, Any]) -> Part:
    """Read a part. Its text keeps lone surrogates: they are joined over chunks."""
    text = value.get("text")
    call = lenient.as_object(value.get("functionCall"))
    return Part(
        text=text if isinstance(text, str) else None,
        thought=value.get("thought") is True,
        thought_signature=lenient.as_text(value.get("thoughtSignature")),
        function_call=_function_call(call) if "functionCall" in value else None,
    )


def _function_call(value: Mapping[str, Any]) -> FunctionCall:
    args = lenient.as_object(value.get("args"))
    return FunctionCall(
        id=lenient.as_text(value.get("id")),
        name=lenient.as_text(value.get("name")),
        args=msgspec.Raw(lenient.compact(args).encode()) if "args" in value else msgspec.Raw(),
        partial_args=lenient.as_array(value.get("partialArgs")),
        will_continue=value.get("willContinue") is True,
    )


def _usage(value: Mapping[str, Any]) -> UsageCounts:
    return UsageCounts(
        prompt_token_count=lenient.as_count(value.get("promptTokenCount")),
        tool_use_prompt_token_count=lenient.as_count(value.get("toolUsePromptTokenCount")),
        candidates_token_count=lenient.as_count(value.get("candidatesTokenCount")),
        thoughts_token_count=lenient.as_count(value.get("thoughtsTokenCount")),
        cached_content_token_count=lenient.as_count(value.get("cachedContentTokenCount")),
        total_token_count=lenient.as_count(value.get("totalTokenCount")),
    )
