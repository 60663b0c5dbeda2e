"""Message streams of Anthropic, and of the servers that speak its API as well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import final

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
from tests.strategies import json_objects, names, some_text
from tokenwire.tokens import Finish, FinishReason

FINISHES: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "other",
    "tide_turned": "other",
}


@final
@attrs.frozen(kw_only=True)
class Block:
    """A content block: its beginning, the deltas behind it, and what they say."""

    start: Object
    deltas: tuple[Object, ...] = ()
    text: str = ""
    reasoning: str = ""
    call: Call | None = None
    signature: str | None = None


@st.composite
def _pieces(
    draw: st.DrawFn, kind: str, member: str, opening: Object
) -> tuple[Object, list[Object]]:
    """Write a text as the beginning of its block and deltas; the first piece may be in either."""
    pieces, begins = draw(fragments()), draw(st.booleans())
    first = pieces.pop(0) if begins else ""
    return {**opening, member: first}, [{"type": kind, member: piece} for piece in pieces]


def _joined(start: Object, deltas: Sequence[Object], member: str) -> str:
    return mended("".join(part.get(member, "") for part in (start, *deltas)))


@st.composite
def _text_blocks(draw: st.DrawFn) -> Block:
    start, deltas = draw(_pieces("text_delta", "text", {"type": "text"}))
    text = _joined(start, deltas, "text")
    citation: Object = {"type": "citations_delta", "citation": {"cited_text": "x"}}
    return Block(start=start, deltas=tuple(draw(with_some(deltas, [citation]))), text=text)


@st.composite
def _thinking_blocks(draw: st.DrawFn) -> Block:
    """Think aloud: with a signature behind the text, at the beginning of the block, or none."""
    start, deltas = draw(_pieces("thinking_delta", "thinking", {"type": "thinking"}))
    reasoning, signature = _joined(start, deltas, "thinking"), draw(st.none() | names)
    if signature is None:
        return Block(start=start, deltas=tuple(deltas), reasoning=reasoning)
    if draw(st.booleans()) or deltas:
        deltas.append({"type": "signature_delta", "signature": signature})
    else:
        start["signature"] = signature
    return Block(start=start, deltas=tuple(deltas), reasoning=reasoning, signature=signature)


@st.composite
def _redacted_blocks(draw: st.DrawFn) -> Block:
    data = draw(names)
    return Block(start={"type": "redacted_thinking", "data": data}, signature=data)


@st.composite
def _call_blocks(draw: st.DrawFn) -> Block:
    """Call a tool: with its arguments in pieces of JSON text, or whole at the beginning."""
    call_id, name = draw(names), draw(names)
    start: Object = {"type": "tool_use", "id": call_id, "name": name}
    whole, is_whole = draw(json_objects), draw(st.booleans())
    if whole and is_whole:
        call = Call(call_id, name, json.dumps(whole))
        return Block(start={**start, "input": whole}, call=call)
    pieces = draw(fragments())
    deltas: list[Object] = [{"type": "input_json_delta", "partial_json": p} for p in pieces]
    call = Call(call_id, name, mended("".join(pieces)) or "{}")
    no_input: Object = {}
    empty = draw(st.sampled_from((no_input, {"input": no_input}, {"input": None})))
    return Block(start={**start, **empty}, deltas=tuple(deltas), call=call)


#: Tools that the server itself runs are not part of the answer, nor is what nobody knows.
_PASSED_OVER = (
    Block(
        start={"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        deltas=({"type": "input_json_delta", "partial_json": '{"query":"x"}'},),
    ),
    Block(start={"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
    Block(start={"type": "tide_table", "text": "x"}, deltas=({"type": "text_delta", "text": "y"},)),
)

_blocks = (
    _text_blocks()
    | _thinking_blocks()
    | _redacted_blocks()
    | _call_blocks()
    | st.sampled_from(_PASSED_OVER)
)

_SILENT_EVENTS: tuple[Object, ...] = (
    {"type": "ping"},
    {"type": "tide_turned", "delta": {"type": "text_delta", "text": "x"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "tide_delta", "text": "x"}},
    {"type": "message_delta", "delta": {"stop_reason": None}, "usage": None},
    {"error": None, "type": "ping"},
)


@st.composite
def _block_events(draw: st.DrawFn, index: int, block: Block) -> list[Object]:
    events: list[Object] = [
        {"type": "content_block_start", "index": index, "content_block": block.start},
        *({"type": "content_block_delta", "index": index, "delta": d} for d in block.deltas),
    ]
    # Some servers leave blocks open while others begin.
    closed = block.call is not None or draw(st.booleans())
    return [*events, {"type": "content_block_stop", "index": index}] if closed else events


@st.composite
def _opening(draw: st.DrawFn) -> tuple[Object, list[int | None]]:
    """Begin the message, with the counts of its request: fresh, read from a cache, written."""
    numbers = [draw(counts), draw(st.none() | counts), draw(st.none() | counts)]
    members = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    usage = {**dict(zip(members, numbers, strict=True)), "output_tokens": 1}
    message: Object = {"id": "msg-1", "model": "m-1", "content": [], "usage": usage}
    return {"type": "message_start", "message": message}, numbers


@st.composite
def _ending(draw: st.DrawFn) -> tuple[list[Object], Finish, str, int | None]:
    """End the message: with a stop reason, ``message_stop``, or both."""
    reason = draw(st.sampled_from([None, *FINISHES]))
    stop: Object = {"type": "message_stop"}
    if reason is None:
        return [stop], Finish("other"), "", None
    explanation = draw(some_text) if reason == "refusal" and draw(st.booleans()) else ""
    details = {"stop_details": {"category": "c", "explanation": explanation or None}}
    output = draw(st.none() | counts)
    delta: Object = {"stop_reason": reason, **(details if reason == "refusal" else {})}
    ends: Object = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output}}
    stops = [stop] if draw(st.booleans()) else []
    return [ends, *stops], Finish(FINISHES[reason], reason), explanation, output


@st.composite
def message_streams(draw: st.DrawFn) -> AnswerStream:
    """Build a complete message with any mixture of the oddities that servers show."""
    blocks = draw(st.lists(_blocks, max_size=4))
    middle = [e for index, block in enumerate(blocks) for e in draw(_block_events(index, block))]
    start, (fresh, read, written) = draw(_opening())
    ends, finish, refusal, output = draw(_ending())
    usage: Counts = (None, output, None)
    events = draw(with_some([*middle, *ends[:1]], _SILENT_EVENTS)) + ends[1:]
    if draw(st.booleans()):
        # Now and then a proxy starts the message twice.
        events = [*[start] * draw(st.sampled_from((1, 1, 2))), *events]
        usage = ((fresh or 0) + (read or 0) + (written or 0), 1 if output is None else output, None)
    namings: tuple[Naming, ...] = ("both", "data")
    body, marker = draw(
        event_stream(
            events,
            lambda shown: shown[-1] in ends,
            last=("[DONE]", '{"type":"message_stop"}'),
            naming=draw(st.sampled_from(namings)),
        )
    )
    said = Said(
        text="".join(block.text for block in blocks),
        reasoning="".join(block.reasoning for block in blocks),
        refusal=refusal,
        calls=tuple(block.call for block in blocks if block.call is not None),
        finish=finish,
        signatures=tuple(block.signature for block in blocks if block.signature is not None),
    )
    return AnswerStream(body, {0: said}, usage, marker)
