"""The shape of the events that bring text, and two ways to read one.

Nearly all events bring a piece of text, and those decode straight into one struct. Everything else
(the beginning and end of items, the end of the response, oddities) comes once or twice an answer
and is read as plain JSON values.

Reference: https://developers.openai.com/api/reference/resources/responses/streaming-events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from tokenwire import lenient_json as lenient
from tokenwire.wire.openai_chat.logprobs import Logprob, tolerant_logprobs

Count = Annotated[int, msgspec.Meta(ge=0)]

#: What a piece of text belongs to.
TextKind: TypeAlias = Literal["text", "refusal", "summary", "reasoning", "arguments"]

#: Events that bring a piece of text.
DELTAS: Final[dict[str, TextKind]] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "summary",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "arguments",
}

#: Events that repeat such a text as a whole, and the member that holds it.
WHOLES: Final[dict[str, tuple[TextKind, str]]] = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
    "response.reasoning_summary_text.done": ("summary", "text"),
    "response.reasoning_text.done": ("reasoning", "text"),
    "response.function_call_arguments.done": ("arguments", "arguments"),
}


class TextEvent(msgspec.Struct, gc=False):
    """What the reader needs of an event that is about a text. Any index may be missing."""

    type: str = ""
    delta: str | None = None
    item_id: str | None = None
    output_index: Count | None = None
    content_index: Count | None = None
    summary_index: Count | None = None
    logprobs: list[Logprob] | None = None

    @property
    def part_index(self) -> int:
        """Which part of its item the text is, 0 where the server does not say."""
        return self.content_index or self.summary_index or 0


class TextOnlyEvent(msgspec.Struct, gc=False):
    """What nine events in ten are: a `TextEvent` with a piece of the answer's text."""

    type: Literal["response.output_text.delta"]
    delta: Annotated[str, msgspec.Meta(min_length=1)]
    output_index: Count
    item_id: str | None = None
    content_index: Count | None = None
    summary_index: None = None
    logprobs: Annotated[list[Any], msgspec.Meta(max_length=0)] | None = None


#: Each decodes one event or raises `msgspec.DecodeError`, UnicodeDecodeError or RecursionError.
decode_text_only_event: Callable[[bytes], TextOnlyEvent] = msgspec.json.Decoder(
    TextOnlyEvent
).decode
decode_text_event: Callable[[bytes], TextEvent] = msgspec.json.Decoder(TextEvent).decode


def tolerant_text_event(value: Mapping[str, Any]) -> TextEvent:
    """Build a text event from a JSON object; members of an unusable type count as unset.

    Its delta keeps lone surrogates: they are joined over deltas.
    """
    delta = value.get("delta")
    logprobs = tolerant_logprobs({"content": value.get("logprobs")})
    return TextEvent(
        delta=delta if isinstance(delta, str) else None,
        item_id=lenient.as_text(value.get("item_id")),
        output_index=lenient.as_count(value.get("output_index")),
        content_index=lenient.as_count(value.get("content_index")),
        summary_index=lenient.as_count(value.get("summary_index")),
        logprobs=logprobs.content if logprobs is not None else None,
    )
