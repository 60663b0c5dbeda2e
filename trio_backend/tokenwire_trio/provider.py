"""Providers over HTTP: what an application opens, and what it asks for answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import ClassVar, Final, Self, final

import attrs
import trio

from tokenwire.config import ConfigError, ProviderSection
from tokenwire.endpoint import Endpoint
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.wire import wire_by_kind
from tokenwire_trio.call import Call
from tokenwire_trio.connections import Connections
from tokenwire_trio.deadlines import CallClock
from tokenwire_trio.dialing import Dial, Dialer, Origin
from tokenwire_trio.failures import timed_out
from tokenwire_trio.progress import Progress
from tokenwire_trio.stream import HTTPTokenStream

_NOTHING_SET: Final = ProviderConfig()


class HTTPProvider:
    """A provider that is reached over HTTP, in any wire format.

    Use it in ``async with``: the end of the block closes every connection, also under an answer
    that is still being read. It belongs to one trio run; any number of its tasks may share it.

    Args:
        section: Wire format, endpoint and default settings, for instance ``config.provider``.
        dial: Opens the byte stream to a host and port, in place of name look-up and TCP; TLS is put
            on top of it where the URL says https. For tests, and for ways to a server that this
            library does not know.

    Raises:
        ConfigError: If the wire format is unknown.
        ValueError: If the endpoint has a quirk that the wire format does not know.
    """

    #: Wire formats that this class takes; empty for all.
    kinds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, section: ProviderSection, *, dial: Dial | None = None) -> None:
        if self.kinds and section.kind not in self.kinds:
            raise ConfigError(
                f"{type(self).__name__} takes kind {' or '.join(sorted(self.kinds))},"
                f" not {section.kind!r}: open_provider takes every kind"
            )
        self._wire = wire_by_kind(section.kind)
        self._wire.check_quirks(section.endpoint.quirks)
        self._endpoint = section.endpoint
        self._defaults = section.defaults
        origin = Origin.from_url(section.endpoint.base_url)
        self._connections = Connections(Dialer(origin, section.endpoint.tls, dial))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._wire.kind} at {self._endpoint.base_url}>"

    @property
    def url(self) -> str:
        """Where requests go: the final URL, without query parameters.

        Raises:
            LocalProtocolError: If it depends on a setting that has no default.
        """
        exchange = Exchange(self._wire, attrs.evolve(self._endpoint, credential=None))
        # Only the wire format knows the path; no request is sent.
        exchange.send([Message.user("?")], self._defaults)
        return exchange.url

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[HTTPTokenStream]:
        """Ask for an answer.

        Entering connects, sends the request and waits for the response head; leaving, in any way,
        closes the connection before the block returns, without waiting for the server.

        Args:
            messages: The conversation so far, at least one message.
            config: The settings of this call; what it leaves unset comes from the provider's
                defaults.

        Returns:
            A context manager in which the stream lives.

        Raises:
            LocalProtocolError: On entering, if the wire format cannot carry what was asked.
            ValueError: On entering, if the settings or the TLS files cannot be used.
            ProviderError: On entering, if there is no answer to stream from.
            trio.ClosedResourceError: On entering, if the provider is closed.
        """
        settings = config.merged_over(self._defaults)
        return _Completion(partial(self._prepare_call, messages, settings))

    async def _prepare_call(self, messages: Sequence[Message], config: ProviderConfig) -> Call:
        """Make the request, without sending it."""
        clock = CallClock(self._endpoint.deadlines)
        exchange = Exchange(self._wire, await self._authorized_endpoint(clock))
        request = exchange.send(messages, config)
        self._connections.prepare()
        return Call(
            exchange,
            request,
            max_head_bytes=self._endpoint.limits.head_bytes,
            connections=self._connections,
            clock=clock,
        )

    async def _authorized_endpoint(self, clock: CallClock) -> Endpoint:
        """Return the endpoint with a credential that is at hand."""
        source = self._endpoint.credential
        if source is None or isinstance(source, Secret):
            return self._endpoint
        limit = clock.call_limit()
        with trio.CancelScope(deadline=limit.at):
            credential = await source()
            if not isinstance(credential, Secret):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
                raise TypeError(
                    f"the credential callable must return a Secret, not {type(credential).__name__}"
                )
            return attrs.evolve(self._endpoint, credential=credential)
        error = timed_out(limit, Progress(self._connections.peer))
        raise attrs.evolve(error, provider=self._endpoint.name or self._wire.kind)

    async def aclose(self) -> None:
        """Close every connection; the provider answers no more. May be called again."""
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        """Return the provider itself; connections are opened when they are needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class OpenAIProvider(HTTPProvider):
    """A provider that speaks OpenAI's chat completions; see `HTTPProvider`."""

    kinds = frozenset({"openai-chat"})


def open_provider(
    section: ProviderSection, *, dial: Dial | None = None
) -> AbstractAsyncContextManager[HTTPProvider]:
    """Open a provider of any kind, and close its connections at the end of the block.

    Args:
        section: Wire format, endpoint and default settings, for instance ``config.provider``.
        dial: See `HTTPProvider`.

    Returns:
        A context manager that gives the provider. Opening it moves no byte.

    Raises:
        ConfigError: If the wire format is unknown.
        ValueError: If the endpoint has a quirk that the wire format does not know.
    """
    return HTTPProvider(section, dial=dial)


@final
class _Completion:
    """The block of one answer."""

    __slots__ = ("_prepare", "_stream")
    _stream: HTTPTokenStream

    def __init__(self, prepare: Callable[[], Awaitable[Call]]) -> None:
        self._prepare = prepare

    async def __aenter__(self) -> HTTPTokenStream:
        self._stream = HTTPTokenStream(await self._prepare())
        try:
            await self._stream.start()
        except BaseException:
            await self._stream.aclose()
            raise
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.aclose()
