"""From events to tokens: the state of one response.

The reference stream announces each output item (a message, reasoning, a function call), brings its
texts in deltas, repeats them whole, and ends with exactly one of ``response.completed``,
``response.incomplete`` and ``response.failed``, which also brings the usage. So a text counts where
it is first seen: in its deltas, or whole where a server sends none, or in the response at the end
where that is all that a server sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, assert_never, final

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.sse import EventRun, ServerSentEvent
from tokenwire.tokens import (
    End,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    ToolCallDelta,
    Usage,
)
from tokenwire.torn_text import TornText
from tokenwire.wire.malformed import (
    UNDECODABLE,
    decode_json,
    decode_object,
    is_json,
    schema_error,
    truncated_error,
)
from tokenwire.wire.openai_chat.failures import error_event
from tokenwire.wire.openai_chat.logprobs import Logprobs, token_logprobs
from tokenwire.wire.openai_responses.events import (
    DELTAS,
    WHOLES,
    TextEvent,
    TextKind,
    decode_text_event,
    decode_text_only_event,
    tolerant_text_event,
)
from tokenwire.wire.openai_responses.failures import event_failure
from tokenwire.wire.openai_responses.items import TYPES, Item, Items
from tokenwire.wire.openai_responses.reasoning import pack_item, texts

_DONE: Final = b"[DONE]"

#: Events that end a response, and how.
ENDS: Final = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}

#: Statuses of a response that has not ended.
_UNFINISHED: Final = frozenset({"queued", "in_progress"})

#: Words for the shared reasons, of ``incomplete_details.reason`` or else ``status``. What is
#: missing here maps to ``other``.
_FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}


@final
class ResponsesReader:
    """Reads the events of one response. See `EventReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # Most items of long answers are calls, so that they share a limit.
        self._items = Items(limits.tool_calls)
        self._end: End | None = None
        self._id: str | None = None
        self._model: str | None = None
        # Strict decoding lets no half characters through: only behind an event that was read
        # tolerantly does text need mending. Texts of a kind follow each other, calls may not.
        self._torn: TornText[tuple[TextKind, int]] | None = None
        # Where the last event put text, by output_index and content_index; None if it did not.
        self._text_place: tuple[int, int | None] | None = None

    @property
    def complete(self) -> bool:
        """Whether the terminal event has come."""
        return self._end is not None

    def receive_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take one event."""
        try:
            text_event = decode_text_event(event.data)
        except UNDECODABLE:
            self._receive_odd_event(event, tokens)
            return
        kind = DELTAS.get(text_event.type)
        if kind is not None:
            self._receive_delta(kind, text_event, tokens)
        else:
            self._receive_object(decode_object(event.data, self._limits), event.event, tokens)

    def read_texts(self, run: EventRun) -> list[Token]:
        """Read events that go on with the same text, up to the first other. See `ReadTexts`."""
        if self._text_place is None or run.event == "error":
            return []
        index, part = self._text_place
        tokens: list[Token] = []
        try:
            for data in run.data:
                event = decode_text_only_event(data)
                if event.output_index != index or event.content_index != part:
                    break
                tokens.append(TextDelta(event.delta))
        except UNDECODABLE:
            self._text_place = None  # trying is not free
        return tokens

    def is_whole(self, event: ServerSentEvent) -> bool:
        """An event without its blank line counts if it is whole JSON."""
        return is_json(event.data, self._limits)

    def receive_document(self, document: bytes, tokens: list[Token]) -> None:
        """Take a JSON document: a response from a server that does not stream, or an error."""
        value = lenient.as_object(decode_json(document, self._limits))
        if "output" not in value:
            _fail_if_error(value)
            raise schema_error("the response is JSON, but neither an answer nor an error", document)
        self._receive_response(value, "completed", tokens)

    def finish(self, tokens: list[Token]) -> None:
        """Append what waits for its other half, and the `End`."""
        for (kind, call), text in self._torn.rest() if self._torn else ():
            tokens.append(_token(kind, call, text))
        assert self._end is not None  # only a complete answer is finished
        tokens.append(self._end)

    # Events

    def _receive_odd_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take what does not decode as a text event at once: ``[DONE]``, or an oddity."""
        if event.data.strip() == _DONE:
            raise truncated_error()  # the terminal event would have ended the answer before
        if event.event == "error":
            raise error_event(event.data, self._limits.json_depth)
        self._torn = self._torn or TornText()
        self._receive_object(decode_object(event.data, self._limits), event.event, tokens)

    def _receive_object(self, value: dict[str, Any], name: str, tokens: list[Token]) -> None:
        self._text_place = None
        event_type = "error" if name == "error" else lenient.as_text(value.get("type")) or name
        if event_type in DELTAS:
            self._receive_delta(DELTAS[event_type], tolerant_text_event(value), tokens)
        elif event_type in WHOLES:
            self._receive_whole(*WHOLES[event_type], value, tokens)
        elif event_type in ENDS:
            response = lenient.as_object(value.get("response"))
            self._receive_response(response, ENDS[event_type], tokens)
        else:
            self._receive_other(event_type, value, tokens)

    def _receive_other(self, event_type: str, value: dict[str, Any], tokens: list[Token]) -> None:
        match event_type:
            case "response.created" | "response.in_progress" | "response.queued":
                self._learn(lenient.as_object(value.get("response")))
            case "response.output_item.added":
                self._receive_item(value, tokens)
            case "response.output_item.done":
                item = self._receive_item(value, tokens)
                self._receive_whole_item(item, lenient.as_object(value.get("item")), tokens)
            case "error":
                raise event_failure(value)
            case "message":  # no type: so llama.cpp fails
                _fail_if_error(value)
            case _:
                pass  # tools that run on the server, annotations, audio, what is to come

    # Texts

    def _receive_delta(self, kind: TextKind, event: TextEvent, tokens: list[Token]) -> None:
        text = event.delta or ""
        if text:
            item = self._items.find(event.output_index, event.item_id)
            item.shown[kind] = event.part_index
            self._text_place = self._place(kind, event)
            call = self._items.call_number(item) if kind == "arguments" else 0
            if self._torn is not None:
                text = self._torn.mend((kind, call), text)
            if text and not event.logprobs:
                tokens.append(_token(kind, call, text))
        if event.logprobs:
            tokens.append(TextDelta(text, logprobs=token_logprobs(Logprobs(event.logprobs))))

    def _place(self, kind: TextKind, event: TextEvent) -> tuple[int, int | None] | None:
        """Return where to expect more of the same, if it takes no more than to read it."""
        if kind != "text" or event.output_index is None or event.summary_index or self._torn:
            return None
        return event.output_index, event.content_index

    def _receive_whole(
        self, kind: TextKind, member: str, value: Mapping[str, Any], tokens: list[Token]
    ) -> None:
        """Take a whole text: news only from servers that send no deltas."""
        event = tolerant_text_event(value)
        item = self._items.find(event.output_index, event.item_id)
        text = lenient.as_text(value.get(member))
        if text and event.part_index > item.shown.get(kind, -1):
            item.shown[kind] = event.part_index
            self._show(kind, item, text, tokens)

    def _show(self, kind: TextKind, item: Item, text: str, tokens: list[Token]) -> None:
        call = self._items.call_number(item) if kind == "arguments" else 0
        tokens.append(_token(kind, call, text))

    # Items

    def _receive_item(self, event: Mapping[str, Any], tokens: list[Token]) -> Item:
        """Take an event that holds an item, at its beginning or end."""
        value = lenient.as_object(event.get("item"))
        index = lenient.as_count(event.get("output_index"))
        item = self._items.find(index, lenient.as_text(value.get("id")))
        self._announce(item, value, tokens)
        return item

    def _announce(self, item: Item, value: Mapping[str, Any], tokens: list[Token]) -> None:
        item.type = _item_type(value)
        name = lenient.as_text(value.get("name"))
        if item.type == "function_call" and name and not item.is_named:
            item.is_named = True
            call_id = lenient.as_text(value.get("call_id")) or lenient.as_text(value.get("id"))
            tokens.append(ToolCallDelta(self._items.call_number(item), call_id, name))

    def _receive_whole_item(
        self, item: Item, value: Mapping[str, Any], tokens: list[Token]
    ) -> None:
        match item.type:
            case "function_call":
                self._show_unseen("arguments", item, texts([value], "arguments"), tokens)
            case "message":
                content = value.get("content")
                self._show_unseen("text", item, texts(content), tokens)
                self._show_unseen("refusal", item, texts(content, "refusal"), tokens)
            case "reasoning":
                self._show_unseen("summary", item, texts(value.get("summary")), tokens)
                self._show_unseen("reasoning", item, texts(value.get("content")), tokens)
                if (signature := pack_item(value)) is not None:
                    tokens.append(ReasoningDelta("", signature=signature))
            case _:
                pass  # of no interest

    def _show_unseen(
        self, kind: TextKind, item: Item, whole: Iterable[str], tokens: list[Token]
    ) -> None:
        if kind not in item.shown:
            for text in whole:
                self._show(kind, item, text, tokens)

    # The response

    def _learn(self, response: Mapping[str, Any]) -> None:
        self._id = self._id or lenient.as_text(response.get("id"))
        self._model = self._model or lenient.as_text(response.get("model"))

    def _receive_response(self, response: Mapping[str, Any], end: str, tokens: list[Token]) -> None:
        """Take the response as it describes itself at its end, which the event calls `end`."""
        self._learn(response)
        status = lenient.as_text(response.get("status")) or end
        if status in _UNFINISHED:
            raise truncated_error()
        self._receive_output(lenient.as_array(response.get("output")), tokens)
        if "failed" in (status, end):
            raise event_failure(response)
        details = lenient.as_object(response.get("incomplete_details"))
        raw_finish = lenient.as_text(details.get("reason")) or status
        self._end = self._make_end(raw_finish, _usage(response.get("usage")))
        self.finish(tokens)

    def _receive_output(self, output: list[Any], tokens: list[Token]) -> None:
        """Take from the whole output the items of types that no event has brought."""
        seen = {None, *self._items.types()}
        for value in map(lenient.as_object, output):
            if _item_type(value) not in seen:
                item = self._items.begin()
                self._announce(item, value, tokens)
                self._receive_whole_item(item, value, tokens)

    def _make_end(self, raw_finish: str, usage: Usage | None) -> End:
        reason: FinishReason = _FINISH_REASONS.get(raw_finish, "other")
        if reason == "stop" and self._items.calls:
            reason = "tool_calls"  # the API has no word of its own for it
        return End(
            finish=reason,
            raw_finish=raw_finish,
            finishes=MappingProxyType({0: Finish(reason, raw_finish)}),
            usage=usage,
            model=self._model,
            response_id=self._id,
        )


def _item_type(item: Mapping[str, Any]) -> str | None:
    """Return an item's type, None if it is of no interest: a tool on the server, for instance."""
    item_type = lenient.as_text(item.get("type"))
    return item_type if item_type in TYPES.values() else None


def _fail_if_error(value: Mapping[str, Any]) -> None:
    if value.get("error") or value.get("type") == "error":
        raise event_failure(value)


def _token(kind: TextKind, call: int, text: str) -> Token:
    match kind:
        case "text":
            return TextDelta(text)
        case "summary" | "reasoning":
            return ReasoningDelta(text)
        case "refusal":
            return RefusalDelta(text)
        case "arguments":
            return ToolCallDelta(call, arguments=text)
        case _:
            assert_never(kind)


def _usage(value: object) -> Usage | None:
    counts = lenient.as_object(value)
    if not counts:
        return None
    inputs = lenient.as_object(counts.get("input_tokens_details"))
    outputs = lenient.as_object(counts.get("output_tokens_details"))
    return Usage(
        input_tokens=lenient.as_count(counts.get("input_tokens")),
        output_tokens=lenient.as_count(counts.get("output_tokens")),
        total_tokens=lenient.as_count(counts.get("total_tokens")),
        cached_tokens=lenient.as_count(inputs.get("cached_tokens")),
        cache_write_tokens=lenient.as_count(inputs.get("cache_write_tokens")),
        reasoning_tokens=lenient.as_count(outputs.get("reasoning_tokens")),
    )
