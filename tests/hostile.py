"""Endless bodies of a peer that wants our memory, and what reading them costs.

``python -m tests.hostile NAME`` reads one with the default limits and prints what it took; the
tests do the same with small ones.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from fuzz.exchanges import sent_exchange
from tokenwire.endpoint import Limits
from tokenwire.errors import ProviderError

KiB: Final = 1024
MiB: Final = 1024 * KiB

#: Where reading stops that no limit has stopped, in bytes.
MAX_BYTES_READ: Final = 200 * MiB


class Hostile(NamedTuple):
    """An endless body, and the limit that ends it; None if nothing of it is kept."""

    body: Callable[[Limits], Iterable[bytes]]
    limit: str | None
    status: int = 200
    wire: str = "openai-chat"


class Reading(NamedTuple):
    """How far a body was read, and what ended it."""

    bytes_read: int
    error: ProviderError | None


def read(hostile: Hostile, limits: Limits, max_bytes_read: int = MAX_BYTES_READ) -> Reading:
    """Read a hostile body until an error ends it."""
    exchange, _ = sent_exchange(limits, hostile.wire)
    exchange.receive_head(hostile.status, [])
    bytes_read = 0
    for piece in hostile.body(limits):
        events = exchange.receive_data(piece)
        bytes_read += len(piece)
        if events and isinstance(events[-1], ProviderError):
            return Reading(bytes_read, events[-1])
        if bytes_read > max_bytes_read:
            break
    return Reading(bytes_read, None)


# Bodies


def _after(opening: bytes, piece: bytes) -> Callable[[Limits], Iterable[bytes]]:
    return lambda _: itertools.chain([opening], itertools.repeat(piece))


def _events(*events: str, times: int = 100) -> Callable[[Limits], Iterable[bytes]]:
    piece = "".join(f"data: {event}\n\n" for event in events).encode()
    return lambda _: itertools.repeat(piece * times)


def _numbered(*events: str) -> Callable[[Limits], Iterator[bytes]]:
    """Give events that count up, a hundred a read."""
    text = "".join(f"data: {event}\n\n" for event in events)

    def body(_: Limits) -> Iterator[bytes]:
        for start in itertools.count(0, 100):
            numbers = range(start, start + 100)
            yield "".join(text.replace("@", str(number)) for number in numbers).encode()

    return body


def _long(event: str) -> Callable[[Limits], Iterator[bytes]]:
    """Give events whose text is nearly as long as a line may be, in pieces as from a network.

    Whole, the piece that is being read would be a good part of what is measured.
    """

    def body(limits: Limits) -> Iterator[bytes]:
        piece = b"y" * (limits.line_bytes // 64)
        for number in itertools.count():
            choice = str(number % limits.choices)
            whole = event.replace("@", str(number)).replace("CHOICE", choice)
            before, *others = f"data: {whole}\n\n".encode().split(b"LONG")
            yield before
            for other in others:
                yield from itertools.repeat(piece, 48)  # three quarters of the limit
                yield other

    return body


def _wide(event: str, values: str) -> Callable[[Limits], Iterator[bytes]]:
    """Give events that hold as many values as a line has room for."""

    def body(limits: Limits) -> Iterator[bytes]:
        count = limits.line_bytes * 3 // 4 // len(values)
        piece = event.replace("WIDE", (values * count).rstrip(",")).encode()
        return itertools.repeat(b"data: " + piece + b"\n\n")

    return body


def _alternating_data_lines(limits: Limits) -> Iterator[bytes]:
    return itertools.repeat(b"data:ab\ndata:\n" * (limits.line_bytes // 100))


def _delta(**members: object) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": members}]})


def _lines(line: str) -> Callable[[Limits], Iterable[bytes]]:
    return lambda _: itertools.repeat(f"{line}\n".encode() * 100)


def _anthropic(body: Callable[[Limits], Iterable[bytes]], limit: str | None) -> Hostile:
    return Hostile(body, limit, wire="anthropic")


def _gemini_chunk(part: str) -> str:
    return f'{{"candidates":[{{"content":{{"parts":[{part}]}}}}]}}'


def _gemini(part: str, limit: str) -> Hostile:
    return Hostile(_numbered(_gemini_chunk(part)), limit, wire="gemini")


def _gemini_pieces(limits: Limits) -> Iterator[bytes]:
    """Give the arguments of one call, member by member, without end."""
    opening = _gemini_chunk('{"functionCall":{"name":"f","willContinue":true}}')
    yield f"data: {opening}\n\n".encode()
    # Many a chunk: silence, as which pieces count, would end the call before its size does.
    pieces = ",".join(f'{{"jsonPath":"$.a@_{number}"}}' for number in range(20))
    part = f'{{"functionCall":{{"partialArgs":[{pieces}],"willContinue":true}}}}'
    yield from _numbered(_gemini_chunk(part))(limits)


def _responses(limit: str, *events: str) -> Hostile:
    return Hostile(_numbered(*events), limit, wire="openai-responses")


def _ollama(body: Callable[[Limits], Iterable[bytes]], limit: str) -> Hostile:
    return Hostile(body, limit, wire="ollama")


def _block_delta(delta: str, index: str) -> str:
    return f'{{"type":"content_block_delta","index":{index},"delta":{delta}}}'


def _text_delta(text: str, index: str) -> str:
    return _block_delta(f'{{"type":"text_delta","text":"{text}"}}', index)


def _block_start(block: str) -> str:
    return f'{{"type":"content_block_start","index":@,"content_block":{block}}}'


_TEXT: Final = _delta(content="ab")
_CALL: Final = (
    '{"choices":[{"delta":{"tool_calls":[{"index":@,"id":"c@","function":{"name":"f"}}]}}]}'
)
_DETAIL: Final = (
    '{"choices":[{"delta":{"content":"a","reasoning_details":[{"index":@,"data":"a"}]}}]}'
)
_LOGPROB: Final = '{"token":"a","logprob":-1,"top_logprobs":[{"token":"b","logprob":-2}]}'
_LOGPROBS: Final = (
    f'{{"choices":[{{"delta":{{}},"logprobs":{{"content":[{",".join([_LOGPROB] * 20)}]}}}}]}}'
)

HOSTILE: Final = {
    "line": Hostile(_after(b'data: {"choices":[{"delta":{"content":"', b"x" * 4096), "line_bytes"),
    "single_bytes": Hostile(_after(b"data: ", b"x"), "line_bytes"),
    "comment": Hostile(_after(b": ", b"x" * 4096), "line_bytes"),
    "comments": Hostile(_after(b":\n", b": ping\n" * 500), "silent_bytes"),
    "fields": Hostile(_after(b":\n", b"id: 7\nretry: 5\nevent: e\nx: o\n" * 99), "silent_bytes"),
    "white_space": Hostile(_after(b"", b"\n \r\n\t" * 500), "silent_bytes"),
    "data_lines": Hostile(_alternating_data_lines, "event_bytes"),
    "empty_data_lines": Hostile(_after(b"", b"data:\n" * 1000), "event_bytes"),
    "empty_chunks": Hostile(_events('{"x":"' + "y" * 200 + '"}'), "silent_bytes"),
    "document": Hostile(_after(b'{"choices":"', b"x" * 4096), "document_bytes"),
    "page": Hostile(_after(b"<html>", b"<p>" * 1000), "content_type"),
    "tokens": Hostile(_events(_TEXT), "answer_bytes"),
    "wide_characters": Hostile(_events(_delta(content="é😀" + "x" * 20)), "answer_bytes"),
    "long_tokens": Hostile(_long(_delta(content="LONG")), "answer_bytes"),
    "blocks": Hostile(_events(_TEXT, _delta(reasoning="b")), "answer_bytes"),
    "refusals": Hostile(_events(_delta(refusal="no")), "answer_bytes"),
    "long_ids": Hostile(
        _long('{"choices":[{"delta":{"tool_calls":[{"id":"@LONG"}]}}]}'), "answer_bytes"
    ),
    "log_probabilities": Hostile(_events(_LOGPROBS, times=1), "answer_bytes"),
    "reasoning_details": Hostile(_numbered(_DETAIL), "answer_bytes"),
    "reasoning_texts": Hostile(
        _events(_delta(reasoning_details=[{"index": 0, "text": "ab"}])), "answer_bytes"
    ),
    "choices": Hostile(
        _numbered('{"choices":[{"index":@,"delta":{"content":"a"}}]}'), "choices"
    ),
    "tool_calls": Hostile(_numbered(_CALL), "tool_calls"),
    "deep": Hostile(_events('{"error":' + "[" * 3000 + "]" * 3000 + "}", times=1), "json_depth"),
    "endless_depth": Hostile(_after(b'data: {"error":', b"[" * 4096), "line_bytes"),
    "choice_list": Hostile(_wide('{"choices":[WIDE]}', "{},"), "json_values"),
    "odd_values": Hostile(_wide('{"error":null,"x":NaN,"y":[WIDE]}', "[],"), "json_values"),
    "escapes": Hostile(
        _wide('{"x":NaN,"z":"WIDE","y":' + "[" * 300 + "]" * 300 + "}", "\\n"), "json_depth"
    ),
    "long_finish_reasons": Hostile(
        _long('{"choices":[{"index":CHOICE,"message":{"content":"a"},"finish_reason":"LONG"}]}'),
        None,
    ),
    "long_event_ids": Hostile(_long(f"{_TEXT}\nid: LONG"), None),
    "anthropic_text": _anthropic(_numbered(_text_delta("ab", "0")), "answer_bytes"),
    "anthropic_signatures": _anthropic(
        _numbered(_block_delta('{"type":"signature_delta","signature":"ab"}', "@")), "answer_bytes"
    ),
    "anthropic_calls": _anthropic(
        _numbered(_block_start('{"type":"tool_use","id":"t@","name":"f"}')), "tool_calls"
    ),
    "anthropic_blocks": _anthropic(_numbered(_block_start('{"type":"tide@"}')), "silent_bytes"),
    "anthropic_halves": _anthropic(
        _numbered(_text_delta("\\ud83d", "@"), _text_delta("a", "0")), "answer_bytes"
    ),
    "anthropic_pings": _anthropic(_numbered('{"type":"ping"}'), "silent_bytes"),
    "gemini_text": _gemini('{"text":"ab"}', "answer_bytes"),
    "gemini_signatures": _gemini('{"thoughtSignature":"ab"}', "answer_bytes"),
    "gemini_calls": _gemini('{"functionCall":{"name":"f"}}', "tool_calls"),
    "gemini_pieces_of_a_call": Hostile(_gemini_pieces, "answer_bytes", wire="gemini"),
    "gemini_candidates": Hostile(
        _numbered('{"candidates":[{"index":@}]}'), "choices", wire="gemini"
    ),
    "responses_text": _responses(
        "answer_bytes", '{"type":"response.output_text.delta","output_index":0,"delta":"ab"}'
    ),
    "responses_items": _responses(
        "tool_calls", '{"type":"response.output_text.delta","item_id":"i@","delta":"ab"}'
    ),
    "responses_reasoning": _responses(
        "answer_bytes",
        '{"type":"response.output_item.done","output_index":0,'
        '"item":{"type":"reasoning","id":"r","encrypted_content":"@"}}',
    ),
    "responses_in_progress": _responses(
        "silent_bytes", '{"type":"response.in_progress","response":{"id":"r@","model":"m@"}}'
    ),
    "ollama_text": _ollama(_lines('{"message":{"content":"ab"}}'), "answer_bytes"),
    "ollama_calls": _ollama(
        _lines('{"message":{"tool_calls":[{"function":{"name":"f"}}]}}'), "tool_calls"
    ),
    "ollama_nothing": _ollama(_lines('{"done":false}'), "silent_bytes"),
    "ollama_line": _ollama(_after(b'{"message":"', b"x" * 4096), "line_bytes"),
    "error_body": Hostile(_after(b'{"error":"', b"x" * 4096), "error_body", 500),
    "error_page": Hostile(_after(b"<html>", b"<" * 4096), "error_body", 502),
}  # fmt: skip


def _peak_resident_bytes() -> int:
    # Not getrusage: its peak begins at that of the process which started this one, the suite's.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * KiB


def main(name: str) -> None:
    """Read one body with the default limits and print, as JSON, what it cost."""
    before = _peak_resident_bytes()
    reading = read(HOSTILE[name], Limits())
    grown = _peak_resident_bytes() - before
    error = str(reading.error) if reading.error else None
    figures = {"bytes_read": reading.bytes_read, "grown_bytes": grown, "error": error}
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1])
