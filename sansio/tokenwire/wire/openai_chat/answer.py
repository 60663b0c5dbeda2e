"""From chunks to tokens: the state of one chat completion.

The reference stream is ``data: {chunk}`` events, a finish reason for each choice, perhaps a chunk
with the usage, then ``data: [DONE]``. An answer is complete when every choice that began has its
finish reason or when ``[DONE]`` has come, whichever a server sends; the `End` waits for ``[DONE]``
or the end of the body, because the usage comes after the finish reason.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, Literal, assert_never, final

import msgspec

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
from tokenwire.wire.malformed import UNDECODABLE, decode_json, is_json, limit_error, schema_error
from tokenwire.wire.openai_chat.chunks import (
    Choice,
    Chunk,
    Delta,
    OpeningChunk,
    TokenDetails,
    ToolCallFragment,
    UsageCounts,
    decode_chunk,
    decode_opening_chunk,
    decode_text_only_chunk,
    tolerant_chunk,
)
from tokenwire.wire.openai_chat.failures import classify, error_event, read_failure
from tokenwire.wire.openai_chat.logprobs import token_logprobs
from tokenwire.wire.openai_chat.reasoning_details import ReasoningDetails
from tokenwire.wire.openai_chat.tool_calls import ToolCallSorter

_DONE: Final = b"[DONE]"

#: Words for the five shared reasons. What is missing here maps to ``other``.
_FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",  # Together
    "eos_token": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

#: Longest piece of a finish reason that is kept: every choice has one until the end.
_MAX_FINISH_LENGTH: Final = 256

_TextKind = Literal["text", "reasoning", "refusal", "arguments"]


class _ChoiceState:
    __slots__ = ("calls", "details", "finish")

    def __init__(self) -> None:
        self.finish: str | None = None
        # Few answers have any, and a program may have thousands of answers at a time.
        self.calls: ToolCallSorter | None = None
        self.details: ReasoningDetails | None = None


@final
class ChatReader:
    """Reads the events of one chat completion. See `EventReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._choices: dict[int, _ChoiceState] = {}
        self._usage: UsageCounts | None = None
        self._ended_in_error = False  # by a finish reason
        self._id: str | None = None
        self._model: str | None = None
        # Strict decoding lets no half characters through: only behind a chunk that was read
        # tolerantly does text need mending.
        self._torn: TornText[tuple[_TextKind, int, int]] | None = None
        # Until id and model are known, chunks are decoded with them.
        self._decode: Callable[[bytes], Chunk] = decode_opening_chunk
        self._text_expected = False  # the last chunk was text of choice 0, and nothing else

    @property
    def complete(self) -> bool:
        """Whether ``[DONE]`` or all finish reasons have come."""
        finishes = [choice.finish for choice in self._choices.values()]
        return bool(finishes) and None not in finishes

    def receive_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take one event."""
        if event.event == "error":
            raise error_event(event.data, self._limits.json_depth)
        try:
            chunk = self._decode(event.data)
        except UNDECODABLE:
            self._receive_odd_data(event.data, tokens)
            return
        self._receive_chunk(chunk, tokens)
        if self._ended_in_error or not chunk.choices:
            self._fail_if_error(self._decode_again(event.data))

    def read_texts(self, run: EventRun) -> list[Token]:
        """Read chunks that are text and nothing else, up to the first other. See `ReadTexts`."""
        if not self._text_expected or self._ended_in_error or run.event == "error":
            return []
        tokens: list[Token] = []
        try:
            for data in run.data:
                choice = decode_text_only_chunk(data).choices[0]
                tokens.append(TextDelta(choice.delta.content))
        except UNDECODABLE:
            self._text_expected = False  # trying is not free
        return tokens

    def is_whole(self, event: ServerSentEvent) -> bool:
        """An event without its blank line counts if it is ``[DONE]`` or whole JSON."""
        return self._is_whole(event.data) or self._are_whole(event.data.split(b"\n"))

    def receive_document(self, document: bytes, tokens: list[Token]) -> None:
        """Take a JSON document: a completion from a server that does not stream, or an error."""
        value = decode_json(document, self._limits)
        self._receive_odd_chunk(lenient.as_object(value), tokens)
        self._fail_if_error(value)
        if not self._choices:
            raise schema_error(
                "the response is JSON, but neither a completion nor an error", document
            )
        self.finish(tokens)

    def finish(self, tokens: list[Token]) -> None:
        """Append what waits for its other half, reasoning signatures and the `End`."""
        for key, text in self._torn.rest() if self._torn else ():
            tokens.append(_token(*key, text))
        for index, choice in self._choices.items():
            if choice.details and (signature := choice.details.signature()) is not None:
                tokens.append(ReasoningDelta("", index, signature))
        tokens.append(self._end())

    # Events

    def _decode_again(self, data: bytes) -> object:
        """Decode a chunk that fails, or may do so, without a member named "error"."""
        try:
            return msgspec.json.decode(data)  # a server may send millions of them
        except UNDECODABLE:
            return decode_json(data, self._limits)

    def _receive_odd_data(self, data: bytes, tokens: list[Token]) -> None:
        """Take what does not decode as a chunk at once: ``[DONE]``, or an oddity."""
        marker = data.strip()
        if marker == _DONE:
            self.finish(tokens)
        if marker in (_DONE, b""):  # some proxies keep a connection alive by empty events
            return
        lines = data.split(b"\n")
        if len(lines) > 1 and self._are_whole(lines):
            # Zhipu ends its events with a single line feed, so that all of them share a block.
            # Half an event beside another one, though, is damage.
            for line in lines:
                if not (tokens and type(tokens[-1]) is End):
                    self.receive_event(ServerSentEvent(line), tokens)
            return
        value = decode_json(data, self._limits)
        if not isinstance(value, dict):
            self._fail_if_error(value)
            raise schema_error("an event of the stream is JSON, but no object", data)
        self._receive_odd_chunk(value, tokens)  # pyright: ignore[reportUnknownArgumentType]  # JSON

    def _receive_odd_chunk(self, value: dict[str, Any], tokens: list[Token]) -> None:
        """Take a chunk with oddities: what it says counts also where it reports an error."""
        self._torn = self._torn or TornText()
        self._text_expected = False
        self._receive_chunk(tolerant_chunk(value), tokens)
        self._fail_if_error(value)

    def _are_whole(self, lines: list[bytes]) -> bool:
        return all(self._is_whole(line) for line in lines)

    def _is_whole(self, data: bytes) -> bool:
        """Whether these bytes are an event on their own: ``[DONE]`` or one JSON text."""
        return data.strip() == _DONE or is_json(data, self._limits)

    def _fail_if_error(self, value: object) -> None:
        failure = read_failure(value)
        if failure is not None:
            raise classify(failure, None)

    # Chunks

    def _receive_chunk(self, chunk: Chunk, tokens: list[Token]) -> None:
        if type(chunk) is OpeningChunk:
            self._receive_opening(chunk)
        for choice in chunk.choices or ():
            self._receive_choice(choice, tokens)
        if chunk.usage is not None:
            self._receive_usage(chunk.usage)
        elif chunk.x_groq is not None and chunk.x_groq.usage is not None:
            self._receive_usage(chunk.x_groq.usage)

    def _receive_opening(self, chunk: OpeningChunk) -> None:
        self._id = self._id or chunk.id
        self._model = self._model or chunk.model
        if self._id and self._model:
            self._decode = decode_chunk

    def _receive_choice(self, choice: Choice, tokens: list[Token]) -> None:
        index = choice.index
        state = self._choices.get(index) or self._begin_choice(index)
        delta = choice.delta or choice.message
        if delta is not None:
            if delta.content and choice.logprobs is None and self._torn is None:
                tokens.append(TextDelta(delta.content, index))  # nine chunks in ten
                self._text_expected = index == 0 and self._decode is decode_chunk
            else:
                self._receive_text(delta.content, choice, tokens)
            if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
                self._receive_reasoning(delta, index, state, tokens)
            if delta.refusal:
                self._receive_piece("refusal", index, delta.refusal, tokens)
            if delta.tool_calls:
                self._receive_tool_calls(delta.tool_calls, index, state, tokens)
        if choice.usage is not None:
            self._receive_usage(choice.usage)
        if choice.finish_reason:
            state.finish = choice.finish_reason[:_MAX_FINISH_LENGTH]
            self._ended_in_error = self._ended_in_error or choice.finish_reason == "error"

    def _begin_choice(self, index: int) -> _ChoiceState:
        if len(self._choices) >= self._limits.choices:
            raise limit_error("choices", self._limits.choices)
        state = self._choices[index] = _ChoiceState()
        return state

    def _receive_text(self, text: str | None, choice: Choice, tokens: list[Token]) -> None:
        logprobs = token_logprobs(choice.logprobs)
        if text and self._torn is not None:
            text = self._torn.mend(("text", choice.index, 0), text)
        if text or logprobs:
            tokens.append(TextDelta(text or "", choice.index, logprobs))

    def _receive_reasoning(
        self, delta: Delta, index: int, state: _ChoiceState, tokens: list[Token]
    ) -> None:
        text = delta.reasoning_content or delta.reasoning
        if delta.reasoning_details:
            self._refuse_deep(delta.reasoning_details)
            state.details = state.details or ReasoningDetails()
            detailed = state.details.add(delta.reasoning_details)
            sizes = (c.details.size for c in self._choices.values() if c.details)
            if sum(sizes) > self._limits.answer_bytes:
                raise limit_error("answer_bytes", self._limits.answer_bytes)
            text = text or detailed
        if text:
            self._receive_piece("reasoning", index, text, tokens)

    def _receive_piece(
        self, kind: Literal["reasoning", "refusal"], index: int, text: str, tokens: list[Token]
    ) -> None:
        if self._torn is not None:
            text = self._torn.mend((kind, index, 0), text)
        if text:
            tokens.append(_token(kind, index, 0, text))

    def _receive_tool_calls(
        self,
        fragments: list[ToolCallFragment],
        index: int,
        state: _ChoiceState,
        tokens: list[Token],
    ) -> None:
        for position, fragment in enumerate(fragments):
            if not fragment.says_anything:
                continue  # it must not take a number that no token would show
            state.calls = state.calls or ToolCallSorter()
            call = state.calls.place(fragment, position, len(fragments))
            if call.number >= self._limits.tool_calls:
                raise limit_error("tool_calls", self._limits.tool_calls)
            call_id, name = call.learn(fragment)
            arguments = (fragment.function and fragment.function.arguments) or ""
            if self._torn is not None:
                arguments = self._torn.mend(("arguments", index, call.number), arguments)
            self._refuse_deep(fragment.extra_content)
            signature = lenient.compact(fragment.extra_content) if fragment.extra_content else None
            if call_id or name or arguments or signature:
                tokens.append(
                    ToolCallDelta(call.number, call_id, name, arguments, index, signature)
                )

    def _refuse_deep(self, value: object) -> None:
        """Refuse what fast decoding, which has no limit of ours, let through."""
        if value and lenient.nests_deeper(value, self._limits.json_depth):
            raise limit_error("json_depth", self._limits.json_depth)

    def _receive_usage(self, usage: UsageCounts) -> None:
        """Keep the last usage that says anything; counts are never added up."""
        self._text_expected = False  # a server that counts in one chunk of text does so in all
        if usage.prompt_tokens is not None or usage.completion_tokens is not None:
            self._usage = usage

    def _end(self) -> End:
        finishes = {
            index: Finish(_FINISH_REASONS.get(choice.finish or "", "other"), choice.finish)
            for index, choice in sorted(self._choices.items())
        }
        first = next(iter(finishes.values()), Finish("other"))
        return End(
            finish=first.reason,
            raw_finish=first.raw,
            finishes=MappingProxyType(finishes),
            usage=_usage(self._usage),
            model=self._model,
            response_id=self._id,
        )


def _token(kind: _TextKind, index: int, number: int, text: str) -> Token:
    match kind:
        case "text":
            return TextDelta(text, index)
        case "reasoning":
            return ReasoningDelta(text, index)
        case "refusal":
            return RefusalDelta(text, index)
        case "arguments":
            return ToolCallDelta(number, arguments=text, choice=index)
        case _:
            assert_never(kind)


def _usage(counts: UsageCounts | None) -> Usage | None:
    if counts is None:
        return None
    inputs = counts.prompt_tokens_details or TokenDetails()
    outputs = counts.completion_tokens_details or TokenDetails()
    cached = inputs.cached_tokens
    return Usage(
        input_tokens=counts.prompt_tokens,
        output_tokens=counts.completion_tokens,
        total_tokens=counts.total_tokens,
        cached_tokens=cached if cached is not None else counts.prompt_cache_hit_tokens,
        cache_write_tokens=inputs.cache_write_tokens,
        reasoning_tokens=outputs.reasoning_tokens,
    )
