"""Stream answers from LLM APIs: a core without I/O.

`Message`s and a `ProviderConfig` go in, `Token`s or one `ProviderError` come out; `Exchange` is the
state machine in between, and needs no event loop. The package ``tokenwire_trio`` moves the bytes
under trio.

    exchange = Exchange(wire_by_kind("openai-chat"), Endpoint(base_url="https://host.example/v1"))
    request = exchange.send([Message.user("Hi")], ProviderConfig(model="some-model"))
    ...  # put `request` on the wire with any HTTP client
    events = exchange.receive_head(status, headers)
    events = exchange.receive_data(data)  # for each piece of the body
    events = exchange.receive_eof(clean=True)

What is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenwire.completion import Choice, Completion, CompletionBuilder
    from tokenwire.config import Config, ConfigError, ProviderSection
    from tokenwire.connection_settings import PoolSettings, ProxySettings
    from tokenwire.endpoint import AuthStyle, Deadlines, Endpoint, Limits, TLSSettings
    from tokenwire.errors import (
        AnyProviderError,
        AuthError,
        LocalProtocolError,
        MalformedResponseError,
        NetworkError,
        OtherError,
        ProviderError,
        RateLimitError,
    )
    from tokenwire.exchange import Events, Exchange, State
    from tokenwire.messages import Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
    from tokenwire.ndjson import NDJSONDecoder
    from tokenwire.provider import Provider, TokenStream
    from tokenwire.provider_config import (
        ForcedTool,
        ProviderConfig,
        ReasoningOptions,
        ResponseSchema,
        Tool,
        ToolChoice,
    )
    from tokenwire.request import HTTPRequest
    from tokenwire.response import RateLimit, ResponseInfo, Timings
    from tokenwire.retry_policy import Attempt, GaveUp, RetryBudget, RetryPolicy
    from tokenwire.secret import CredentialSource, Secret
    from tokenwire.sse import LimitExceeded, ServerSentEvent, SSEDecoder, SSEItem
    from tokenwire.tokens import (
        Durations,
        End,
        Finish,
        FinishReason,
        ReasoningDelta,
        RefusalDelta,
        TextDelta,
        Token,
        TokenLogprob,
        ToolCallDelta,
        Usage,
    )
    from tokenwire.wire import WIRE_KINDS, wire_by_kind
    from tokenwire.wire.base import Answer, EncodedRequest, Wire
else:  # where type checkers don't see it: to them, it would make every name exist

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(home), name)
        globals()[name] = value
        return value


__all__ = [
    "WIRE_KINDS",
    "Answer",
    "AnyProviderError",
    "Attempt",
    "AuthError",
    "AuthStyle",
    "Choice",
    "Completion",
    "CompletionBuilder",
    "Config",
    "ConfigError",
    "CredentialSource",
    "Deadlines",
    "Durations",
    "EncodedRequest",
    "End",
    "Endpoint",
    "Events",
    "Exchange",
    "Finish",
    "FinishReason",
    "ForcedTool",
    "GaveUp",
    "HTTPRequest",
    "Image",
    "LimitExceeded",
    "Limits",
    "LocalProtocolError",
    "MalformedResponseError",
    "Message",
    "NDJSONDecoder",
    "NetworkError",
    "OtherError",
    "Part",
    "PoolSettings",
    "Provider",
    "ProviderConfig",
    "ProviderError",
    "ProviderSection",
    "ProxySettings",
    "RateLimit",
    "RateLimitError",
    "Reasoning",
    "ReasoningDelta",
    "ReasoningOptions",
    "RefusalDelta",
    "ResponseInfo",
    "ResponseSchema",
    "RetryBudget",
    "RetryPolicy",
    "Role",
    "SSEDecoder",
    "SSEItem",
    "Secret",
    "ServerSentEvent",
    "State",
    "TLSSettings",
    "Text",
    "TextDelta",
    "Timings",
    "Token",
    "TokenLogprob",
    "TokenStream",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolChoice",
    "ToolResult",
    "Usage",
    "Wire",
    "wire_by_kind",
]

_HOMES: Final = {
    "Choice": "tokenwire.completion",
    "Completion": "tokenwire.completion",
    "CompletionBuilder": "tokenwire.completion",
    "Config": "tokenwire.config",
    "ConfigError": "tokenwire.config",
    "ProviderSection": "tokenwire.config",
    "PoolSettings": "tokenwire.connection_settings",
    "ProxySettings": "tokenwire.connection_settings",
    "AuthStyle": "tokenwire.endpoint",
    "Deadlines": "tokenwire.endpoint",
    "Endpoint": "tokenwire.endpoint",
    "Limits": "tokenwire.endpoint",
    "TLSSettings": "tokenwire.endpoint",
    "AnyProviderError": "tokenwire.errors",
    "AuthError": "tokenwire.errors",
    "LocalProtocolError": "tokenwire.errors",
    "MalformedResponseError": "tokenwire.errors",
    "NetworkError": "tokenwire.errors",
    "OtherError": "tokenwire.errors",
    "ProviderError": "tokenwire.errors",
    "RateLimitError": "tokenwire.errors",
    "Events": "tokenwire.exchange",
    "Exchange": "tokenwire.exchange",
    "State": "tokenwire.exchange",
    "Image": "tokenwire.messages",
    "Message": "tokenwire.messages",
    "Part": "tokenwire.messages",
    "Reasoning": "tokenwire.messages",
    "Role": "tokenwire.messages",
    "Text": "tokenwire.messages",
    "ToolCall": "tokenwire.messages",
    "ToolResult": "tokenwire.messages",
    "NDJSONDecoder": "tokenwire.ndjson",
    "Provider": "tokenwire.provider",
    "TokenStream": "tokenwire.provider",
    "ForcedTool": "tokenwire.provider_config",
    "ProviderConfig": "tokenwire.provider_config",
    "ReasoningOptions": "tokenwire.provider_config",
    "ResponseSchema": "tokenwire.provider_config",
    "Tool": "tokenwire.provider_config",
    "ToolChoice": "tokenwire.provider_config",
    "HTTPRequest": "tokenwire.request",
    "RateLimit": "tokenwire.response",
    "ResponseInfo": "tokenwire.response",
    "Timings": "tokenwire.response",
    "Attempt": "tokenwire.retry_policy",
    "GaveUp": "tokenwire.retry_policy",
    "RetryBudget": "tokenwire.retry_policy",
    "RetryPolicy": "tokenwire.retry_policy",
    "CredentialSource": "tokenwire.secret",
    "Secret": "tokenwire.secret",
    "LimitExceeded": "tokenwire.sse",
    "SSEDecoder": "tokenwire.sse",
    "SSEItem": "tokenwire.sse",
    "ServerSentEvent": "tokenwire.sse",
    "Durations": "tokenwire.tokens",
    "End": "tokenwire.tokens",
    "Finish": "tokenwire.tokens",
    "FinishReason": "tokenwire.tokens",
    "ReasoningDelta": "tokenwire.tokens",
    "RefusalDelta": "tokenwire.tokens",
    "TextDelta": "tokenwire.tokens",
    "Token": "tokenwire.tokens",
    "TokenLogprob": "tokenwire.tokens",
    "ToolCallDelta": "tokenwire.tokens",
    "Usage": "tokenwire.tokens",
    "WIRE_KINDS": "tokenwire.wire",
    "wire_by_kind": "tokenwire.wire",
    "Answer": "tokenwire.wire.base",
    "EncodedRequest": "tokenwire.wire.base",
    "Wire": "tokenwire.wire.base",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
