"""From lines to tokens: the state of one chat answer.

Each line adds text, reasoning or whole tool calls; the last one is ``done``, says why and counts.
A line with an error ends a stream whose status was a success, so that is looked for first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Final, Literal, assert_never, final

from tokenwire import lenient_json as lenient
from tokenwire.endpoint import Limits
from tokenwire.tokens import (
    Durations,
    End,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from tokenwire.torn_text import TornText
from tokenwire.wire.malformed import UNDECODABLE, decode_object, limit_error
from tokenwire.wire.ollama.failures import classify, read_failure
from tokenwire.wire.ollama.lines import (
    Function,
    Line,
    Logprob,
    Message,
    ToolCall,
    decode_line,
    decode_text_only_line,
    tolerant_line,
)

#: Words for the shared reasons. What is missing here (``load``, ``unload``) maps to ``other``.
_FINISH_REASONS: Final[dict[str, FinishReason]] = {"stop": "stop", "length": "length"}

_NO_DIGITS: Final = re.compile(r"\D")

#: Digits of a time stamp, down to the nanosecond.
_TIME_DIGITS: Final = 23

_TextKind = Literal["text", "reasoning"]


@final
class ChatLineReader:
    """Reads the lines of one chat answer. See `LineReader`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls = 0
        self._last = Line()
        # Strict decoding lets no half characters through: only behind a line that was read
        # tolerantly does text need mending.
        self._torn: TornText[_TextKind] | None = None
        self._text_expected = False  # the last line was text

    @property
    def complete(self) -> bool:
        """Whether the line that is ``done`` has come."""
        return self._last.done

    def receive_line(self, line: bytes, tokens: list[Token]) -> None:
        """Take one line."""
        try:
            decoded = decode_line(line)
        except UNDECODABLE:
            decoded = self._read_odd_line(line)
        self._receive(decoded, tokens)

    def read_texts(self, lines: Iterable[bytes]) -> list[Token]:
        """Read lines that are text and nothing else, up to the first other. See `ReadTexts`."""
        if not self._text_expected:
            return []
        tokens: list[Token] = []
        try:
            for line in lines:
                message = decode_text_only_line(line).message
                tokens.append(TextDelta(message.content))
        except UNDECODABLE:
            self._text_expected = False  # trying is not free
        return tokens

    def finish(self, tokens: list[Token]) -> None:
        """Append what waits for its other half and the `End`."""
        for kind, text in self._torn.rest() if self._torn else ():
            tokens.append(_token(kind, text))
        tokens.append(self._end())

    def _read_odd_line(self, data: bytes) -> Line:
        """Read what does not decode at once: an error, or an oddity."""
        value = decode_object(data, self._limits)
        failure = read_failure(value)
        if failure is not None:
            raise classify(failure, None)
        self._torn = self._torn or TornText()
        return tolerant_line(value)

    def _receive(self, line: Line, tokens: list[Token]) -> None:
        logprobs = _logprobs(line.logprobs)
        message = line.message or Message()
        self._receive_text("reasoning", message.thinking or message.reasoning_content, tokens)
        text = self._mended("text", message.content or line.response)
        self._text_expected = bool(text) and self._torn is None
        if text or logprobs:
            tokens.append(TextDelta(text, logprobs=logprobs))
        for call in message.tool_calls or ():
            self._receive_tool_call(call, line.created_at or "", tokens)
        if line.done:
            self._last = line
            self.finish(tokens)

    def _receive_text(self, kind: _TextKind, text: str | None, tokens: list[Token]) -> None:
        if mended := self._mended(kind, text):
            tokens.append(_token(kind, mended))

    def _mended(self, kind: _TextKind, text: str | None) -> str:
        if text and self._torn is not None:
            return self._torn.mend(kind, text)
        return text or ""

    def _receive_tool_call(self, call: ToolCall, created_at: str, tokens: list[Token]) -> None:
        number = self._calls
        if number >= self._limits.tool_calls:
            raise limit_error("tool_calls", self._limits.tool_calls)
        self._calls += 1
        function = call.function or Function()
        tokens.append(
            ToolCallDelta(
                number,
                id=call.id or _call_id(created_at, number),
                name=function.name or None,
                arguments=self._arguments(function.arguments),
            )
        )

    def _arguments(self, value: dict[str, Any] | str | None) -> str:
        if isinstance(value, str):
            return value
        if value and lenient.nests_deeper(value, self._limits.json_depth):
            # Fast decoding, which has no limit of ours, let it through.
            raise limit_error("json_depth", self._limits.json_depth)
        return lenient.compact(value or {})

    def _end(self) -> End:
        finish = self._finish()
        return End(
            finish=finish.reason,
            raw_finish=finish.raw,
            finishes=MappingProxyType({0: finish}),
            usage=_usage(self._last),
            model=self._last.model,
            durations=_durations(self._last),
        )

    def _finish(self) -> Finish:
        raw = self._last.done_reason
        reason = _FINISH_REASONS.get(raw or "", "other")
        # The API has no word of its own for it: an answer that calls tools just stops.
        return Finish("tool_calls" if reason == "stop" and self._calls else reason, raw)


def _token(kind: _TextKind, text: str) -> Token:
    match kind:
        case "text":
            return TextDelta(text)
        case "reasoning":
            return ReasoningDelta(text)
        case _:
            assert_never(kind)


def _call_id(created_at: str, number: int) -> str:
    """Make an id for a call that has none, unlike those of other answers."""
    time = _NO_DIGITS.sub("", created_at)[:_TIME_DIGITS]
    return f"call_{number}_{time}" if time else f"call_{number}"


def _logprobs(entries: list[Logprob] | None) -> tuple[TokenLogprob, ...] | None:
    if not entries:
        return None
    return tuple(
        TokenLogprob(
            lenient.repaired(entry.token),
            entry.logprob,
            tuple((lenient.repaired(top.token), top.logprob) for top in entry.top_logprobs or ()),
        )
        for entry in entries
    )


def _usage(line: Line) -> Usage | None:
    if line.prompt_eval_count is None and line.eval_count is None:
        return None
    return Usage(input_tokens=line.prompt_eval_count, output_tokens=line.eval_count)


def _durations(line: Line) -> Durations | None:
    durations = Durations(
        load_s=_seconds(line.load_duration),
        input_s=_seconds(line.prompt_eval_duration),
        output_s=_seconds(line.eval_duration),
        total_s=_seconds(line.total_duration),
    )
    return durations if durations != Durations() else None


def _seconds(nanoseconds: int | None) -> float | None:
    return nanoseconds / 1e9 if nanoseconds is not None else None
