"""Gemini's chunks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, final

import attrs
from hypothesis import strategies as st

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
)
from tests.strategies import json_objects, names, texts
from tokenwire.tokens import Finish, FinishReason

FINISHES: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "MALFORMED_FUNCTION_CALL": "other",
    "stop": "other",
}


@final
@attrs.frozen(kw_only=True)
class Unit:
    """Parts that belong together, and what they say."""

    parts: tuple[Object, ...]
    text: str = ""
    reasoning: str = ""
    call: Call | None = None
    signature: str | None = None


@st.composite
def _signed(draw: st.DrawFn, part: Object) -> tuple[Object, str | None]:
    signature = draw(st.none() | names)
    return (
        (part, None) if signature is None else ({**part, "thoughtSignature": signature}, signature)
    )


@st.composite
def _texts(draw: st.DrawFn) -> Unit:
    """Say something or think aloud, the last piece with a signature or not."""
    is_thought = draw(st.booleans())
    pieces = draw(fragments())
    plain: Object = draw(st.sampled_from(({}, {"thought": None}, {"thought": False})))
    members = {"thought": True} if is_thought else plain
    last, signature = draw(_signed({"text": pieces[-1], **members}))
    parts = (*({"text": piece, **members} for piece in pieces[:-1]), last)
    whole = "".join(pieces)
    text, reasoning = ("", whole) if is_thought else (whole, "")
    return Unit(parts=parts, text=text, reasoning=reasoning, signature=signature)


@st.composite
def _whole_calls(draw: st.DrawFn) -> Unit:
    """Call a function as most models do: in one part, with an id or without."""
    call_id, name, args = draw(st.none() | names), draw(names), draw(st.none() | json_objects)
    function: Object = {"name": name, **({"id": call_id} if call_id else {})}
    function |= {} if args is None else {"args": args}
    part, signature = draw(_signed({"functionCall": function}))
    call = Call(call_id, name, "" if args is None else json.dumps(args))
    return Unit(parts=(part,), call=call, signature=signature)


_scalars = st.tuples(st.just("numberValue"), st.integers(-9, 9) | st.just(0.5)) | st.tuples(
    st.just("boolValue"), st.booleans()
)


def _piece(path: str, **value: object) -> Object:
    return {"partialArgs": [{"jsonPath": path, **value}]}


@st.composite
def _member(draw: st.DrawFn, path: str) -> tuple[list[Object], Any]:
    """Write a member of the arguments in pieces: a string, an array of strings, or a scalar."""
    match draw(st.sampled_from(("string", "array", "scalar", "null"))):
        case "string":
            pieces = draw(st.lists(texts, min_size=1, max_size=3))
            return [_piece(path, stringValue=piece) for piece in pieces], "".join(pieces)
        case "array":
            items = draw(st.lists(texts, min_size=1, max_size=2))
            return [_piece(f"{path}[{i}]", stringValue=item) for i, item in enumerate(items)], items
        case "scalar":
            kind, value = draw(_scalars)
            return [_piece(path, **{kind: value})], value
        case _:
            return [_piece(path, nullValue=None)], None


@st.composite
def _calls_in_pieces(draw: st.DrawFn) -> Unit:
    """Call a function piece by piece: first its name, then places in the arguments."""
    name, args, pieces = draw(names), dict[str, Any](), list[Object]()
    for key in draw(st.lists(names, max_size=3, unique=True)):
        path = draw(st.sampled_from((f"$.{key}", f"$['{key}']", f'$["{key}"]')))
        more, args[key] = draw(_member(path))
        pieces += more
    going_on = [{**function, "willContinue": True} for function in ({"name": name}, *pieces)]
    functions: list[Object] = [*going_on, {}]
    call = Call(None, name, json.dumps(args) if args else "")
    return Unit(parts=tuple({"functionCall": function} for function in functions), call=call)


_ODD_PARTS = (
    Unit(parts=({"text": ""},)),
    Unit(parts=({"executableCode": {"language": "PYTHON", "code": "x"}},)),
    Unit(parts=({"inlineData": {"mimeType": "image/png", "data": "AA=="}},)),
)
_units = _texts() | _whole_calls() | _calls_in_pieces() | st.sampled_from(_ODD_PARTS)

_SILENT_CHUNKS: tuple[Object, ...] = (
    {"candidates": []},
    {"promptFeedback": {}},
    {"promptFeedback": {"safetyRatings": []}, "candidates": None},
    {"usageMetadata": {"trafficType": "ON_DEMAND"}},
    {},
)


@st.composite
def _candidate_entries(
    draw: st.DrawFn, index: int | None, units: Sequence[Unit], finish: str
) -> list[Object]:
    """Write what a candidate says as entries of successive chunks, the last with its reason."""
    parts = [part for unit in units for part in unit.parts]
    entries: list[Object] = []
    while parts:
        count = draw(st.integers(1, 3))
        entries.append({"content": {"role": "model", "parts": parts[:count]}})
        parts = parts[count:]
    if not entries or draw(st.booleans()):
        entries.append(draw(st.sampled_from(({}, {"content": {}}, {"content": {"parts": None}}))))
    entries[-1] = {**entries[-1], "finishReason": finish}
    return entries if index is None else [{"index": index, **entry} for entry in entries]


@st.composite
def _chunks(draw: st.DrawFn, waiting: list[list[Object]]) -> list[Object]:
    """Write candidates as chunks, interleaved, each with more counts than the one before."""
    # An answer whose candidates have all ended is complete: the first entry of each comes first.
    chunks: list[Object] = [
        {"candidates": [entries.pop(0) for entries in waiting if entries[1:]]},
    ]
    while remaining := [entries for entries in waiting if entries]:
        chunks.append({"candidates": [draw(st.sampled_from(remaining)).pop(0)]})
    for silent in draw(st.lists(st.sampled_from(_SILENT_CHUNKS), max_size=2)):
        chunks.insert(draw(st.integers(0, len(chunks))), silent)
    head = {"modelVersion": "m-1", "responseId": "r-1"}
    return [{**head, **chunk} for chunk in chunks]


@st.composite
def _counted(draw: st.DrawFn, chunks: list[Object]) -> tuple[list[Object], Counts]:
    """Put counts on each chunk, of which the last are those of the answer, or on none."""
    if draw(st.booleans()):
        return chunks, (None, None, None)
    prompt, output, thoughts, total = (draw(counts) for _ in range(4))
    usage = {"promptTokenCount": prompt, "totalTokenCount": total}
    last = {**usage, "candidatesTokenCount": output, "thoughtsTokenCount": thoughts}
    counted = [{**chunk, "usageMetadata": usage} for chunk in chunks[:-1]]
    return [*counted, {**chunks[-1], "usageMetadata": last}], (prompt, output + thoughts, total)


def _is_complete(chunks: Sequence[Object]) -> bool:
    entries = [entry for chunk in chunks for entry in chunk.get("candidates") or ()]
    finished = {entry.get("index") for entry in entries if "finishReason" in entry}
    return bool(entries) and finished == {entry.get("index") for entry in entries}


def _said(units: Sequence[Unit], raw_finish: str) -> Said:
    calls = tuple(unit.call for unit in units if unit.call is not None)
    finish = FINISHES[raw_finish]
    return Said(
        text=mended("".join(unit.text for unit in units)),
        reasoning=mended("".join(unit.reasoning for unit in units)),
        calls=calls,
        finish=Finish("tool_calls" if finish == "stop" and calls else finish, raw_finish),
        signatures=tuple(unit.signature for unit in units if unit.signature is not None),
    )


@st.composite
def generated_streams(draw: st.DrawFn) -> AnswerStream:
    """Build a complete answer with any mixture of the oddities that servers show."""
    candidates = draw(
        st.lists(
            st.tuples(st.lists(_units, max_size=3), st.sampled_from(sorted(FINISHES))),
            min_size=1,
            max_size=2,
        )
    )
    without_index = len(candidates) == 1 and draw(st.booleans())
    waiting = [
        draw(_candidate_entries(None if without_index else index, units, finish))
        for index, (units, finish) in enumerate(candidates)
    ]
    chunks, usage = draw(_counted(draw(_chunks(waiting))))
    body, marker = draw(event_stream(chunks, _is_complete, last=("[DONE]",)))
    said = {index: _said(units, finish) for index, (units, finish) in enumerate(candidates)}
    return AnswerStream(body, said, usage, marker)
