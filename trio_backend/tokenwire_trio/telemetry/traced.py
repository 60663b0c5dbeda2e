"""A provider whose answers are seen by OpenTelemetry."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Final, Protocol, cast, final, runtime_checkable

import trio
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from tokenwire.completion import Completion
from tokenwire.config import ProviderSection
from tokenwire.errors import ProviderError
from tokenwire.messages import Message, as_conversation
from tokenwire.provider import Provider, TokenStream
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import ResponseInfo
from tokenwire.tokens import End, Token
from tokenwire_trio.collected_stream import CollectedStream
from tokenwire_trio.telemetry.attributes import error_type, identity, request_attributes
from tokenwire_trio.telemetry.content import answer_content, request_content
from tokenwire_trio.telemetry.operation import Instruments, Operation
from tokenwire_trio.wrapping import require_provider

_NOTHING_SET: Final = ProviderConfig()

#: What ended an answer that its reader's cancellation ended.
_CANCELLED: Final = "cancelled"


@runtime_checkable
class _Described(Protocol):
    @property
    def section(self) -> ProviderSection: ...


@final
class Traced:
    """Wraps a provider, and gives each answer a span and values for the metrics.

    The span lasts from the entering of the answer's block to the answer's end, or to the end of the
    block where that comes first. Around a `Retrying` it is one for all attempts, and
    ``on_attempt=record_attempt`` notes those that failed; inside of one each attempt has its own.

    No prompt and no answer is recorded unless `content` asks for it, and no text of an error.

    Args:
        provider: Whoever answers. Who opened it closes it.
        section: What `provider` was opened with, or stands for: names the server, the API and
            default settings. By default that of the provider itself, if it is no wrapper.
        tracer_provider: Where spans go; by default the program's global one.
        meter_provider: Where metrics go; by default the program's global one.
        provider_name: ``gen_ai.provider.name``, where the wire format says too little: many servers
            speak another's API.
        content: Put messages and answers on the span, and stop sequences and tools: whoever sees
            the spans then sees all that was said.
    """

    __slots__ = ("_content", "_instruments", "_provider", "_provider_name", "_section")

    def __init__(
        self,
        provider: Provider,
        *,
        section: ProviderSection | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        provider_name: str | None = None,
        content: bool = False,
    ) -> None:
        require_provider(provider, "what Traced wraps")
        if section is None and isinstance(provider, _Described):
            section = provider.section
        self._provider = provider
        self._section = section
        self._provider_name = provider_name
        self._instruments = Instruments(tracer_provider, meter_provider)
        self._content = content

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._provider!r}>"

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[TracedStream]:
        """Ask for an answer; see `tokenwire.provider.Provider`."""
        return _TracedCompletion(self, as_conversation(messages), config)

    def block(
        self, messages: Sequence[Message], config: ProviderConfig
    ) -> AbstractAsyncContextManager[TokenStream]:
        """Return the wrapped provider's block; `complete` is for callers."""
        return self._provider.complete(messages, config)

    def begin(self, messages: Sequence[Message], config: ProviderConfig) -> Operation:
        """Begin to observe an answer; `complete` is for callers."""
        if self._section is not None:
            config = config.merged_over(self._section.defaults)
        operation = Operation(
            self._instruments,
            identity(self._section, self._provider_name, config.model),
            request_attributes(config),
        )
        if self._content and operation.span.is_recording():
            operation.span.set_attributes(request_content(messages, config))
            if config.stop:
                operation.span.set_attribute("gen_ai.request.stop_sequences", config.stop)
        return operation

    def end(self, operation: Operation, answer: Completion, error: str | None = None) -> None:
        """End the observation of an answer; `complete` is for callers."""
        if self._content and operation.span.is_recording():
            operation.span.set_attributes(answer_content(answer))
        operation.end(answer, error)


@final
class TracedStream(CollectedStream):
    """One answer that is observed; see `tokenwire.provider.TokenStream`.

    Attributes:
        wrapped: The wrapped provider's stream, for what only that has.
    """

    __slots__ = ("_operation", "_traced", "wrapped")

    def __init__(self, wrapped: TokenStream, traced: Traced, operation: Operation) -> None:
        self.wrapped: TokenStream = wrapped
        self._traced = traced
        self._operation = operation

    async def __anext__(self) -> Token:
        """Return the next token.

        Raises:
            ProviderError: The answer failed.
            StopAsyncIteration: After the `End` token.
        """
        operation = self._operation
        try:
            # Retries come before the first token. After it, tokens need not pay for them.
            with nullcontext() if operation.begun else operation.current():
                token = await self.wrapped.__anext__()
        except ProviderError as error:
            self._traced.end(operation, self.partial(), error_type(error))
            raise
        if type(token) is End:
            self._traced.end(operation, self.partial())
        else:
            operation.took_token()
        return token

    async def aclose(self) -> None:
        """Close the stream and its connection now, even when cancelled."""
        await self.wrapped.aclose()

    @property
    def response(self) -> ResponseInfo:
        """The response around the answer."""
        return self.wrapped.response

    def partial(self) -> Completion:
        """Return what has arrived so far, also after a failure."""
        return self.wrapped.partial()


@final
class _TracedCompletion:
    """The block of one answer."""

    __slots__ = ("_block", "_config", "_messages", "_operation", "_stream", "_traced")

    def __init__(self, traced: Traced, messages: Sequence[Message], config: ProviderConfig) -> None:
        self._traced = traced
        self._messages = messages
        self._config = config

    async def __aenter__(self) -> TracedStream:
        self._operation = self._traced.begin(self._messages, self._config)
        try:
            with self._operation.current():
                self._block = self._traced.block(self._messages, self._config)
                stream = await self._block.__aenter__()
        except BaseException as error:
            self._traced.end(self._operation, Completion(), _failure(error))
            raise
        self._stream = TracedStream(stream, self._traced, self._operation)
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        # What the caller's code raised is no failure of the answer.
        cancelled = error is not None and _is_cancellation(error)
        self._traced.end(self._operation, self._stream.partial(), _CANCELLED if cancelled else None)
        # The wrapped block sees to its own end under cancellation.
        return await self._block.__aexit__(kind, error, traceback)  # noqa: ASYNC102


def _failure(error: BaseException) -> str:
    return _CANCELLED if _is_cancellation(error) else error_type(error)


def _is_cancellation(error: BaseException) -> bool:
    """Tell whether an exception is nothing but that, also as a nursery raises it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(map(_is_cancellation, group.exceptions))
    return isinstance(error, trio.Cancelled)
