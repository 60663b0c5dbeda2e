"""What our own wire formats of sockets are shown to the kit by: messages, one a line."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.sansio.testing.own_samples import own_sample
from tokenwire.errors import AuthError, OtherError, RateLimitError
from tokenwire.testing import AnswerSample, FailureSample, WireSample
from tokenwire.tokens import Usage
from tokenwire.wire import wire_by_kind


def _lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def _realtime(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": "event_1", "response_id": "r1", "output_index": 0, **members}


_OVER_HTTP: Final = own_sample("openai-responses")

#: The events of the same API's stream, as messages.
_RESPONSES_ANSWER: Final = b"".join(
    line.removeprefix(b"data: ") + b"\n"
    for line in _OVER_HTTP.answers[0].body.splitlines()
    if line.startswith(b"data: ")
)

_REALTIME_ANSWER: Final = _lines(
    _realtime("response.created", response={"id": "r1", "metadata": None}),
    _realtime("response.output_text.delta", item_id="i0", content_index=0, delta="H"),
    _realtime("response.output_text.delta", item_id="i0", content_index=0, delta="i"),
    _realtime(
        "response.output_item.added",
        output_index=1,
        item={"type": "function_call", "id": "i1", "call_id": "c", "name": "f", "arguments": ""},
    ),
    _realtime("response.function_call_arguments.delta", output_index=1, delta='{"a"'),
    _realtime("response.function_call_arguments.delta", output_index=1, delta=":1}"),
    _realtime(
        "response.done",
        response={
            "id": "r1",
            "status": "completed",
            "usage": {
                "input_tokens": 5,
                "output_tokens": 4,
                "total_tokens": 9,
                "input_token_details": {"cached_tokens": 1},
            },
        },
    ),
)

#: A connection that is refused is an HTTP response like any other.
_REFUSED: Final = FailureSample(
    name="refused",
    body=b'{"error":{"message":"Slow down.","code":"rate_limit_exceeded"}}',
    status=429,
    headers={"retry-after": "20", "x-request-id": "req_1"},
    error=RateLimitError,
    facts={"retry_after": 20.0, "request_id": "req_1"},
)

SOCKET_SAMPLES: Final = (
    WireSample(
        wire=wire_by_kind("openai-responses-ws"),
        answers=[
            AnswerSample(
                name="with everything",
                body=_RESPONSES_ANSWER,
                text="Hi",
                reasoning="Hm",
                refusal="No",
                tool_calls=(("f", {"a": 1}),),
                finish="tool_calls",
                raw_finish="completed",
                usage=Usage(5, 4, 9, 1, 1, 1),
                signatures=("c2ln",),
            )
        ],
        failures=[
            _REFUSED,
            FailureSample(
                name="in mid-answer",
                body=_lines(
                    {"type": "response.output_text.delta", "delta": "Hi"},
                    {"type": "error", "status": 401, "error": {"message": "Who are you?"}},
                ),
                error=AuthError,
                facts={"in_stream": True, "tokens_emitted": 1},
            ),
        ],
    ),
    WireSample(
        wire=wire_by_kind("openai-realtime"),
        answers=[
            AnswerSample(
                name="with everything",
                body=_REALTIME_ANSWER,
                text="Hi",
                tool_calls=(("f", {"a": 1}),),
                finish="tool_calls",
                raw_finish="completed",
                usage=Usage(5, 4, 9, 1),
            )
        ],
        failures=[
            _REFUSED,
            FailureSample(
                name="in mid-answer",
                body=_lines(
                    _realtime("response.output_text.delta", delta="Hi"),
                    _realtime("error", error={"code": "server_error", "message": "Oh."}),
                ),
                error=OtherError,
                facts={"kind": "server", "in_stream": True, "tokens_emitted": 1},
            ),
        ],
    ),
)
