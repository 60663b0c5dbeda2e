"""Streams of the Responses API, and of the servers that leave out half of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

import attrs
from hypothesis import strategies as st

from tests.answer_streams.model import (
    AnswerStream,
    Call,
    Counts,
    Naming,
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

Kind: TypeAlias = Literal[
    "output_text", "refusal", "reasoning_summary_text", "reasoning_text", "function_call_arguments"
]

#: Where texts come: in deltas, in whole texts, in whole items, in the response at the end alone.
Style: TypeAlias = Literal["deltas", "texts", "items", "end"]
_STYLES: Sequence[Style] = ("deltas", "deltas", "deltas", "texts", "items", "end")

#: Terminal events with their details, the raw reason that comes of them, and what it means.
_ENDS: tuple[tuple[Object, str, FinishReason], ...] = (
    ({"type": "response.completed", "status": "completed"}, "completed", "stop"),
    ({"type": "response.completed"}, "completed", "stop"),
    (
        {
            "type": "response.incomplete",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
        },
        "max_output_tokens",
        "length",
    ),
    (
        {"type": "response.incomplete", "incomplete_details": {"reason": "content_filter"}},
        "content_filter",
        "content_filter",
    ),
    ({"type": "response.incomplete", "status": "incomplete"}, "incomplete", "other"),
    ({"type": "response.completed", "status": "cancelled"}, "cancelled", "other"),
)


@final
@attrs.frozen
class Part:
    """A text of an item: its kind, its place among the texts of this kind, its pieces."""

    kind: Kind
    index: int
    pieces: tuple[str, ...]

    @property
    def whole(self) -> str:
        """The text."""
        return "".join(self.pieces)


@final
@attrs.frozen(kw_only=True)
class Item:
    """An output item."""

    type: str
    parts: tuple[Part, ...] = ()
    members: Object = attrs.field(factory=Object)

    def value(self, *, whole: bool) -> Object:
        """Return it as JSON: as it is announced, or whole."""
        shown = self.parts if whole else ()
        texts = {part.kind: part.whole for part in shown}
        match self.type:
            case "function_call":
                return {"arguments": texts.get("function_call_arguments", ""), **self._head}
            case "message":
                return {**self._head, "role": "assistant", "content": [*map(_content, shown)]}
            case _:
                head = self._head if whole else {**self._head, "encrypted_content": None}
                summary = [_content(p) for p in shown if p.kind == "reasoning_summary_text"]
                content = [_content(p) for p in shown if p.kind == "reasoning_text"]
                return {**head, "summary": summary, **({"content": content} if content else {})}

    @property
    def _head(self) -> Object:
        return {"type": self.type, **self.members}


def _content(part: Part) -> Object:
    match part.kind:
        case "refusal":
            return {"type": "refusal", "refusal": part.whole}
        case "reasoning_summary_text":
            return {"type": "summary_text", "text": part.whole}
        case kind:
            return {"type": kind, "text": part.whole, "annotations": []}


# Items

_pieces = fragments(halves=False).map(tuple)


@st.composite
def _messages(draw: st.DrawFn) -> Item:
    """Say something, in one part or two, or decline."""
    if draw(st.booleans()):
        return Item(type="message", parts=(Part("refusal", 0, draw(_pieces)),))
    texts = draw(st.lists(_pieces, min_size=1, max_size=2))
    return Item(
        type="message", parts=tuple(Part("output_text", i, text) for i, text in enumerate(texts))
    )


@st.composite
def _reasonings(draw: st.DrawFn) -> Item:
    """Think: shown as a summary, in plain, or not at all, with content for later or without."""
    kind: Kind = draw(st.sampled_from(("reasoning_summary_text", "reasoning_text")))
    texts = draw(st.lists(_pieces, max_size=2))
    return Item(
        type="reasoning",
        parts=tuple(Part(kind, i, text) for i, text in enumerate(texts)),
        members={"encrypted_content": draw(names)},
    )


@st.composite
def _calls(draw: st.DrawFn) -> Item:
    parts = (Part("function_call_arguments", 0, draw(_pieces)),)
    return Item(
        type="function_call", parts=parts, members={"call_id": draw(names), "name": draw(names)}
    )


_items = _messages() | _reasonings() | _calls()

# Events

_SILENT_EVENTS: tuple[Object, ...] = (
    {"type": "response.in_progress", "response": {"status": "in_progress"}},
    {"type": "response.queued"},
    {"type": "response.output_text.annotation.added", "annotation": {"type": "url_citation"}},
    {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
    {"type": "response.web_search_call.searching", "item_id": "ws-1"},
    {"type": "response.tide.turned", "delta": "x"},
    {"type": "keepalive", "sequence_number": 7},
)


@st.composite
def _part_events(draw: st.DrawFn, part: Part, style: Style) -> list[Object]:
    """Write a text in deltas, and whole behind them or in their place."""
    event = f"response.{part.kind}"
    # No server numbers arguments, and many number nothing.
    member = "summary_index" if part.kind == "reasoning_summary_text" else "content_index"
    is_call = part.kind == "function_call_arguments"
    index: Object = {} if is_call else {member: part.index}
    text = "arguments" if is_call else "refusal" if part.kind == "refusal" else "text"
    whole: Object = {"type": f"{event}.done", text: part.whole, **index}
    deltas: list[Object] = [{"type": f"{event}.delta", "delta": p, **index} for p in part.pieces]
    match style:
        case "deltas":
            repeats = draw(st.booleans())
            return [*deltas, whole] if repeats else deltas
        case "texts":
            return [whole]
        case "items" | "end":
            return []


@st.composite
def _item_events(draw: st.DrawFn, number: int, item: Item, style: Style) -> list[Object]:
    """Announce an item, bring its texts, and repeat it whole."""
    texts = [event for part in item.parts for event in draw(_part_events(part, style))]
    item_id = f"item-{number}"
    announced = {**item.value(whole=False), "id": item_id}
    events: list[Object] = [
        {"type": "response.output_item.added", "item": announced},
        *({"item_id": item_id, **text} for text in texts),
    ]
    # What has no texts of its own is told by the whole item, and so is what proves the reasoning.
    if item.type == "reasoning" or style == "items" or draw(st.booleans()):
        whole = {**item.value(whole=True), "id": item_id}
        events.append({"type": "response.output_item.done", "item": whole})
    return [{"output_index": number, **event} for event in events]


@st.composite
def _with_fewer_names(draw: st.DrawFn, events: list[Object]) -> list[Object]:
    """Name items by place and id, or by one of them; some servers make up an id for each event."""
    match draw(st.sampled_from(("both", "place", "id", "made up"))):
        case "place":
            return [_without("item_id", event) for event in events]
        case "id":
            return [_without("output_index", event) for event in events]
        case "made up":
            return [{**event, "item_id": f"x-{i}"} for i, event in enumerate(events)]
        case _:
            return events


def _without(name: str, event: Object) -> Object:
    return {member: value for member, value in event.items() if member != name}


@st.composite
def _terminal(
    draw: st.DrawFn, items: Sequence[Item], style: Style
) -> tuple[Object, Finish, Counts]:
    end, raw_finish, reason = draw(st.sampled_from(_ENDS))
    response = _without("type", end) | {"id": "resp-1", "model": "m-1"}
    usage: Counts = (None, None, None)
    if draw(st.booleans()):
        usage = (draw(counts), draw(counts), draw(counts))
        members = ("input_tokens", "output_tokens", "total_tokens")
        response["usage"] = dict(zip(members, usage, strict=True))
    if items and (style == "end" or draw(st.booleans())):
        response["output"] = [item.value(whole=True) for item in items]
    is_call = reason == "stop" and any(item.type == "function_call" for item in items)
    finish = Finish("tool_calls" if is_call else reason, raw_finish)
    return {"type": end["type"], "response": response}, finish, usage


@st.composite
def response_streams(draw: st.DrawFn) -> AnswerStream:
    """Build a complete response with any mixture of the oddities that servers show."""
    items, style = draw(st.lists(_items, max_size=4)), draw(st.sampled_from(_STYLES))
    terminal, finish, usage = draw(_terminal(items, style))
    events = [
        event
        for number, item in enumerate(items)
        for event in (draw(_item_events(number, item, style)) if style != "end" else ())
    ]
    events = draw(with_some([*draw(_with_fewer_names(events)), terminal], _SILENT_EVENTS))
    namings: tuple[Naming, ...] = ("both", "data", "event")
    body, marker = draw(
        event_stream(
            events,
            lambda shown: shown[-1] == terminal,
            last=("[DONE]",),
            naming=draw(st.sampled_from(namings)),
        )
    )
    return AnswerStream(body, {0: _said(items, finish)}, usage, marker)


def _said(items: Sequence[Item], finish: Finish) -> Said:
    parts = [part for item in items for part in item.parts]

    def joined(*kinds: Kind) -> str:
        return mended("".join(part.whole for part in parts if part.kind in kinds))

    return Said(
        text=joined("output_text"),
        reasoning=joined("reasoning_summary_text", "reasoning_text"),
        refusal=joined("refusal"),
        calls=tuple(
            Call(i.members["call_id"], i.members["name"], mended(i.parts[0].whole))
            for i in items
            if i.type == "function_call"
        ),
        finish=finish,
        signatures=tuple(i.members["encrypted_content"] for i in items if i.type == "reasoning"),
    )
