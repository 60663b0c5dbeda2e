"""What type checkers must accept and refuse in programs that use this library; never run.

`make types` checks it. A line that must be refused carries an ignore, and an ignore that nothing
needs any more is an error itself: so each says what must not type-check.
"""

from __future__ import annotations

from typing import assert_never, assert_type

import tokenwire
from tokenwire import (
    AnyProviderError,
    AuthError,
    Completion,
    End,
    Endpoint,
    Events,
    Exchange,
    FinishReason,
    HTTPRequest,
    MalformedResponseError,
    Message,
    NetworkError,
    OtherError,
    Provider,
    ProviderConfig,
    ProviderSection,
    RateLimitError,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    TokenStream,
    ToolCallDelta,
    Usage,
    Wire,
    wire_by_kind,
)
from tokenwire.errors import Phase
from tokenwire_trio import Fallback, HTTPProvider, Limited, Rate, Retrying, open_provider
from tokenwire_trio.testing import ScriptedAnswer, ScriptedProvider


def tokens_are_a_closed_union(token: Token) -> str:
    """A `match` over all of them is complete."""
    match token:
        case TextDelta(text=text) | ReasoningDelta(text=text) | RefusalDelta(text=text):
            return text
        case ToolCallDelta(arguments=arguments):
            return arguments
        case End(finish=finish, usage=usage):
            assert_type(finish, FinishReason)
            assert_type(usage, Usage | None)
            return finish
        case _:
            assert_never(token)


def a_missing_token_is_noticed(token: Token) -> str:
    """A `match` that forgets one does not type-check."""
    match token:
        case TextDelta() | ReasoningDelta() | RefusalDelta() | ToolCallDelta():
            return token.text
        case _:
            assert_never(token)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # End


def errors_are_a_closed_union(error: AnyProviderError) -> str:
    """So is a `match` over the kinds of failure."""
    match error:
        case NetworkError(phase=phase):
            assert_type(phase, Phase)
            return phase
        case RateLimitError(scope=scope):
            return scope
        case MalformedResponseError(excerpt=excerpt):
            return excerpt
        case AuthError() | OtherError():
            return error.message
        case _:
            assert_never(error)


async def a_stream_gives_tokens(provider: Provider) -> Completion:
    """Any provider's stream, to whoever knows the protocol only."""
    async with provider.complete([Message.user("Hi")], ProviderConfig(temperature=0)) as stream:
        assert_type(stream, TokenStream)
        async for token in stream:
            assert_type(token, Token)
            assert_type(token.text, str)
    return stream.partial()


async def our_providers_are_providers(section: ProviderSection) -> list[Provider]:
    """Each fits where the protocol is asked for, and in each other."""
    async with open_provider(section) as provider:
        limited = Limited(provider, concurrency=2, rate=Rate(60, per_s=60))
        scripted = ScriptedProvider(ScriptedAnswer.of("Hello"))
        return [provider, limited, Retrying(limited), Fallback(provider, scripted), scripted]


def the_core_is_typed(endpoint: Endpoint) -> Events:
    """From the request to the tokens."""
    wire = wire_by_kind("openai-chat")
    assert_type(wire, Wire)
    exchange = Exchange(wire, endpoint)
    assert_type(exchange.send([Message.user("Hi")]), HTTPRequest)
    events = exchange.receive_head(200, [("content-type", "text/event-stream")])
    return [*events, *exchange.receive_data(b""), *exchange.receive_eof(clean=True)]


def mistakes_are_noticed(provider: HTTPProvider, end: End) -> None:
    """Of the kinds that people make."""
    provider.complete("Hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ProviderConfig(max_tokens=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    end.finish = "stop"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    tokenwire.Messages  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
