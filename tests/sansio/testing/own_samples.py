"""What our own wire formats are shown to the kit by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.sansio.wire_table import ANSWERS
from tokenwire.errors import AuthError, OtherError, RateLimitError
from tokenwire.provider_config import ProviderConfig
from tokenwire.testing import AnswerSample, FailureSample, WireSample
from tokenwire.tokens import Usage
from tokenwire.wire import WIRE_KINDS, wire_by_kind

_OVERLOADED: Final[Mapping[str, Any]] = {"kind": "overloaded", "retryable": True}

#: What the answers of `wire_table` say beyond text, reasoning and a tool call.
_EVERYTHING: Final[Mapping[str, Mapping[str, Any]]] = {
    "openai-chat": {
        "refusal": "No",
        "finish": "tool_calls",
        "raw_finish": "tool_calls",
        "usage": Usage(5, 4, 9, 1, 1, 1),
        "signatures": ("c2ln",),
    },
    "openai-responses": {
        "refusal": "No",
        "finish": "tool_calls",
        "raw_finish": "completed",
        "usage": Usage(5, 4, 9, 1, 1, 1),
        "signatures": ("c2ln",),
    },
    "anthropic": {
        "refusal": "No",
        "finish": "tool_calls",
        "raw_finish": "tool_use",
        "usage": Usage(5, 4, None, 1, 1, 1),
        "signatures": ("c2ln",),
    },
    "ollama": {"finish": "tool_calls", "raw_finish": "stop", "usage": Usage(5, 4)},
    "gemini": {
        "tool_calls": (("f", {"a": 1, "b": 2}),),
        "finish": "tool_calls",
        "raw_finish": "STOP",
        "usage": Usage(5, 4, 9, 1, None, 1),
        "signatures": ("c2ln",),
    },
}

_CHAT_FAILURES: Final = (
    FailureSample(
        name="bad key",
        body=b'{"error":{"message":"Wrong key.","type":"x","code":"invalid_api_key"}}',
        status=401,
        error=AuthError,
        facts={"code": "invalid_api_key", "message": "Wrong key."},
    ),
    FailureSample(
        name="in mid-stream",
        body=b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
        b'data: {"error":{"message":"Busy.","code":503}}\n\n',
        error=OtherError,
        facts={**_OVERLOADED, "in_stream": True, "tokens_emitted": 1},
    ),
)

_FAILURES: Final[Mapping[str, tuple[FailureSample, ...]]] = {
    "openai-chat": _CHAT_FAILURES,
    "azure-chat": _CHAT_FAILURES,
    "openai-responses": (
        FailureSample(
            name="too many",
            body=b'{"error":{"message":"Slow down.","code":"rate_limit_exceeded"}}',
            status=429,
            headers={"retry-after": "20", "x-request-id": "req_1"},
            error=RateLimitError,
            facts={"retry_after": 20.0, "request_id": "req_1"},
        ),
        FailureSample(
            name="in mid-stream",
            body=b'data: {"type":"response.output_text.delta","delta":"Hi"}\n\n'
            b'data: {"type":"error","status":401,"error":{"message":"Who are you?"}}\n\n',
            error=AuthError,
            facts={"in_stream": True, "tokens_emitted": 1},
        ),
    ),
    "anthropic": (
        FailureSample(
            name="busy",
            body=b'{"type":"error","error":{"type":"overloaded_error","message":"Busy."}}',
            status=529,
            headers={"request-id": "req_1", "anthropic-ratelimit-requests-limit": "50"},
            error=OtherError,
            facts={**_OVERLOADED, "request_id": "req_1"},
        ),
        FailureSample(
            name="in mid-stream",
            body=b'data: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":"Hi"}}\n\n'
            b'data: {"type":"error","error":{"type":"overloaded_error","message":"Busy."}}\n\n',
            error=OtherError,
            facts={**_OVERLOADED, "tokens_emitted": 1},
        ),
    ),
    "ollama": (
        FailureSample(
            name="no such model",
            body=b'{"error":"model \'m\' not found"}',
            status=404,
            error=OtherError,
            facts={"kind": "not_found", "retryable": False},
        ),
        FailureSample(
            name="in mid-stream",
            body=b'{"message":{"content":"Hi"},"done":false}\n{"error":"the runner is gone"}\n',
            error=OtherError,
            facts={"kind": "server", "tokens_emitted": 1},
        ),
    ),
    "gemini": (
        FailureSample(
            name="bad key",
            body=b'[{"error":{"code":400,"message":"Wrong key.","status":"INVALID_ARGUMENT",'
            b'"details":[{"reason":"API_KEY_INVALID"}]}}]',
            status=400,
            error=AuthError,
        ),
        FailureSample(
            name="in mid-stream",
            body=b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}\n\n'
            b'data: {"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}\n\n',
            error=OtherError,
            facts={**_OVERLOADED, "tokens_emitted": 1},
        ),
    ),
}


def own_sample(kind: str) -> WireSample:
    """Return a wire format of this library with samples."""
    everything = _EVERYTHING.get(kind, _EVERYTHING["openai-chat"])
    answer: dict[str, Any] = {"tool_calls": (("f", {"a": 1}),), **everything}
    config = ProviderConfig(model="m", max_output_tokens=100 if kind == "anthropic" else None)
    body = ANSWERS[kind].encode()
    whole = AnswerSample(name="with everything", body=body, text="Hi", reasoning="Hm", **answer)
    return WireSample(
        wire=wire_by_kind(kind), config=config, answers=[whole], failures=_FAILURES[kind]
    )


OWN_SAMPLES: Final = tuple(own_sample(kind) for kind in WIRE_KINDS)
