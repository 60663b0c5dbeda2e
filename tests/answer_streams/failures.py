"""What servers send when they fail, and what they send that is no stream at all.

Each comes with the label of the error that must come of it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Labelled: TypeAlias = tuple[tuple[bytes, str], ...]

#: What fails in every event stream.
_EVENTS: Labelled = (
    (b'event: error\ndata: {"message":"m","code":"500"}\n\n', "other"),
    (b"event: error\ndata: out of memory\n\n", "other"),
    (b'error: {"code":500,"message":"m","type":"server_error"}\n\n', "other"),
    (b'data: {"error":{"message":"m"}}\n\n', "other"),
    (b"data: {oops\n\n", "malformed"),
    (b"data: 42\n\n", "malformed"),
    (b'data: {"x":"\xff","delta":"\xff","choices":"\xff","candidates":"\xff"}\n\n', "malformed"),
)

#: What the chat completions of OpenAI, its cousins and Azure have in common.
_CHAT: Labelled = (
    *_EVENTS,
    (b'data: {"error":{"message":"m","type":"server_error","code":null}}\n\n', "other"),
    (b'data: {"error":"the runner stopped"}\n\n', "other"),
    (b'data: {"error":{"message":"m","code":"rate_limit_exceeded"}}\n\n', "rate_limit"),
    (b'data: {"error":{"message":"m","code":429}}\n\n', "rate_limit"),
    (b'data: {"error":{"message":"m","type":"insufficient_quota"}}\n\n', "rate_limit"),
    (b'data: {"error":{"message":"m","code":"invalid_api_key"}}\n\n', "auth"),
    (b'data: {"error":{"message":"m","code":401}}\n\n', "auth"),
    (b'data: {"object":"error","message":"m","type":"E","code":500}\n\n', "other"),
    (b'data: {"error_code":"E","message":"m"}\n\n', "other"),
    (b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n', "other"),
    (b'data: {"choices":[{"index":0,"error":{"code":502,"message":"m"}}]}\n\n', "other"),
    (b'data: [{"error":{"code":503,"message":"m"}}]\n\n', "other"),
    (b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', "malformed"),
)

_ANTHROPIC_ERROR: Final = b'event: error\ndata: {"type":"error","error":{"type":"%s"}}\n\n'
_BAD_KEY: Final = b'{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}}'
_ENDED: Final = b'data: {"type":"response.%s","response":{"status":"%s","error":{"code":"%s"}}}\n\n'

#: What ends a successful answer in mid-stream, by wire format.
FAILURES: Final[dict[str, Labelled]] = {
    "openai-chat": _CHAT,
    "azure-chat": _CHAT,
    "anthropic": (
        *_EVENTS,
        (_ANTHROPIC_ERROR % b"overloaded_error", "other"),
        (_ANTHROPIC_ERROR % b"api_error", "other"),
        (_ANTHROPIC_ERROR % b"rate_limit_error", "rate_limit"),
        (_ANTHROPIC_ERROR % b"billing_error", "rate_limit"),
        (_ANTHROPIC_ERROR % b"authentication_error", "auth"),
        (b'data: {"type":"error","error":{"type":"permission_error"}}\n\n', "auth"),
        (b'data: {"type":"error","error":null,"message":"m"}\n\n', "other"),
        (b'data: {"error":{"message":"m","code":"429"}}\n\n', "rate_limit"),
        (b'data: {"delta":{"type":"text_delta","text":"\xff"}}\n\n', "malformed"),
    ),
    "gemini": (
        *_EVENTS,
        (b'data: {"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}\n\n', "other"),
        (b'data: {"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}\n\n', "rate_limit"),
        (b'data: [{"error":{"code":401,"status":"UNAUTHENTICATED"}}]\n\n', "auth"),
        (b"data: %s\n\n" % _BAD_KEY, "auth"),
        (b'data: {"error":"quota"}\n\n', "other"),
        (b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n', "other"),
        (b'data: {"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}\n\n', "malformed"),
    ),
    "openai-responses": (
        *_EVENTS,
        (b'data: {"type":"error","code":"rate_limit_exceeded","message":"m"}\n\n', "rate_limit"),
        (b'data: {"type":"error","code":"invalid_api_key","message":"m"}\n\n', "auth"),
        (b'data: {"type":"error","status":401,"error":{"message":"m"}}\n\n', "auth"),
        (b'data: {"type":"error","error":{"code":"insufficient_quota"}}\n\n', "rate_limit"),
        (_ENDED % (b"failed", b"failed", b"server_error"), "other"),
        (_ENDED % (b"completed", b"failed", b"rate_limit_exceeded"), "rate_limit"),
        (_ENDED % (b"completed", b"queued", b""), "malformed"),
        (b"data: [DONE]\n\n", "malformed"),
        (b'data: {"type":"response.output_text.delta","delta":"\xff"}\n\n', "malformed"),
    ),
    "ollama": (
        (b'{"error":"an error was encountered while running the model"}\n', "other"),
        (b'{"error":{"message":"m","type":"api_error"}}\n', "other"),
        (b'{"error":"the input length exceeds the context length","done":true}\n', "other"),
        (b'{"error":["m"]}\n', "other"),
        (b"{oops\n", "malformed"),
        (b"42\n", "malformed"),
        (b'data: {"done":false}\n', "malformed"),
        (b'{"message":{"content":"\xff"}}\n', "malformed"),
    ),
}

#: What no API sends, but proxies and other servers do.
_ANY_BODIES: Labelled = (
    (b"", "malformed"),
    (b" \r\n\n", "malformed"),
    (b": ping\n\n", "malformed"),
    (b"<!doctype html>\n<html><title>Sign in</title></html>", "malformed"),
    (b"upstream connect error", "malformed"),
    (b'{"status":"ok"}', "malformed"),
    (b'{"id":"c","choices":[{"index":0,"mess', "malformed"),
    (b'{"detail":"Not found"}', "malformed"),
    (b"[]", "malformed"),
    (b"{}", "malformed"),
)
_CHAT_BODIES: Labelled = (
    *_ANY_BODIES,
    (b'{"error":{"message":"m","code":"invalid_api_key"}}', "auth"),
    (b'{"error":{"message":"m","code":402}}', "rate_limit"),
    (b'[{"error":{"code":503,"message":"m"}}]', "other"),
)

#: Bodies of successful responses that are no stream at all, by wire format.
OTHER_BODIES: Final[dict[str, Labelled]] = {
    "openai-chat": _CHAT_BODIES,
    "azure-chat": _CHAT_BODIES,
    "anthropic": (
        *_ANY_BODIES,
        (b'{"type":"error","error":{"type":"authentication_error","message":"m"}}', "auth"),
        (b'{"error":{"message":"m"}}', "other"),
    ),
    "gemini": (
        *_ANY_BODIES,
        (b"[%s]" % _BAD_KEY, "auth"),
        (b'{"promptFeedback":{"blockReason":"OTHER"}}', "other"),
        (b'[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}]', "malformed"),
    ),
    "openai-responses": (
        *_ANY_BODIES,
        (b'{"error":{"message":"m","code":"invalid_api_key"}}', "auth"),
        (b'{"status":"failed","output":[],"error":{"code":"server_error"}}', "other"),
        (b'{"status":"in_progress","output":[]}', "malformed"),
    ),
    "ollama": (
        *_ANY_BODIES,
        (b'{"error":"model \'m\' not found"}', "other"),
        (b'{"done":false}', "malformed"),
    ),
}
