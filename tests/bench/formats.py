"""The bytes of an answer in each wire format, as large as the real APIs make them.

Texts are all that the benchmarks read, but a chunk carries what the API puts around them: ids,
models, empty members, padding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, final

import attrs

from tests.bench.script import text_of


@final
@attrs.frozen
class Format:
    """How one wire format writes an answer.

    Attributes:
        opening: What comes before the first text.
        chunk: Writes one text.
        closing: What comes after the last text.
    """

    opening: bytes
    chunk: Callable[[str], bytes]
    closing: bytes

    def answer(self, tokens: int) -> list[bytes]:
        """Return a whole answer, in the pieces that a server would write."""
        texts = [self.chunk(text_of(index)) for index in range(tokens)]
        return [self.opening, *texts, self.closing]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + _json(value) + b"\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\n".encode() + _data(value)


def _line(value: dict[str, Any]) -> bytes:
    return _json(value) + b"\n"


def _chat_chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    return _data({
        "id": "chatcmpl-BnchK7q2VfWm0rT4xYc8ZpLd1sEoA",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "bench-model-2026-10-01",
        "service_tier": "default",
        "system_fingerprint": "fp_5b3c7e19d2",
        "choices": [
            {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        ],
        "usage": None,
        "obfuscation": "kQ3xZ8vLw2",
    })  # fmt: skip


_CHAT: Final = Format(
    opening=_chat_chunk({"role": "assistant", "content": "", "refusal": None}),
    chunk=lambda text: _chat_chunk({"content": text}),
    closing=_chat_chunk({}, "stop") + b"data: [DONE]\n\n",
)

_ITEM: Final = "msg_08f1c2d3e4b5a69700aa11bb22cc33dd44ee55ff66"


def _response(status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "resp_08f1c2d3e4b5a6970011223344556677",
        "object": "response",
        "status": status,
        "model": "bench-model-2026-10-01",
        "output": output,
        "usage": None,
    }


def _responses_chunk(text: str) -> bytes:
    return _event({
        "type": "response.output_text.delta",
        "sequence_number": 4711,
        "item_id": _ITEM,
        "output_index": 0,
        "content_index": 0,
        "delta": text,
        "logprobs": [],
        "obfuscation": "kQ3xZ8vLw2",
    })  # fmt: skip


_RESPONSES: Final = Format(
    opening=_event({"type": "response.created", "response": _response("in_progress", [])}),
    chunk=_responses_chunk,
    closing=_event({"type": "response.completed", "response": _response("completed", [])}),
)


def _anthropic_chunk(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return _event({"type": "content_block_delta", "index": 0, "delta": delta})


_ANTHROPIC: Final = Format(
    opening=_event({
        "type": "message_start",
        "message": {
            "id": "msg_01BenchBenchBenchBench",
            "type": "message",
            "role": "assistant",
            "model": "bench-model-20261001",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 12, "output_tokens": 1},
        },
    })
    + _event({
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    })
    + _event({"type": "ping"}),
    chunk=_anthropic_chunk,
    closing=_event({"type": "content_block_stop", "index": 0})
    + _event({
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 1000},
    })
    + _event({"type": "message_stop"}),
)  # fmt: skip


def _ollama_line(text: str, **end: Any) -> bytes:
    return _line({
        "model": "bench-model",
        "created_at": "2026-10-01T12:00:00.123456789Z",
        "message": {"role": "assistant", "content": text},
        "done": False,
        **end,
    })  # fmt: skip


_OLLAMA: Final = Format(
    opening=b"",
    chunk=_ollama_line,
    closing=_ollama_line(
        "", done=True, done_reason="stop", prompt_eval_count=12, eval_count=1000
    ),
)  # fmt: skip


def _gemini_chunk(text: str, **end: Any) -> bytes:
    return _data({
        "candidates": [
            {"content": {"parts": [{"text": text}], "role": "model"}, **end, "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 1000,
            "totalTokenCount": 1012,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
        },
        "modelVersion": "bench-model-001",
        "responseId": "kQ3xZ8vLw2Vf",
    })  # fmt: skip


_GEMINI: Final = Format(
    opening=b"", chunk=_gemini_chunk, closing=_gemini_chunk("", finishReason="STOP")
)

#: By the names that configurations use; azure-chat is openai-chat at another address.
FORMATS: Final = {
    "openai-chat": _CHAT,
    "openai-responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
    "ollama": _OLLAMA,
}
