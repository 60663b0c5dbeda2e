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
"""

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
from tokenwire.exchange import Exchange, State
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
    "EncodedRequest",
    "End",
    "Endpoint",
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
