"""An answer put together from its tokens: complete, or what had arrived when it broke off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never, final

import attrs

from tokenwire.messages import Message, Part, Reasoning, Text, ToolCall
from tokenwire.tokens import (
    End,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

#: What things are taken to cost in memory besides their text, in bytes, on the safe side.
_BLOCK_OVERHEAD: Final = 1024
_LOGPROB_OVERHEAD: Final = 256


@final
@attrs.frozen(kw_only=True)
class Choice:
    """One of the alternative answers.

    Attributes:
        index: Its number.
        parts: Text, reasoning and tool calls in the order in which they began.
        refusal: The text with which the model declined, empty where it did not.
        finish: Why it ended, None where it did not get that far.
        logprobs: Log probabilities in order, empty where none were asked for.
    """

    index: int
    parts: tuple[Part, ...] = ()
    refusal: str = ""
    finish: Finish | None = None
    logprobs: tuple[TokenLogprob, ...] = ()

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        """The reasoning parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in order; where the provider names no id, it is ``call_0`` and so on."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


@final
@attrs.frozen(kw_only=True)
class Completion:
    """What an answer amounts to.

    The properties speak of choice 0, which is the only one unless ``n`` was set.

    Attributes:
        choices: Every choice that said something, by its number.
        end: The last token; None where the answer is not complete.
    """

    choices: tuple[Choice, ...] = ()
    end: End | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer reached its end."""
        return self.end is not None

    @property
    def first(self) -> Choice:
        """Choice 0, empty where nothing of it has come."""
        return next((choice for choice in self.choices if choice.index == 0), Choice(index=0))

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.first.text

    @property
    def reasoning(self) -> str:
        """The model's reasoning as far as it was shown."""
        return self.first.reasoning

    @property
    def refusal(self) -> str:
        """The text with which the model declined."""
        return self.first.refusal

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in order."""
        return self.first.tool_calls

    @property
    def finish(self) -> FinishReason | None:
        """Why the answer ended, None where it did not."""
        return self.end.finish if self.end else None

    @property
    def usage(self) -> Usage | None:
        """Token counts; None where the provider sent none or the answer broke off."""
        return self.end.usage if self.end else None

    @property
    def message(self) -> Message:
        """The answer as a `Message`, to go on with the conversation.

        Raises:
            ValueError: If there is nothing that a message could hold.
        """
        parts = self.first.parts or ((Text(self.refusal),) if self.refusal else ())
        if not parts:
            raise ValueError("the answer is empty, so there is no message to go on with")
        return Message("assistant", parts)


class _Pieces:
    """A text that grows by pieces, in linear time.

    It is kept as UTF-8: a short str costs some fifty bytes more than its characters, and one
    character outside of the first 65,536 makes a str four times as large.
    """

    __slots__ = ("utf8",)

    def __init__(self) -> None:
        self.utf8 = bytearray()

    def add(self, piece: str) -> None:
        self.utf8 += piece.encode("utf-8", "surrogatepass")  # a caller's own tokens may be torn

    def text(self) -> str:
        return self.utf8.decode("utf-8", "surrogatepass")


class _TextBlock(_Pieces):
    __slots__ = ()

    def goes_on_with(self, token: Token) -> bool:
        """Whether a token does nothing but go on with this block."""
        return type(token) is TextDelta and token.choice == 0 and token.logprobs is None

    def going_on(self, tokens: Sequence[Token]) -> list[str]:
        """Return the texts of those that do: a call for each would double what it takes."""
        return [
            token.text
            for token in tokens
            if type(token) is TextDelta and token.choice == 0 and token.logprobs is None
        ]

    def part(self) -> Part:
        return Text(self.text())


class _ReasoningBlock(_Pieces):
    __slots__ = ("signature",)

    def __init__(self) -> None:
        super().__init__()
        self.signature: str | None = None

    def goes_on_with(self, token: Token) -> bool:
        """Whether a token does nothing but go on with this block."""
        return type(token) is ReasoningDelta and token.choice == 0 and token.signature is None

    def going_on(self, tokens: Sequence[Token]) -> list[str]:
        """Return the texts of those that do: a call for each would double what it takes."""
        return [
            token.text
            for token in tokens
            if type(token) is ReasoningDelta and token.choice == 0 and token.signature is None
        ]

    def part(self) -> Part:
        return Reasoning(self.text(), self.signature)


class _ToolCallBlock(_Pieces):
    __slots__ = ("id", "index", "name", "signature")

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index
        self.id: str | None = None
        self.name: str | None = None
        self.signature: str | None = None

    def part(self) -> Part:
        return ToolCall(
            id=self.id or f"call_{self.index}",
            name=self.name or "",
            arguments=self.text(),
            signature=self.signature,
        )


_Block: TypeAlias = _TextBlock | _ReasoningBlock | _ToolCallBlock


class _GrowingChoice:
    __slots__ = ("blocks", "calls", "logprobs", "refusal")

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.calls: dict[int, _ToolCallBlock] = {}
        self.refusal: _Pieces | None = None
        self.logprobs: list[TokenLogprob] = []

    def begins_block(self, token: Token) -> bool:
        last = self.blocks[-1] if self.blocks else None
        match token:
            case TextDelta():
                return bool(token.text) and not isinstance(last, _TextBlock)
            case ReasoningDelta():
                # A signature closes its block: what follows is signed on its own.
                return not isinstance(last, _ReasoningBlock) or last.signature is not None
            case ToolCallDelta():
                return token.index not in self.calls
            case RefusalDelta() | End():
                return False
            case _:
                assert_never(token)

    def open_block(self) -> _TextBlock | _ReasoningBlock | None:
        last = self.blocks[-1] if self.blocks else None
        if isinstance(last, _ReasoningBlock):
            return last if last.signature is None else None
        return last if isinstance(last, _TextBlock) else None

    def add_refusal(self, token: RefusalDelta) -> None:
        self.refusal = self.refusal or _Pieces()
        self.refusal.add(token.text)

    def add_text(self, token: TextDelta) -> None:
        if self.begins_block(token):
            self.blocks.append(_TextBlock())
        if token.text:
            self.blocks[-1].add(token.text)
        if token.logprobs:
            self.logprobs += token.logprobs

    def add_reasoning(self, token: ReasoningDelta) -> None:
        if self.begins_block(token):
            self.blocks.append(_ReasoningBlock())
        last = self.blocks[-1]
        assert isinstance(last, _ReasoningBlock)
        last.add(token.text)
        last.signature = token.signature

    def add_tool_call(self, token: ToolCallDelta) -> None:
        call = self.calls.get(token.index)
        if call is None:
            call = self.calls[token.index] = _ToolCallBlock(token.index)
            self.blocks.append(call)
        call.id = call.id or token.id
        call.name = call.name or token.name
        call.signature = call.signature or token.signature
        call.add(token.arguments)

    def choice(self, index: int, end: End | None) -> Choice:
        return Choice(
            index=index,
            parts=tuple(block.part() for block in self.blocks),
            refusal=self.refusal.text() if self.refusal is not None else "",
            finish=end.finishes.get(index) if end else None,
            logprobs=tuple(self.logprobs),
        )


def _size(text: str | None) -> int:
    """Return an upper bound of the bytes that Python keeps a text in."""
    return 0 if text is None else len(text) if text.isascii() else 4 * len(text)


def _sizes(token: Token) -> int:
    match token:
        case TextDelta(text, _, logprobs):
            entries = sum(1 + len(entry.top) for entry in logprobs or ())
            return _size(text) + entries * _LOGPROB_OVERHEAD
        case ReasoningDelta(text, _, signature):
            return _size(text) + _size(signature)
        case RefusalDelta(text):
            return _size(text)
        case ToolCallDelta():
            texts = (token.id, token.name, token.arguments, token.signature)
            return sum(_size(text) for text in texts)
        case End():
            return 0
        case _:
            assert_never(token)


@final
class CompletionBuilder:
    """Puts tokens together, in time and memory linear in their text.

    Args:
        max_bytes: How much to keep, None for no bound. Text that is not ASCII counts four bytes a
            character, as Python may need.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        self._choices: dict[int, _GrowingChoice] = {}
        self._open: _TextBlock | _ReasoningBlock | None = None  # what choice 0 may go on with
        self._end: End | None = None
        self._max_bytes = math.inf if max_bytes is None else max_bytes
        self._bytes = 0

    def extend(self, tokens: Sequence[Token]) -> int:
        """Take the next tokens of the answer.

        Returns:
            How many of them were taken before the bound was reached: normally all.
        """
        block = self._open
        if block is not None:
            # Nearly all reads bring tokens that all go on with the same block, live streams one.
            if len(tokens) == 1 and block.goes_on_with(tokens[0]):
                text = tokens[0].text
                size = self._bytes + (len(text) if text.isascii() else 4 * len(text))
                if size <= self._max_bytes:
                    block.utf8 += text.encode("utf-8", "surrogatepass")
                    self._bytes = size
                    return 1
            if self._take_at_once(block, tokens):
                return len(tokens)
        if len(tokens) <= 2:
            return self._take_each(tokens)
        # The first token of an answer opens the block of the others, and the last one is its end.
        first, others, last = tokens[:1], tokens[1:-1], tokens[-1:]
        taken = self._take_each(first)
        if taken and self._open is not None and self._take_at_once(self._open, others):
            return taken + len(others) + self._take_each(last)
        return taken + self._take_each(tokens[taken:])

    def _take_each(self, tokens: Sequence[Token]) -> int:
        """Take tokens one by one up to the bound; return how many."""
        for taken, token in enumerate(tokens):
            size = self._bytes + self._cost(token)
            if size > self._max_bytes:
                return taken
            self._bytes = size
            self._add(token)
        return len(tokens)

    def _take_at_once(self, block: _TextBlock | _ReasoningBlock, tokens: Sequence[Token]) -> bool:
        """Take tokens that all go on with a block; return False if there is more to one of them."""
        texts = block.going_on(tokens)
        text = "".join(texts)
        size = self._bytes + (len(text) if text.isascii() else sum(map(_size, texts)))
        if len(texts) < len(tokens) or size > self._max_bytes:
            return False
        block.add(text)
        self._bytes = size
        return True

    def _add(self, token: Token) -> None:
        if isinstance(token, End):
            self._end = token
            for index in token.finishes:
                self._choice(index)
            return
        choice = self._choice(token.choice)
        match token:
            case TextDelta():
                choice.add_text(token)
            case ReasoningDelta():
                choice.add_reasoning(token)
            case RefusalDelta():
                choice.add_refusal(token)
            case ToolCallDelta():
                choice.add_tool_call(token)
            case _:
                assert_never(token)
        if token.choice == 0:
            self._open = choice.open_block()

    def _cost(self, token: Token) -> int:
        choice = self._choices.get(token.choice) or _GrowingChoice()
        return _sizes(token) + choice.begins_block(token) * _BLOCK_OVERHEAD

    def _choice(self, index: int) -> _GrowingChoice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _GrowingChoice()
        return choice

    def completion(self) -> Completion:
        """Return what has come so far."""
        return Completion(
            choices=tuple(
                self._choices[index].choice(index, self._end) for index in sorted(self._choices)
            ),
            end=self._end,
        )
