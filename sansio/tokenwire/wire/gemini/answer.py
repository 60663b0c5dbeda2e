"""From chunks to tokens: the state of one answer.

The stream is ``data: {chunk}`` events and nothing else: no names, no end marker. An answer is
complete when every candidate that began has its finish reason; the `End` waits for the end of the
body, because counts may come until then. A prompt that was blocked has no candidates at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Final, final

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.sse import EventRun, ServerSentEvent
from tokenwire.tokens import (
    End,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    Token,
    Usage,
)
from tokenwire.torn_text import TornText
from tokenwire.wire.gemini.calls import Calls
from tokenwire.wire.gemini.chunks import (
    Candidate,
    Chunk,
    Part,
    UsageCounts,
    decode_chunk,
    decode_text_only_chunk,
    tolerant_chunk,
)
from tokenwire.wire.gemini.failures import blocked_prompt, classify, error_event, read_failure
from tokenwire.wire.gemini.partial_args import Allowance
from tokenwire.wire.gemini.signatures import Signature
from tokenwire.wire.malformed import (
    UNDECODABLE,
    decode_json,
    is_json,
    limit_error,
    schema_error,
    truncated_error,
)

#: Some proxies end the stream as other APIs do.
_DONE: Final = b"[DONE]"

#: Words for the shared reasons. What is missing here maps to ``other``.
_FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "FUNCTION_CALL": "tool_calls",  # not the API's, but that of servers that imitate it
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}

#: Longest piece of a finish reason that is kept: every candidate has one until the end.
_MAX_FINISH_LENGTH: Final = 256


class _CandidateState:
    __slots__ = ("calls", "finish")

    def __init__(self, calls: Calls) -> None:
        self.finish: str | None = None
        self.calls = calls


@final
class GenerateContentReader:
    """Reads the events of one answer. See `EventReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._allowance = Allowance(limits)
        self._candidates: dict[int, _CandidateState] = {}
        self._usage: UsageCounts | None = None
        self._id: str | None = None
        self._model: str | None = None
        self._learning = True  # until both are known
        # Strict decoding lets no half characters through: only behind a chunk that was read
        # tolerantly does text need mending. A key is a candidate and whether it thinks.
        self._torn: TornText[tuple[int, bool]] | None = None
        self._text_expected = False  # the last part was text of candidate 0

    @property
    def complete(self) -> bool:
        """Whether all finish reasons have come."""
        finishes = [candidate.finish for candidate in self._candidates.values()]
        return bool(finishes) and None not in finishes

    def receive_event(self, event: ServerSentEvent, tokens: list[Token]) -> None:
        """Take one event."""
        if event.event == "error":
            raise error_event(event.data, self._limits.json_depth)
        try:
            chunk = decode_chunk(event.data)
        except UNDECODABLE:
            self._receive_odd_data(event.data, tokens)
        else:
            self._receive_chunk(chunk, tokens)

    def read_texts(self, run: EventRun) -> list[Token]:
        """Read chunks that are text and nothing else, up to the first other. See `ReadTexts`."""
        if not self._text_expected or run.event == "error":
            return []
        usages: list[UsageCounts] = []
        tokens: list[Token] = []
        try:
            for data in run.data:
                chunk = decode_text_only_chunk(data)
                if chunk.usage_metadata is not None:
                    usages.append(chunk.usage_metadata)
                tokens.append(TextDelta(chunk.candidates[0].content.parts[0].text))
        except UNDECODABLE:
            self._text_expected = False  # trying is not free
        self._receive_usages(usages)
        return tokens

    def is_whole(self, event: ServerSentEvent) -> bool:
        """An event without its blank line counts if it is ``[DONE]`` or whole JSON."""
        return event.data.strip() == _DONE or is_json(event.data, self._limits)

    def receive_document(self, document: bytes, tokens: list[Token]) -> None:
        """Take a JSON document: an answer not streamed, an array of chunks, or an error."""
        value = decode_json(document, self._limits)
        for chunk in lenient.as_array(value) or [value]:
            self._receive_odd_chunk(lenient.as_object(chunk), tokens)
        if self.complete:
            self.finish(tokens)
        elif self._candidates:
            raise truncated_error()
        else:
            raise schema_error("the response is JSON, but neither an answer nor an error", document)

    def finish(self, tokens: list[Token]) -> None:
        """Append what waits for its other half or its other pieces, and the `End`."""
        for (index, is_thought), text in self._torn.rest() if self._torn else ():
            tokens.append(_text(index, text, is_thought=is_thought))
        for candidate in self._candidates.values():
            tokens += candidate.calls.close()
        tokens.append(self._end())

    # Events

    def _receive_odd_data(self, data: bytes, tokens: list[Token]) -> None:
        """Take what does not decode as a chunk at once: ``[DONE]``, an error, or an oddity."""
        if data.strip() == _DONE:
            if not self.complete:
                raise truncated_error()
            self.finish(tokens)
            return
        value = decode_json(data, self._limits)
        members = lenient.as_object(value)
        if not members:
            self._fail_if_error(value)
            raise schema_error("an event of the stream is JSON, but no object", data)
        self._receive_odd_chunk(members, tokens)

    def _receive_odd_chunk(self, value: dict[str, Any], tokens: list[Token]) -> None:
        """Take a chunk with oddities: what it says counts also where it reports an error."""
        self._torn = self._torn or TornText()
        self._text_expected = False
        self._receive_chunk(tolerant_chunk(value), tokens)
        self._fail_if_error(value)

    def _fail_if_error(self, value: object) -> None:
        failure = read_failure(value)
        if failure is not None:
            raise classify(failure, None)

    # Chunks

    def _receive_chunk(self, chunk: Chunk, tokens: list[Token]) -> None:
        if self._learning:
            self._learn(chunk)
        for candidate in chunk.candidates or ():
            self._receive_candidate(candidate, tokens)
        if chunk.usage_metadata is not None:
            self._receive_usages([chunk.usage_metadata])
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            raise blocked_prompt(chunk.prompt_feedback)

    def _learn(self, chunk: Chunk) -> None:
        self._id = self._id or chunk.response_id
        self._model = self._model or chunk.model_version
        self._learning = not (self._id and self._model)

    def _receive_candidate(self, candidate: Candidate, tokens: list[Token]) -> None:
        index = candidate.index
        state = self._candidates.get(index) or self._begin_candidate(index)
        for part in (candidate.content and candidate.content.parts) or ():
            if part.function_call is not None:
                tokens += state.calls.receive(part, part.function_call)
            else:
                self._receive_text(part, index, tokens)
        if candidate.finish_reason:
            state.finish = candidate.finish_reason[:_MAX_FINISH_LENGTH]

    def _begin_candidate(self, index: int) -> _CandidateState:
        if len(self._candidates) >= self._limits.choices:
            raise limit_error("choices", self._limits.choices)
        calls = Calls(index, self._id, self._allowance)
        state = self._candidates[index] = _CandidateState(calls)
        return state

    def _receive_text(self, part: Part, index: int, tokens: list[Token]) -> None:
        text, is_thought = part.text or "", part.thought is True
        if self._torn is not None:
            text = self._torn.mend((index, is_thought), text)
        if text:
            tokens.append(_text(index, text, is_thought=is_thought))
        self._text_expected = not (index or is_thought or self._torn or self._learning)
        if part.thought_signature:
            signature = Signature(part.thought_signature, len(text), is_thought).pack()
            tokens.append(ReasoningDelta("", index, signature))

    def _receive_usages(self, usages: Iterable[UsageCounts]) -> None:
        """Keep the last usage that says anything; counts are those of the whole answer so far."""
        for usage in usages:
            if usage.prompt_token_count is not None or usage.candidates_token_count is not None:
                self._usage = usage

    def _end(self) -> End:
        finishes = {
            index: Finish(_finish_reason(candidate), candidate.finish)
            for index, candidate in sorted(self._candidates.items())
        }
        first = next(iter(finishes.values()))
        return End(
            finish=first.reason,
            raw_finish=first.raw,
            finishes=MappingProxyType(finishes),
            usage=_usage(self._usage),
            model=self._model,
            response_id=self._id,
        )


def _text(index: int, text: str, *, is_thought: bool) -> Token:
    return ReasoningDelta(text, index) if is_thought else TextDelta(text, index)


def _finish_reason(candidate: _CandidateState) -> FinishReason:
    reason: FinishReason = _FINISH_REASONS.get(candidate.finish or "", "other")
    # The API has no word of its own for it.
    return "tool_calls" if reason == "stop" and candidate.calls.count else reason


def _usage(counts: UsageCounts | None) -> Usage | None:
    """Count as all providers do: tool prompts as input, thoughts as output."""
    if counts is None:
        return None
    return Usage(
        input_tokens=_sum(counts.prompt_token_count, counts.tool_use_prompt_token_count),
        output_tokens=_sum(counts.candidates_token_count, counts.thoughts_token_count),
        total_tokens=counts.total_token_count,
        cached_tokens=counts.cached_content_token_count,
        reasoning_tokens=counts.thoughts_token_count,
    )


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
