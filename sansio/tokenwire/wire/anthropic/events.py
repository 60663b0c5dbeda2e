"""The shape of an event, and two ways to read one.

The fast way decodes JSON straight into structs that name only the members this library uses. What
does not fit (an error, NaN, half an emoji) takes the tolerant way, which reads plain JSON values
and builds the same structs from whatever is usable in them.

Reference: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from tokenwire import lenient_json as lenient

Count = Annotated[int, msgspec.Meta(ge=0)]


class OutputDetails(msgspec.Struct, gc=False):
    """What of the output tokens was reasoning."""

    thinking_tokens: Count | None = None


class UsageCounts(msgspec.Struct, gc=False):
    """Token counts so far; they grow, and later ones replace earlier ones."""

    input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    output_tokens: Count | None = None
    output_tokens_details: OutputDetails | None = None


class StopDetails(msgspec.Struct, gc=False):
    """Why an answer was refused."""

    explanation: str | None = None


class Delta(msgspec.Struct, gc=False):
    """What an event adds to a block (the first members) or to the message (the others)."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class Block(msgspec.Struct, gc=False):
    """A content block: as it begins in a stream, or whole in a document."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None


class MessageHead(msgspec.Struct, gc=False):
    """A message without its content."""

    id: str | None = None
    model: str | None = None
    usage: UsageCounts | None = None


class Event(msgspec.Struct, gc=False):
    """One event of any type."""

    type: str | None = None
    index: Count = 0
    delta: Delta | None = None
    content_block: Block | None = None
    message: MessageHead | None = None
    usage: UsageCounts | None = None
    error: None = None  # anything else takes the tolerant way


class TextOnlyDelta(msgspec.Struct, gc=False):
    """A `Delta` that adds text to a block."""

    type: Literal["text_delta"]
    text: Annotated[str, msgspec.Meta(min_length=1)]
    thinking: None = None
    signature: None = None
    partial_json: None = None
    stop_reason: None = None
    stop_details: None = None


class TextOnlyEvent(msgspec.Struct, gc=False):
    """What nine events in ten are: an `Event` with such a delta."""

    type: Literal["content_block_delta"]
    delta: TextOnlyDelta
    index: Count = 0
    content_block: None = None
    message: None = None
    usage: None = None
    error: None = None


#: Each decodes one event or raises `msgspec.DecodeError`, UnicodeDecodeError or RecursionError.
decode_text_only_event: Callable[[bytes], TextOnlyEvent] = msgspec.json.Decoder(
    TextOnlyEvent
).decode
decode_event: Callable[[str | bytes], Event] = msgspec.json.Decoder(Event).decode


def tolerant_event(value: dict[str, Any]) -> Event:
    """Build an event from a JSON object of any shape; members of unusable types count as unset."""
    return Event(
        type=lenient.as_text(value.get("type")),
        index=lenient.as_count(value.get("index")) or 0,
        delta=tolerant_delta(lenient.as_object(value.get("delta"))),
        content_block=tolerant_block(lenient.as_object(value.get("content_block"))),
        message=tolerant_head(lenient.as_object(value.get("message"))),
        usage=_usage(lenient.as_object(value.get("usage"))),
    )


def tolerant_delta(value: dict[str, Any]) -> Delta:
    """Build a delta. Its texts keep lone surrogates: they are joined over deltas."""
    return Delta(
        type=lenient.as_text(value.get("type")),
        text=_str(value.get("text")),
        thinking=_str(value.get("thinking")),
        signature=lenient.as_text(value.get("signature")),
        partial_json=_str(value.get("partial_json")),
        stop_reason=lenient.as_text(value.get("stop_reason")),
        stop_details=StopDetails(
            lenient.as_text(lenient.as_object(value.get("stop_details")).get("explanation"))
        ),
    )


def tolerant_block(value: dict[str, Any]) -> Block:
    """Build a block. Its texts keep lone surrogates: deltas may go on with the other half."""
    return Block(
        type=lenient.as_text(value.get("type")),
        text=_str(value.get("text")),
        thinking=_str(value.get("thinking")),
        signature=lenient.as_text(value.get("signature")),
        data=lenient.as_text(value.get("data")),
        id=lenient.as_text(value.get("id")),
        name=lenient.as_text(value.get("name")),
        input=lenient.as_object(value.get("input")),
    )


def tolerant_head(value: dict[str, Any]) -> MessageHead:
    """Build the head of a message."""
    return MessageHead(
        id=lenient.as_text(value.get("id")),
        model=lenient.as_text(value.get("model")),
        usage=_usage(lenient.as_object(value.get("usage"))),
    )


def _usage(value: dict[str, Any]) -> UsageCounts:
    thinking = lenient.as_object(value.get("output_tokens_details")).get("thinking_tokens")
    return UsageCounts(
        input_tokens=lenient.as_count(value.get("input_tokens")),
        cache_read_input_tokens=lenient.as_count(value.get("cache_read_input_tokens")),
        cache_creation_input_tokens=lenient.as_count(value.get("cache_creation_input_tokens")),
        output_tokens=lenient.as_count(value.get("output_tokens")),
        output_tokens_details=OutputDetails(lenient.as_count(thinking)) if thinking else None,
    )


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None
