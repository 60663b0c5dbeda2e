"""From events to tokens: the state of one message.

The reference stream is ``message_start``, for each content block ``content_block_start``, deltas
and ``content_block_stop``, then ``message_delta`` with the stop reason and ``message_stop``, at
which the `End` comes. An answer without ``message_stop`` is complete once it has a stop reason.
Pings, and events, blocks and deltas of unknown types, are passed over, as the API demands of its
clients; so are the tools that the server itself runs.

Servers that speak the API as well leave blocks open while others begin, start the message twice,
and end with an error that has no type: a delta is read by its own type and index, an open block is
no one's business but its tool call's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final, Literal, assert_never, final

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
from tokenwire.wire.anthropic.events import (
    Block,
    Delta,
    Event,
    MessageHead,
    UsageCounts,
    decode_event,
    decode_text_only_event,
    tolerant_block,
    tolerant_delta,
    tolerant_event,
    tolerant_head,
)
from tokenwire.wire.anthropic.failures import Failure, classify, read_failure
from tokenwire.wire.anthropic.thinking import redacted_signature
from tokenwire.wire.malformed import UNDECODABLE, decode_json, is_json, limit_error, schema_error

#: Words for the five shared reasons. What is missing here, ``pause_turn`` too, maps to ``other``.
_FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

#: Blocks that are part of the answer; deltas of all others are passed over.
_KNOWN_BLOCKS: Final = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})

#: What gateways append that speak another API as well.
_DONE: Final = b"[DONE]"

_TextKind = Literal["text", "thinking", "input"]


class _ToolCall:
    """A tool call whose block is open."""

    __slots__ = ("has_arguments", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.has_arguments = False


@final
class MessageReader:
    """Reads the events of one message. See `EventReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._id: str | None = None
        self._model: str | None = None
        self._usage = UsageCounts()
        self._stop_reason: str | None = None
        self._passed_over: int | None = None  # index of the last block, if its type is unknown
        self._calls_begun = 0
        self._open_calls: dict[int, _ToolCall] = {}  # by the index of their block
        # Strict decoding lets no half characters through: only behind an event that was read
        # tolerantly does text need mending. Texts of a kind follow each other, whatever block they
        # name, of which there may be any number; arguments grow side by side, in few calls.
        self._torn: TornText[tuple[_TextKind, int]] | None = None
        self._text_expected = False  # the last delta was text

    @property
    def complete(self) -> bool:
        """Whether a stop reason has come; at ``message_stop`` the answer has ended already."""
        return self._stop_reason is not None

    def receive_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take one event."""
        try:
            decoded = decode_event(event.data)
        except UNDECODABLE:
            self._receive_odd_event(event, tokens)
        else:
            if decoded.type == "error" or event.event == "error":
                self._fail(event.data)
            self._receive(decoded, tokens)

    def read_texts(self, run: EventRun) -> list[Token]:
        """Read events that are text and nothing else, up to the first other. See `ReadTexts`."""
        if not self._text_expected or self._passed_over is not None or run.event == "error":
            return []
        tokens: list[Token] = []
        try:
            for data in run.data:
                delta = decode_text_only_event(data).delta
                tokens.append(TextDelta(delta.text))
        except UNDECODABLE:
            self._text_expected = False  # trying is not free
        return tokens

    def is_whole(self, event: ServerSentEvent) -> bool:
        """An event without its blank line counts if it is whole JSON."""
        return is_json(event.data, self._limits)

    def receive_document(self, document: bytes, tokens: list[Token]) -> None:
        """Take a JSON document: a message from a server that does not stream, or an error."""
        value = decode_json(document, self._limits)
        self._fail_if_error(value)
        members = lenient.as_object(value)
        if not isinstance(members.get("content"), list):
            raise schema_error("the response is JSON, but neither a message nor an error", document)
        self._torn = TornText()
        self._receive_head(tolerant_head(members))
        for index, block in enumerate(lenient.as_array(members.get("content"))):
            self._begin_block(index, tolerant_block(lenient.as_object(block)), tokens)
            self._end_block(index, tokens)
        self._receive_message_delta(tolerant_delta(members), tokens)
        self.finish(tokens)

    def finish(self, tokens: list[Token]) -> None:
        """Append what waits for its other half, arguments that never came, and the `End`."""
        self._flush(tokens)
        for index in tuple(self._open_calls):
            self._end_call(index, tokens)
        tokens.append(self._end())

    # Events

    def _receive_odd_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take what does not decode at once: an error, or an oddity."""
        if event.event == "error":
            self._fail(event.data)
        if event.data.strip() == _DONE:
            return
        value = decode_json(event.data, self._limits)
        if not isinstance(value, dict):
            raise schema_error("an event of the stream is JSON, but no object", event.data)
        self._fail_if_error(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
        self._torn = self._torn or TornText()
        self._text_expected = False
        self._receive(tolerant_event(lenient.as_object(value)), tokens)  # pyright: ignore[reportUnknownArgumentType]  # JSON

    def _receive(self, event: Event, tokens: list[Token]) -> None:
        match event.type:
            case "content_block_delta":
                self._receive_delta(event.index, event.delta or Delta(), tokens)
            case "content_block_start":
                self._begin_block(event.index, event.content_block or Block(), tokens)
            case "content_block_stop":
                self._end_block(event.index, tokens)
            case "message_start":
                self._receive_head(event.message or MessageHead())
            case "message_delta":
                self._receive_usage(event.usage)
                self._receive_message_delta(event.delta or Delta(), tokens)
            case "message_stop":
                self.finish(tokens)
            case _:
                pass  # a ping, or what a later version of the API adds

    def _fail(self, data: bytes) -> None:
        """Fail with what an error event says, whatever its shape."""
        try:
            value = lenient.decode(data, self._limits.json_depth)
        except (lenient.NotJSONError, lenient.TooDeepError):
            value = {"error": data.decode("utf-8", "replace").strip()}
        raise classify(read_failure(value) or read_failure({"error": value}) or Failure(), None)

    def _fail_if_error(self, value: object) -> None:
        failure = read_failure(value)
        if failure is not None:
            raise classify(failure, None)

    # The message

    def _receive_head(self, head: MessageHead) -> None:
        self._id = head.id or self._id
        self._model = head.model or self._model
        self._receive_usage(head.usage)

    def _receive_usage(self, usage: UsageCounts | None) -> None:
        """Take counts, which grow: a later one replaces an earlier one, None leaves it."""
        for name in UsageCounts.__struct_fields__ if usage is not None else ():
            if (count := getattr(usage, name)) is not None:
                setattr(self._usage, name, count)

    def _receive_message_delta(self, delta: Delta, tokens: list[Token]) -> None:
        self._stop_reason = delta.stop_reason or self._stop_reason
        if delta.stop_details is not None and delta.stop_details.explanation:
            tokens.append(RefusalDelta(delta.stop_details.explanation))

    # Content blocks

    def _begin_block(self, index: int, block: Block, tokens: list[Token]) -> None:
        self._flush(tokens)
        self._passed_over = None if block.type in _KNOWN_BLOCKS else index
        match block.type:
            case "text":
                self._receive_text(block.text, tokens)
            case "thinking":
                self._receive_thinking(block.thinking, tokens)
                self._receive_signature(block.signature, tokens)
            case "redacted_thinking":
                self._receive_signature(redacted_signature(block.data or ""), tokens)
            case "tool_use":
                self._begin_call(index, block, tokens)
            case _:
                pass

    def _receive_delta(self, index: int, delta: Delta, tokens: list[Token]) -> None:
        if index == self._passed_over:
            return
        self._text_expected = delta.type == "text_delta" and self._torn is None
        match delta.type:
            case "text_delta":
                self._receive_text(delta.text, tokens)
            case "input_json_delta":
                self._receive_arguments(index, delta.partial_json, tokens)
            case "thinking_delta":
                self._receive_thinking(delta.thinking, tokens)
            case "signature_delta":
                self._receive_signature(delta.signature, tokens)
            case _:
                pass  # for instance a citation

    def _end_block(self, index: int, tokens: list[Token]) -> None:
        self._flush(tokens)
        self._end_call(index, tokens)

    def _receive_text(self, text: str | None, tokens: list[Token]) -> None:
        if text and self._torn is not None:
            text = self._torn.mend(("text", 0), text)
        if text:
            tokens.append(TextDelta(text))

    def _receive_thinking(self, text: str | None, tokens: list[Token]) -> None:
        if text and self._torn is not None:
            text = self._torn.mend(("thinking", 0), text)
        if text:
            tokens.append(ReasoningDelta(text))

    def _receive_signature(self, signature: str | None, tokens: list[Token]) -> None:
        if signature:
            self._flush(tokens)
            tokens.append(ReasoningDelta("", signature=signature))

    def _begin_call(self, index: int, block: Block, tokens: list[Token]) -> None:
        self._end_call(index, tokens)
        if self._calls_begun >= self._limits.tool_calls:
            raise limit_error("tool_calls", self._limits.tool_calls)
        call = self._open_calls[index] = _ToolCall(self._calls_begun)
        self._calls_begun += 1
        arguments = self._whole_arguments(block.input)
        call.has_arguments = bool(arguments)
        if block.id or block.name or arguments:
            tokens.append(
                ToolCallDelta(call.number, block.id or None, block.name or None, arguments)
            )

    def _whole_arguments(self, value: dict[str, Any] | None) -> str:
        """Return arguments that came with the beginning of their block, where nobody streams."""
        if not value:
            return ""
        if lenient.nests_deeper(value, self._limits.json_depth):  # fast decoding has no such limit
            raise limit_error("json_depth", self._limits.json_depth)
        return lenient.compact(value)

    def _receive_arguments(self, index: int, fragment: str | None, tokens: list[Token]) -> None:
        call = self._open_calls.get(index)
        if call is None or not fragment:
            return
        call.has_arguments = True
        if self._torn is not None:
            fragment = self._torn.mend(("input", index), fragment)
        if fragment:
            tokens.append(ToolCallDelta(call.number, arguments=fragment))

    def _end_call(self, index: int, tokens: list[Token]) -> None:
        """Close a tool call, if that is what the block was; no arguments are an empty object."""
        call = self._open_calls.pop(index, None)
        if call is not None and not call.has_arguments:
            tokens.append(ToolCallDelta(call.number, arguments="{}"))

    def _flush(self, tokens: list[Token]) -> None:
        """Give up on halves of characters whose block ends."""
        for (kind, index), text in self._torn.rest() if self._torn else ():
            match kind:
                case "text":
                    tokens.append(TextDelta(text))
                case "thinking":
                    tokens.append(ReasoningDelta(text))
                case "input":
                    tokens.append(ToolCallDelta(self._open_calls[index].number, arguments=text))
                case _:
                    assert_never(kind)

    # The end

    def _end(self) -> End:
        raw = self._stop_reason
        finish = Finish(_FINISH_REASONS.get(raw or "", "other"), raw)
        return End(
            finish=finish.reason,
            raw_finish=raw,
            finishes=MappingProxyType({0: finish}),
            usage=_usage(self._usage),
            model=self._model,
            response_id=self._id,
        )


def _usage(counts: UsageCounts) -> Usage | None:
    """Return the counts in the shared vocabulary.

    The API's ``input_tokens`` are those that were neither read from its cache nor written to it;
    the three together are the request.
    """
    if counts == UsageCounts():
        return None
    written, read = counts.cache_creation_input_tokens, counts.cache_read_input_tokens
    fresh = counts.input_tokens
    details = counts.output_tokens_details
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=counts.output_tokens,
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=details.thinking_tokens if details else None,
    )
