"""Ollama's lines, and those of the servers that speak its API as well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.answer_streams.model import (
    AnswerStream,
    Call,
    Object,
    Said,
    as_json,
    counts,
    fragments,
    mended,
    with_some,
)
from tests.strategies import json_objects, names
from tokenwire.tokens import Finish, FinishReason

Kind: TypeAlias = Literal["text", "reasoning"]

_KINDS: Sequence[Kind] = ("text", "text", "reasoning")

FINISHES: dict[str, FinishReason] = {"stop": "stop", "length": "length", "unload": "other"}

_CREATED: Object = {"created_at": "2026-01-02T03:04:05.678901Z"}
_SILENT_LINES: tuple[Object, ...] = (
    {"message": {"role": "assistant", "content": ""}, "done": False},
    {"message": None, "done": False, "error": ""},
    {"done": False, "message": {"content": "", "images": None}},
    {},
)


def _spelled_text(text: str) -> list[Object]:
    """Return every spelling of a piece of text."""
    return [
        {"message": {"role": "assistant", "content": text}, "done": False},
        {"message": {"content": text, "thinking": ""}},
        {"response": text, "done": False},
    ]


def _spelled_reasoning(text: str) -> list[Object]:
    return [
        {"message": {"role": "assistant", "content": "", "thinking": text}, "done": False},
        {"message": {"content": None, "reasoning_content": text}},
    ]


def _piece_lines(kind: Kind, text: str) -> SearchStrategy[Object]:
    match kind:
        case "text":
            return st.sampled_from(_spelled_text(text))
        case "reasoning":
            return st.sampled_from(_spelled_reasoning(text))


@st.composite
def _calls(draw: st.DrawFn) -> tuple[Object, Call]:
    """Call a tool, whole: its arguments are an object or JSON text, and it may have no id."""
    call_id, name, arguments = draw(st.none() | names), draw(names), draw(json_objects)
    text = json.dumps(arguments)
    function: Object = {"name": name, "arguments": draw(st.sampled_from((arguments, text)))}
    if not arguments and draw(st.booleans()):
        function["arguments"] = None
    call: Object = {"function": function, **({"id": call_id} if call_id else {})}
    return call, Call(call_id, name, text)


@st.composite
def _last_line(draw: st.DrawFn) -> tuple[Object, str | None, int | None, int | None]:
    reason = draw(st.sampled_from([None, *FINISHES]))
    prompt, output = draw(st.none() | counts), draw(st.none() | counts)
    line: Object = {
        "done": True,
        "message": {"role": "assistant", "content": ""},
        "eval_duration": 5,
    }
    given = {"done_reason": reason, "prompt_eval_count": prompt, "eval_count": output}
    line |= {name: value for name, value in given.items() if value is not None}
    return line, reason, prompt, output


@st.composite
def line_streams(draw: st.DrawFn) -> AnswerStream:
    """Build a complete answer with any mixture of the oddities that servers show."""
    kinds = draw(st.lists(st.sampled_from(_KINDS), max_size=4))
    pieces: list[tuple[Kind, str]] = [
        (kind, piece) for kind in kinds for piece in draw(fragments()) if piece
    ]
    calls = draw(st.lists(_calls(), max_size=3))
    lines = [draw(_piece_lines(kind, piece)) for kind, piece in pieces]
    if calls:
        several: Object = {"message": {"content": "", "tool_calls": [call for call, _ in calls]}}
        single = [{"message": {"content": "", "tool_calls": [call]}} for call, _ in calls]
        lines += draw(st.sampled_from(([several], single)))
    last, reason, prompt, output = draw(_last_line())
    lines = draw(with_some([*lines, last], _SILENT_LINES))
    head: Object = draw(st.sampled_from(({}, {"model": "m-1"}, {"model": "m-1", **_CREATED})))
    finish: FinishReason = FINISHES.get(reason or "", "other")
    said = Said(
        text=mended("".join(text for kind, text in pieces if kind == "text")),
        reasoning=mended("".join(text for kind, text in pieces if kind == "reasoning")),
        calls=tuple(call for _, call in calls),
        finish=Finish("tool_calls" if finish == "stop" and calls else finish, reason),
        signatures=(),
    )
    body, marker = draw(_body([{**head, **line} for line in lines]))
    return AnswerStream(body, {0: said}, (prompt, output, None), marker)


@st.composite
def _body(draw: st.DrawFn, lines: list[Object]) -> tuple[bytes, int]:
    """Write lines, blank ones among them; the last may lack its line end."""
    ends = st.sampled_from((b"\n", b"\r\n", b"\n\n", b" \n"))
    texts = [draw(as_json(line, lines=False)).encode() + draw(ends) for line in lines]
    opening = draw(st.sampled_from((b"", b"\xef\xbb\xbf", b"\n", b" ")))
    body = opening + b"".join(texts)
    marker = len(body) - len(texts[-1])
    return (body.rstrip() if draw(st.booleans()) else body), marker
