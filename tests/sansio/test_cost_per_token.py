"""What a token costs, counted in calls and not in seconds, is no more than it was.

A call, of a Python function or one in C, is most of what Python does for a token beside decoding
its JSON, and the same number on every machine. The figures are in ``cost_per_token.json``, each for
reads that bring many tokens, for one that brings all, and for reads that bring one. After a change
that is worth its calls, or that saves some, write them anew:
``python -m tests.sansio.test_cost_per_token``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeAlias

import pytest

from tokenwire.endpoint import Endpoint
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.sse import EventRun
from tokenwire.tokens import Token
from tokenwire.wire import wire_by_kind
from tokenwire.wire.openai_chat.answer import ChatReader

Read: TypeAlias = Callable[[bytes], object]

#: One token as each provider sends it: its members, and what stands around them.
TOKENS: Final = {
    "openai-chat": (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"some-model","service_tier":"default","system_fingerprint":"fp_1","choices":'
        b'[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],'
        b'"usage":null,"obfuscation":"abcdefgh"}\n\n'
    ),
    "openai-responses": (
        b"event: response.output_text.delta\n"
        b'data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1",'
        b'"output_index":0,"content_index":0,"delta":" word","logprobs":[],"obfuscation":"ab"}\n\n'
    ),
    "anthropic": (
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":" word"}}\n\n'
    ),
    "gemini": (
        b'data: {"candidates":[{"content":{"parts":[{"text":" word"}],"role":"model"},"index":0}],'
        b'"usageMetadata":{"promptTokenCount":13,"candidatesTokenCount":7,"totalTokenCount":20},'
        b'"modelVersion":"some-model","responseId":"r1"}\r\n\r\n'
    ),
    "ollama": (
        b'{"model":"some-model","created_at":"2025-03-21T00:06:08.613702Z",'
        b'"message":{"role":"assistant","content":" word"},"done":false}\n'
    ),
}

FIGURES: Final = Path(__file__).with_name("cost_per_token.json")
READ_BYTES: Final = 16 * 1024
MEASURED_TOKENS: Final = 300
#: Tokens of which twice as many are within the limits of what is read at once.
TOKENS_AT_ONCE: Final = 80
TOLERANCE: Final = 0.5
#: These are calls up to Python 3.11 only.
_INLINED: Final = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})


def _streaming(kind: str) -> Read:
    exchange = Exchange(wire_by_kind(kind), Endpoint(base_url="https://host.example/v1"))
    exchange.send([Message.user("Hi")], ProviderConfig(model="m", max_output_tokens=9))
    exchange.receive_head(200, [])
    return exchange.receive_data


def _calls(kind: str, tokens: int, read_bytes: int) -> int:
    """Count the calls that it takes to read so many tokens."""
    read, body, count = _streaming(kind), TOKENS[kind] * tokens, 0
    pieces = [body[start : start + read_bytes] for start in range(0, len(body), read_bytes)]

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "c_call" or (event == "call" and frame.f_code.co_name not in _INLINED)

    outer = sys.getprofile()
    sys.setprofile(profile)
    try:
        for piece in pieces:
            read(piece)
    finally:
        sys.setprofile(outer)
    return count


def cost_per_token(kind: str) -> dict[str, float]:
    """Return the calls that each further token takes, by how many a read brings."""
    size = len(TOKENS[kind])
    return {
        "many_per_read": _further_calls(kind, MEASURED_TOKENS, READ_BYTES),
        "all_in_one_read": _further_calls(kind, TOKENS_AT_ONCE, 2 * TOKENS_AT_ONCE * size),
        "one_per_read": _further_calls(kind, MEASURED_TOKENS, size),
    }


def _further_calls(kind: str, tokens: int, read_bytes: int) -> float:
    """Return the calls that each token takes behind so many others."""
    calls = _calls(kind, 2 * tokens, read_bytes) - _calls(kind, tokens, read_bytes)
    return round(calls / tokens, 2)


def is_no_more(measured: dict[str, float], figures: dict[str, float]) -> bool:
    """Whether nothing takes a call more than it may."""
    return all(measured[name] <= figure + TOLERANCE for name, figure in figures.items())


def _figures() -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = json.loads(FIGURES.read_text("utf-8"))
    return figures


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_costs_no_more_calls_than_it_did(kind: str) -> None:
    """Whoever makes tokens cost more has to say so in the file of figures."""
    assert is_no_more(cost_per_token(kind), _figures()[kind])


@pytest.mark.parametrize("kind", TOKENS)
def test_the_figures_are_what_is_measured(kind: str) -> None:
    """Figures that are out of date would let a regression of as much pass."""
    measured, figures = cost_per_token(kind), _figures()[kind]
    assert is_no_more(figures, measured)


def test_one_call_more_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tolerance is less than what it has to find."""
    read_texts: Any = ChatReader.read_texts

    def wrapper(self: ChatReader, run: EventRun) -> list[Token]:
        tokens: list[Token] = read_texts(self, run)
        return tokens

    monkeypatch.setattr(ChatReader, "read_texts", wrapper)
    assert not is_no_more(cost_per_token("openai-chat"), _figures()["openai-chat"])


if __name__ == "__main__":
    costs = {kind: cost_per_token(kind) for kind in TOKENS}
    FIGURES.write_text(json.dumps(costs, indent=2) + "\n", "utf-8")
