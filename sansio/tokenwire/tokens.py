"""The vocabulary of an answer: what comes out of every wire format, token by token.

`Token` is a closed union. Every member has ``text`` (empty where it has none) and ``choice`` (the
index of the alternative answer it belongs to), so that the most common program needs no ``match``.
Every complete stream ends with exactly one `End`.

These are msgspec structs, unlike the other facts of this library, which are attrs classes: answers
bring them by the thousand, and a frozen attrs object takes ten times as long to make. They are as
immutable, and `msgspec.structs` has what `attrs.asdict` and `attrs.evolve` do. What a stream brings
many of is not tracked by the garbage collector either: it holds nothing that could hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, final

import msgspec

#: Why an answer ended, in words that all providers share. What is not known maps to ``other``,
#: never to ``stop``; the provider's own word is kept beside it.
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "other"]


@final
class TokenLogprob(msgspec.Struct, frozen=True, gc=False):
    """Log probability of one model token, with the alternatives that were asked for.

    Attributes:
        text: The model token as text; may be an incomplete character, then it holds U+FFFD.
        logprob: Natural logarithm of its probability.
        top: Alternatives as (text, logprob), the most likely first.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@final
class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer's text."""

    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] | None = None


class _Signed(msgspec.Struct, frozen=True, gc=False):
    """What may have a signature, which no representation shows."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Give names and values to those who print tokens in their own way."""
        names = self.__struct_fields__
        return [(name, getattr(self, name)) for name in names if name != "signature"]

    def __repr__(self) -> str:
        members = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(members)})"


@final
class ReasoningDelta(_Signed, frozen=True, gc=False):
    """A piece of the model's reasoning.

    Attributes:
        signature: Opaque data that proves the reasoning block so far; it ends that block, and some
            providers demand it back with the conversation. Hidden from `repr`.
    """

    text: str
    choice: int = 0
    signature: str | None = None


@final
class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the text with which the model declines."""

    text: str
    choice: int = 0


@final
class ToolCallDelta(_Signed, frozen=True, gc=False):
    """A piece of a tool call.

    Attributes:
        index: Which call of this choice, counted from 0 in order of appearance; never reused.
        id: The provider's id of the call, once, on the first piece that knows it.
        name: The tool's name, once, on the first piece that knows it.
        arguments: A fragment of the JSON text of the arguments. Fragments are joined; the whole is
            JSON only when the answer is complete, and may be empty for a tool without parameters.
        signature: Opaque data to send back with the call. Hidden from `repr`.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0
    signature: str | None = None

    @property
    def text(self) -> str:
        """Always empty: a tool call is not part of the text."""
        return ""


@final
class Usage(msgspec.Struct, frozen=True):
    """Model tokens that the provider counted, None where it did not say.

    Attributes:
        input_tokens: Tokens of the request, cached ones included.
        output_tokens: Tokens of the answer, reasoning included.
        total_tokens: The provider's own sum; not always that of the two above.
        cached_tokens: Input tokens that were read from the provider's cache.
        cache_write_tokens: Input tokens that were written to it.
        reasoning_tokens: Output tokens that were reasoning.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


@final
class Durations(msgspec.Struct, frozen=True):
    """How long the provider says that it took, in seconds; None where it did not say.

    Attributes:
        load_s: Loading the model.
        input_s: Reading the request.
        output_s: Generating the answer.
        total_s: All of it, and what else there was to do.
    """

    load_s: float | None = None
    input_s: float | None = None
    output_s: float | None = None
    total_s: float | None = None


@final
class Finish(msgspec.Struct, frozen=True):
    """Why one choice ended: the shared word and the provider's own (None where it sent none)."""

    reason: FinishReason
    raw: str | None = None


_NO_FINISHES: Final[Mapping[int, Finish]] = MappingProxyType({})


@final
class End(msgspec.Struct, frozen=True):
    """The answer is complete. Always the last token, and the only one of its kind.

    Attributes:
        finish: Why the first choice ended.
        raw_finish: The provider's own word for it, None where it sent none.
        finishes: The same for every choice, by its index.
        usage: Token counts, None where the provider sent none.
        model: The model that answered, in the provider's words.
        response_id: The provider's id of the answer.
        durations: How long it took there, None where the provider does not tell.
    """

    finish: FinishReason
    raw_finish: str | None = None
    finishes: Mapping[int, Finish] = _NO_FINISHES
    usage: Usage | None = None
    model: str | None = None
    response_id: str | None = None
    durations: Durations | None = None

    def __hash__(self) -> int:
        """Hash what two answers rarely share; `finishes` is a mapping, which has no hash."""
        return hash((self.finish, self.raw_finish, self.usage, self.model, self.response_id))

    @property
    def text(self) -> str:
        """Always empty."""
        return ""

    @property
    def choice(self) -> int:
        """Always 0: the end belongs to the whole answer."""
        return 0


#: One event of an answer. Consumers ``match`` on it and end in ``assert_never``.
Token: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | End
