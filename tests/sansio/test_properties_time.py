"""Time is linear in the bytes, however they are cut.

What is measured is the same work twice: one long body in pieces of 256 bytes, and eight bodies of
an eighth of its length. Linear code takes the same time for both, quadratic code eight times as
long. The threshold lies between, so that a busy machine is no reason to fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import pytest

from fuzz.exchanges import sent_exchange
from tokenwire.endpoint import Limits
from tokenwire.ndjson import NDJSONDecoder
from tokenwire.sse import SSEDecoder

Read: TypeAlias = Callable[[bytes], object]

PIECE: Final = 256
LENGTH: Final = 512 * 1024
PARTS: Final = 8
MAX_RATIO: Final = 3.0
ROUNDS: Final = 3
LIMITS: Final = Limits(silent_bytes=64 * 1024 * 1024)


def _sse() -> Read:
    return SSEDecoder(LIMITS).receive_data


def _ndjson() -> Read:
    return NDJSONDecoder(LIMITS).receive_data


def _exchange(wire: str = "openai-chat") -> Read:
    exchange, _ = sent_exchange(LIMITS, wire)
    exchange.receive_head(200, [])
    return exchange.receive_data


def _anthropic() -> Read:
    return _exchange("anthropic")


def _gemini() -> Read:
    return _exchange("gemini")


def _responses() -> Read:
    return _exchange("openai-responses")


def _ollama() -> Read:
    return _exchange("ollama")


def _failed_exchange() -> Read:
    exchange, _ = sent_exchange(Limits(error_body_bytes=2 * LENGTH))
    exchange.receive_head(500, [])
    return exchange.receive_data


class _Quadratic:
    """What a decoder must not do: copy what has come before at every read."""

    def __init__(self) -> None:
        self._kept = b""

    def receive_data(self, data: bytes) -> None:
        """Keep the bytes, and do nothing else."""
        self._kept = b"".join((self._kept, data))


def _pieces(opening: bytes, unit: bytes, length: int) -> Iterator[bytes]:
    body = opening + unit * (length // len(unit))
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))


def _cost(make: Callable[[], Read], opening: bytes, unit: bytes, parts: int) -> float:
    """Return CPU seconds for reading `LENGTH` bytes as that many bodies; the best of a few."""
    costs: list[float] = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(parts):
            read = make()
            for piece in _pieces(opening, unit, LENGTH // parts):
                read(piece)
        costs.append(time.process_time() - start)
    return min(costs)


def _ratio(make: Callable[[], Read], opening: bytes, unit: bytes) -> float:
    return _cost(make, opening, unit, 1) / _cost(make, opening, unit, PARTS)


def _delta(members: str) -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{%s}}]}\n\n' % members.encode()


def _block_delta(delta: bytes) -> bytes:
    return b'data: {"type":"content_block_delta","index":0,"delta":{%s}}\n\n' % delta


def _parts(parts: bytes) -> bytes:
    return b'data: {"candidates":[{"content":{"parts":[%s]}}]}\n\n' % parts


def _response_delta(kind: bytes, text: bytes) -> bytes:
    return b'data: {"type":"response.%s.delta","item_id":"a","delta":"%s"}\n\n' % (kind, text)


@pytest.mark.parametrize(
    ("make", "opening", "unit"),
    [
        pytest.param(_sse, b"data: ", b"x", id="one long line"),
        pytest.param(_sse, b"data: x\r", b"y", id="one long line behind a CR"),
        pytest.param(_sse, b"", b"data: x\n", id="one event of many lines"),
        pytest.param(_sse, b"", b"data:\n", id="one event of empty lines"),
        pytest.param(_sse, b"data: x\n", b": ping\n", id="comments inside an event"),
        pytest.param(_sse, b"", b"data: x\r\n\r\n", id="short events"),
        pytest.param(_ndjson, b'{"a":"', b"x", id="one long line of NDJSON"),
        pytest.param(_ndjson, b"", b'{"a":1}\n', id="short lines of NDJSON"),
        pytest.param(_exchange, b'{"a":"', b"x", id="a document"),
        pytest.param(_exchange, b"", b" ", id="white space"),
        pytest.param(_exchange, b"", _delta('"content":"ab"'), id="an answer"),
        pytest.param(
            _exchange, _delta('"content":"\\ud83d"'), _delta('"content":"ab"'), id="a torn answer"
        ),
        pytest.param(
            _exchange,
            b"",
            _delta('"reasoning_details":[{"index":0,"text":"ab","signature":"c"}]'),
            id="reasoning details",
        ),
        pytest.param(
            _exchange,
            b"",
            _delta('"tool_calls":[{"index":0,"function":{"arguments":"ab"}}]'),
            id="a tool call",
        ),
        pytest.param(_failed_exchange, b"", b"<", id="an error body"),
        pytest.param(
            _anthropic,
            _block_delta(b'"type":"text_delta","text":"\\ud83d"'),
            _block_delta(b'"type":"text_delta","text":"ab"'),
            id="anthropic: a torn text",
        ),
        pytest.param(
            _anthropic,
            b"",
            _block_delta(b'"type":"signature_delta","signature":"ab"'),
            id="anthropic: signatures",
        ),
        pytest.param(
            _anthropic,
            b'data: {"type":"content_block_start","content_block":{"type":"tool_use"}}\n\n',
            _block_delta(b'"type":"input_json_delta","partial_json":"ab"'),
            id="anthropic: a tool call",
        ),
        pytest.param(_gemini, _parts(b'{"text":"\\ud83d"}'), _parts(b'{"text":"ab"}'), id="gemini"),
        pytest.param(
            _gemini,
            _parts(b'{"functionCall":{"name":"f","willContinue":true}}'),
            _parts(
                b'{"functionCall":{"willContinue":true,'
                b'"partialArgs":[{"jsonPath":"$.a","stringValue":"b"}]}}'
            ),
            id="gemini: a call in pieces",
        ),
        pytest.param(
            _responses,
            _response_delta(b"output_text", b"\\ud83d"),
            _response_delta(b"output_text", b"ab"),
            id="responses: a torn text",
        ),
        pytest.param(
            _responses,
            b"",
            _response_delta(b"function_call_arguments", b"ab"),
            id="responses: a tool call",
        ),
        pytest.param(
            _ollama,
            b'{"message":{"content":"\\ud83d"}}\n',
            b'{"message":{"content":"ab"}}\n',
            id="ollama: a torn text",
        ),
    ],
)
def test_time_is_linear(make: Callable[[], Read], opening: bytes, unit: bytes) -> None:
    """A long body in small pieces costs no more than eight of an eighth of that."""
    assert _ratio(make, opening, unit) < MAX_RATIO


def test_the_measure_sees_quadratic_time() -> None:
    """A decoder that copies the bytes before at every read does not pass."""
    assert _ratio(lambda: _Quadratic().receive_data, b"", b"x") > MAX_RATIO


@pytest.mark.parametrize(
    "body",
    [b"<", b"<script>", b"<title>", b"<!--", b"<\n", b'"', b"[", b'["', b'{"html-message":"', b" "],
)
def test_the_body_of_an_error_takes_no_time(body: bytes) -> None:
    """Pages that open everything and close nothing are read in milliseconds, not in minutes."""
    whole = body * (256 * 1024 // len(body))
    exchange, _ = sent_exchange()
    exchange.receive_head(500, [])
    start = time.process_time()
    exchange.receive_data(whole)
    exchange.receive_eof(clean=True)
    assert time.process_time() - start < 2.0
