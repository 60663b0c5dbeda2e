"""Chat completions, of OpenAI's many cousins and of Azure.

An answer is built twice: as the bytes that some server would send, and as what must be read out of
them. The model behind it is the list of choices with the pieces that each says, so the expectation
is joined from the pieces and owes nothing to the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.answer_streams.model import (
    AnswerStream,
    Call,
    Counts,
    Object,
    Said,
    counts,
    event_stream,
    fragments,
    mended,
    with_some,
)
from tests.strategies import names
from tokenwire.tokens import Finish, FinishReason

Kind: TypeAlias = Literal["text", "reasoning", "refusal"]

# What is said


@final
@attrs.frozen
class CallModel:
    """A tool call as a server means it."""

    id: str
    name: str
    arguments: tuple[str, ...]


@final
@attrs.frozen
class ChoiceModel:
    """What one choice says: pieces of each kind in order, then calls, then why it ended."""

    pieces: tuple[tuple[Kind, str], ...]
    calls: tuple[CallModel, ...]
    finish: str

    def said(self) -> Said:
        """Return what a client must read."""
        return Said(
            text=self._joined("text"),
            reasoning=self._joined("reasoning"),
            refusal=self._joined("refusal"),
            calls=tuple(
                Call(call.id, call.name, mended("".join(call.arguments))) for call in self.calls
            ),
            finish=Finish(FINISHES[self.finish], self.finish),
        )

    def _joined(self, kind: Kind) -> str:
        return mended("".join(text for of, text in self.pieces if of == kind))


_KINDS: Sequence[Kind] = ("text", "text", "reasoning", "refusal")

#: Finish reasons, and what they mean.
FINISHES: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "insufficient_system_resource": "other",
    "STOP": "other",
}


@st.composite
def _calls(draw: st.DrawFn) -> tuple[CallModel, ...]:
    ids = draw(st.lists(names, max_size=3, unique=True))
    return tuple(
        CallModel(f"call-{call_id}", draw(names), tuple(draw(fragments()))) for call_id in ids
    )


@st.composite
def _choices(draw: st.DrawFn) -> ChoiceModel:
    kinds = draw(st.lists(st.sampled_from(_KINDS), max_size=4))
    pieces: list[tuple[Kind, str]] = [
        (kind, piece) for kind in kinds for piece in draw(fragments()) if piece
    ]
    return ChoiceModel(tuple(pieces), draw(_calls()), draw(st.sampled_from(sorted(FINISHES))))


# How its chunks say it


def _spelled_reasoning(text: str) -> list[Object]:
    """Return every spelling of a piece of reasoning."""
    return [
        {"reasoning_content": text},
        {"reasoning": text, "content": ""},
        {"reasoning": text, "reasoning_content": text},
        {"content": [{"type": "thinking", "thinking": text}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": text}]},
    ]


def _spelled_text(text: str) -> list[Object]:
    return [
        {"content": text},
        {"role": "assistant", "content": text, "refusal": None, "tool_calls": None},
        {"content": [{"type": "text", "text": text}]},
        {"content": [text[:1], {"type": "text", "text": text[1:]}, {"type": "image_url"}]},
    ]


def _piece_delta(kind: Kind, text: str) -> SearchStrategy[Object]:
    match kind:
        case "text":
            return st.sampled_from(_spelled_text(text))
        case "reasoning":
            return st.sampled_from(_spelled_reasoning(text))
        case "refusal":
            return st.just({"refusal": text})


def _fragment(index: int | None, call_id: str | None, name: str | None, text: str) -> Object:
    fragment: Object = {"type": "function", "function": {"arguments": text}}
    if index is not None:
        fragment["index"] = index
    if call_id is not None:
        fragment["id"] = call_id
    if name is not None:
        fragment["function"]["name"] = name
    return fragment


def _numbered(calls: Sequence[CallModel], first: int) -> list[list[Object]]:
    """Write calls as the reference does: index on each fragment, id and name on the first."""
    return [
        [
            _fragment(first + number, None if i else call.id, None if i else call.name, text)
            for i, text in enumerate(call.arguments)
        ]
        for number, call in enumerate(calls)
    ]


def _repeating(calls: Sequence[CallModel]) -> list[list[Object]]:
    """Write calls with index, id and name on every fragment."""
    return [
        [_fragment(number, call.id, call.name, text) for text in call.arguments]
        for number, call in enumerate(calls)
    ]


def _emptying(calls: Sequence[CallModel]) -> list[list[Object]]:
    """Write calls with an empty id and name on later fragments."""
    return [
        [
            _fragment(number, "" if i else call.id, "" if i else call.name, text)
            for i, text in enumerate(call.arguments)
        ]
        for number, call in enumerate(calls)
    ]


def _unnumbered(calls: Sequence[CallModel], index: int | None) -> list[list[Object]]:
    """Write each call whole, without index or all at the same."""
    return [[_fragment(index, call.id, call.name, "".join(call.arguments))] for call in calls]


def _trailing(calls: Sequence[CallModel]) -> list[list[Object]]:
    """Write calls without index, whose later fragments hold nothing but arguments."""
    return [
        [
            _fragment(None, None if i else call.id, None if i else call.name, text)
            for i, text in enumerate(call.arguments)
        ]
        for call in calls
    ]


_SPELLED_CALLS: tuple[Callable[[Sequence[CallModel]], list[list[Object]]], ...] = (
    lambda calls: _numbered(calls, 0),
    lambda calls: _numbered(calls, 2),
    _repeating,
    _emptying,
    lambda calls: _unnumbered(calls, None),
    lambda calls: _unnumbered(calls, 0),
    _trailing,
)


@st.composite
def _call_deltas(draw: st.DrawFn, calls: Sequence[CallModel]) -> list[Object]:
    """Write the calls of a choice as deltas, one or several fragments in each."""
    fragments = [f for call in draw(st.sampled_from(_SPELLED_CALLS))(calls) for f in call]
    deltas: list[Object] = []
    while fragments:
        # Several fragments without index or id in one delta would belong to several calls.
        whole = all(f.get("id") or "index" in f for f in fragments)
        count = draw(st.integers(1, 3)) if whole else 1
        deltas.append({"tool_calls": fragments[:count]})
        fragments = fragments[count:]
    return deltas


#: What Azure adds to choices, and the chunks in which it speaks of nothing else.
_FILTERED: Object = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
_AZURE_ENTRIES: tuple[Object, ...] = (
    {"finish_reason": None, **_FILTERED, "content_filter_offsets": {"check_offset": 44}},
    {"finish_reason": None, "delta": None, **_FILTERED},
)
_AZURE_CHUNKS: tuple[Object, ...] = (
    {"choices": [], "prompt_filter_results": [{"prompt_index": 0, **_FILTERED}]},
    {"choices": [], "prompt_annotations": [], "model": ""},
)


@st.composite
def _azure_entries(draw: st.DrawFn, index: int, entries: list[Object]) -> list[Object]:
    """Put filter results into some entries, and entries of their own between them."""
    no_results: Object = {}
    results = st.sampled_from((no_results, _FILTERED, {"content_filter_results": no_results}))
    filtered = [{**entry, **draw(results)} for entry in entries]
    others = [{"index": index, **entry} for entry in _AZURE_ENTRIES]
    return draw(with_some(filtered, others))


@st.composite
def _choice_entries(draw: st.DrawFn, index: int, choice: ChoiceModel) -> list[Object]:
    """Write a choice as the entries of successive chunks, the last with its finish reason."""
    deltas: list[Any] = [draw(_piece_delta(kind, text)) for kind, text in choice.pieces]
    deltas += draw(_call_deltas(choice.calls))
    position = st.integers(0, len(deltas))
    for silent in draw(st.lists(st.sampled_from(({}, None, {"content": None})), max_size=2)):
        deltas.insert(draw(position), silent)
    entries = [{"index": index, "delta": delta, "finish_reason": None} for delta in deltas]
    if not entries or draw(st.booleans()):
        entries.append({"index": index, "delta": {}})
    entries[-1]["finish_reason"] = choice.finish
    return entries


_SILENT_CHUNKS: tuple[Object, ...] = (
    {"choices": []},
    {"choices": None},
    {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
    {},
    {"error": None, "object": "chat.completion.chunk"},
)


@st.composite
def _chunks(draw: st.DrawFn, choices: Sequence[ChoiceModel], *, azure: bool) -> list[Object]:
    """Write an answer as chunks, its choices interleaved."""
    waiting = [draw(_choice_entries(index, choice)) for index, choice in enumerate(choices)]
    if azure:
        waiting = [draw(_azure_entries(index, entries)) for index, entries in enumerate(waiting)]
    # An answer whose choices have all ended is complete: the first entry of each comes first.
    chunks: list[Object] = [{"choices": [entries.pop(0)]} for entries in waiting if entries[1:]]
    while remaining := [entries for entries in waiting if entries]:
        chunks.append({"choices": [draw(st.sampled_from(remaining)).pop(0)]})
    silent_chunks = _AZURE_CHUNKS if azure else _SILENT_CHUNKS
    for silent in draw(st.lists(st.sampled_from(silent_chunks), max_size=2)):
        chunks.insert(draw(st.integers(0, len(chunks))), silent)
    head = {"id": "chat-1", "model": "m-1"}
    return [draw(st.sampled_from([chunk, {**head, **chunk}])) for chunk in chunks]


@st.composite
def _placed_usage(draw: st.DrawFn, chunks: list[Object]) -> tuple[list[Object], Counts]:
    """Put token counts in one of the places where servers send them."""
    numbers = (draw(counts), draw(counts), draw(counts))
    usage = dict(zip(("prompt_tokens", "completion_tokens", "total_tokens"), numbers, strict=True))
    last = chunks[-1]
    match draw(st.sampled_from(("none", "alone", "last", "groq", "choice", "every"))):
        case "alone":
            return [*chunks, {"choices": [], "usage": usage}], numbers
        case "last":
            return [*chunks[:-1], {**last, "usage": usage}], numbers
        case "groq":
            return [*chunks[:-1], {**last, "x_groq": {"usage": usage}}], numbers
        case "choice" if last.get("choices"):
            entry = {**last["choices"][0], "usage": usage}
            return [*chunks[:-1], {**last, "choices": [entry]}], numbers
        case "every":
            earlier = [{**chunk, "usage": {"prompt_tokens": 1}} for chunk in chunks]
            return [*earlier, {"choices": [], "usage": usage}], numbers
        case _:
            return [{**chunk, "usage": None} for chunk in chunks], (None, None, None)


@st.composite
def chat_streams(draw: st.DrawFn, *, azure: bool = False) -> AnswerStream:
    """Build a complete answer with any mixture of the oddities that servers show."""
    choices = tuple(draw(st.lists(_choices(), min_size=1, max_size=3)))
    chunks, usage = draw(_placed_usage(draw(_chunks(choices, azure=azure))))
    body, marker = draw(event_stream(chunks, _is_complete, last=("[DONE]",)))
    return AnswerStream(body, dict(enumerate(map(ChoiceModel.said, choices))), usage, marker)


def _is_complete(chunks: Sequence[Object]) -> bool:
    """Whether every choice that began in these chunks has its finish reason."""
    entries = [entry for chunk in chunks for entry in chunk.get("choices") or ()]
    finished = {entry["index"] for entry in entries if entry.get("finish_reason")}
    return bool(entries) and finished == {entry["index"] for entry in entries}
