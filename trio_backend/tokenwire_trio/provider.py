"""Providers over HTTP: what an application opens, and what it asks for answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property, partial
from types import TracebackType
from typing import ClassVar, Final, NoReturn, Self, final

import attrs
import trio

from tokenwire.config import ConfigError, ProviderSection
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import Deadlines, Endpoint
from tokenwire.errors import AuthError
from tokenwire.exchange import Exchange, request_url
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig, as_settings
from tokenwire.proxy_environment import proxy_from_environ
from tokenwire.secret import Secret
from tokenwire.wire import SOCKET_KINDS, Wire, wire_by_kind
from tokenwire_trio import log
from tokenwire_trio.call import Call
from tokenwire_trio.connections import Connections
from tokenwire_trio.credentials import Credentials
from tokenwire_trio.deadlines import CallClock
from tokenwire_trio.dialing import Dial, Dialer
from tokenwire_trio.progress import Observer
from tokenwire_trio.stream import HTTPTokenStream, OngoingCall
from tokenwire_trio.tap import Tap

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
        observer: Watches how every call gets on.
        wires: Wire formats of others that the section may name, besides those of this library.
        h11_only: Have h11 read the body of every answer, where its chunks are otherwise read in a
            quicker way that accepts the same (see `plain_chunks`). For comparison, and to be on the
            safe side.
        trio_tls: Use trio's `SSLStream`, where TLS otherwise has a quicker stream of our own (see
            `tls_stream`). For comparison, too. It can't read once a write has failed: where a
            server refuses a request and closes before it has read all of it, you get a
            `NetworkError` and not the refusal.

    Attributes:
        section: What it was opened with.

    Raises:
        ConfigError: If the wire format is unknown, or what the environment calls a proxy is none.
        ValueError: If the endpoint has a quirk that the wire format does not know.
        TypeError: If the section is something else.
    """

    #: Wire formats that this class takes; empty for all.
    kinds: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        section: ProviderSection,
        *,
        dial: Dial | None = None,
        observer: Observer | None = None,
        wires: Iterable[Wire] = (),
        h11_only: bool = False,
        trio_tls: bool = False,
    ) -> None:
        _require_section(section)
        if self.kinds and section.kind not in self.kinds:
            raise ConfigError(
                f"{type(self).__name__} takes kind {' or '.join(sorted(self.kinds))},"
                f" not {section.kind!r}: open_provider takes every kind"
            )
        if section.kind in SOCKET_KINDS and not self.kinds:
            raise ConfigError(
                f"{section.kind!r} is spoken over a WebSocket: SocketProvider and open_provider"
                " take it"
            )
        self._wire = wire_by_kind(section.kind, wires)
        self._wire.check_quirks(section.endpoint.quirks)
        self._endpoint = self._authenticated = section.endpoint
        self._defaults = section.defaults
        self.section: Final = section
        self._credentials = Credentials(section.endpoint.credential, self._name)
        self._dialer = Dialer(
            section.endpoint, proxy_for(section.endpoint), dial, trio_tls=trio_tls
        )
        self._observer = observer
        self._h11_only = h11_only

    @cached_property
    def _connections(self) -> Connections:
        """Connections that carry one answer at a time; a provider over sockets has others."""
        return Connections(self._dialer, self._endpoint.pool, self._observer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._wire.kind} at {self._endpoint.base_url}>"

    @property
    def url(self) -> str:
        """Where requests go: the final URL, without query parameters.

        Raises:
            LocalProtocolError: If a setting is part of it, as the model is on some APIs, and
                `ProviderSection.defaults` leaves that unset.
        """
        return request_url(self._wire, self._endpoint, self._defaults)

    def complete(
        self,
        messages: Sequence[Message],
        config: ProviderConfig = _NOTHING_SET,
        *,
        tap: Tap | None = None,
    ) -> AbstractAsyncContextManager[HTTPTokenStream]:
        """Ask for an answer.

        Entering takes or opens a connection, sends the request and waits for the response head.
        Leaving, in any way, gives the connection up before the block returns: one with a complete
        answer is kept for the next call, any other is closed, without waiting for the server.

        A credential that is a callable is asked for each request. Where the server refuses what it
        returned (status 401) it is asked once more, and if that returns another one, the request is
        made again with it. No other request is ever repeated here.

        Args:
            messages: The conversation so far, at least one message.
            config: The settings of this call; what it leaves unset comes from the provider's
                defaults.
            tap: Watches the bytes, see `Recording`.

        Returns:
            A context manager in which the stream lives.

        Raises:
            LocalProtocolError: On entering, if the wire format cannot carry what was asked.
            TypeError: If `config` is something else; on entering, if something else than a
                `Message` is among the messages.
            ValueError: On entering, if the settings or the TLS files cannot be used.
            ProviderError: On entering, if there is no answer to stream from.
            trio.ClosedResourceError: On entering, if the provider is closed.
        """
        settings = as_settings(config).merged_over(self._defaults)
        prepare = partial(self._prepare_call, messages, settings, tap)
        return AnswerBlock(prepare, self._credentials, self._endpoint.deadlines)

    def _prepare_call(
        self,
        messages: Sequence[Message],
        config: ProviderConfig,
        tap: Tap | None,
        credential: Secret | None,
        clock: CallClock,
    ) -> OngoingCall:
        """Make the request, without sending it."""
        endpoint = self._endpoint_with(credential)
        exchange = Exchange(self._wire, endpoint)
        request = exchange.send(messages, config)
        self._connections.prepare()
        log.request(request)
        return Call(
            exchange if tap is None else tap(exchange, request, self._wire, endpoint),
            request,
            max_head_bytes=self._endpoint.limits.head_bytes,
            connections=self._connections,
            clock=clock,
            h11_only=self._h11_only,
        )

    def _endpoint_with(self, credential: Secret | None) -> Endpoint:
        """Return the endpoint with the credential itself in place of what is asked for it."""
        if credential != self._authenticated.credential:  # another one checks all settings again
            self._authenticated = attrs.evolve(self._endpoint, credential=credential)
        return self._authenticated

    async def warm(self, connections: int = 1) -> None:
        """Open connections ahead of calls, so that these need not wait for them.

        Connections that are idle already count, and none is opened beyond
        `PoolSettings.max_connections`. They are kept for `PoolSettings.idle_expiry`: warm up when
        you know that a call is about to come.

        Args:
            connections: How many are to be ready.

        Raises:
            ConfigError: If the TLS or proxy settings cannot be used.
            ValueError: If the pool's settings do not allow so many.
            NetworkError: One could not be opened. Those that could be are kept.
            trio.ClosedResourceError: If the provider is closed.
        """
        self._connections.prepare()
        error = await self._connections.warm(connections, self._endpoint.deadlines)
        if error is not None:
            raise attrs.evolve(error, provider=self._name)

    @property
    def _name(self) -> str:
        return self._endpoint.name or self._wire.kind

    async def aclose(self) -> None:
        """Close every connection; the provider answers no more. May be called again."""
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        """Return the provider itself; connections are opened when they are needed.

        Raises:
            RuntimeError: If no event loop of trio's is running.
        """
        _require_trio()
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

    kinds: ClassVar[frozenset[str]] = frozenset({"openai-chat"})


def open_provider(
    section: ProviderSection,
    *,
    dial: Dial | None = None,
    wires: Iterable[Wire] = (),
    h11_only: bool = False,
    trio_tls: bool = False,
) -> AbstractAsyncContextManager[HTTPProvider]:
    """Open a provider of any kind, and close its connections at the end of the block.

    Args:
        section: Wire format, endpoint and default settings, for instance ``config.provider``.
        dial: See `HTTPProvider`.
        wires: See `HTTPProvider`.
        h11_only: See `HTTPProvider`.
        trio_tls: See `HTTPProvider`.

    Returns:
        A context manager that gives the provider. Opening it moves no byte.

    Raises:
        ConfigError: If the wire format is unknown.
        ValueError: If the endpoint has a quirk that the wire format does not know.
        TypeError: If the section is something else.
    """
    _require_section(section)
    if section.kind in SOCKET_KINDS:
        from tokenwire_trio.socket_provider import SocketProvider  # which imports this module

        return SocketProvider(section, dial=dial, trio_tls=trio_tls)
    return HTTPProvider(section, dial=dial, wires=wires, h11_only=h11_only, trio_tls=trio_tls)


def _require_section(section: object) -> None:
    if not isinstance(section, ProviderSection):
        raise TypeError(
            "section must be a ProviderSection, such as config.provider, not"
            f" {type(section).__name__}"
        )


def _require_trio() -> None:
    """Say under asyncio what is wrong, which trio itself does not."""
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        pass
    else:
        return
    raise RuntimeError(
        "this provider runs under trio: write trio.run(main) in place of asyncio.run(main());"
        " the guide to other I/O shows how to ask from asyncio"
    )


def proxy_for(endpoint: Endpoint) -> ProxySettings | None:
    """Return the endpoint's proxy, from the environment where it says so.

    Raises:
        ConfigError: If what the environment calls a proxy is none.
    """
    if not isinstance(endpoint.proxy, str):
        return endpoint.proxy
    try:
        return proxy_from_environ(endpoint.base_url, os.environ)
    except ValueError as error:
        reason = str(error)
    raise ConfigError(reason)


@final
class AnswerBlock:
    """The block of one answer.

    Args:
        prepare: Makes the call, with this credential and on this clock.
        credentials: Whom to ask for the credential.
        deadlines: For the clock.
    """

    __slots__ = ("_credentials", "_deadlines", "_prepare", "_stream")
    _stream: HTTPTokenStream

    def __init__(
        self,
        prepare: Callable[[Secret | None, CallClock], OngoingCall],
        credentials: Credentials,
        deadlines: Deadlines,
    ) -> None:
        self._prepare = prepare
        self._credentials = credentials
        self._deadlines = deadlines

    def __aiter__(self) -> NoReturn:
        """Refuse what is often tried first."""
        raise TypeError(
            "complete() is to be entered: async with provider.complete(…) as stream, and in that"
            " block async for token in stream, or await stream.collect()"
        )

    __await__ = __aiter__

    async def __aenter__(self) -> HTTPTokenStream:
        try:
            return await self._begin()
        finally:
            del self._prepare  # it holds the conversation, and the answer may take long

    async def _begin(self) -> HTTPTokenStream:
        clock = CallClock(self._deadlines)
        credential = await self._credentials.ask(clock)
        try:
            return await self._open(credential, clock)
        except AuthError as error:
            if not self._credentials.may_have_expired(error):
                raise
            refusal = error
        renewed = await self._credentials.ask(clock)
        if renewed == credential:
            raise refusal
        clock.begin_request()
        return await self._open(renewed, clock)

    async def _open(self, credential: Secret | None, clock: CallClock) -> HTTPTokenStream:
        self._stream = HTTPTokenStream(self._prepare(credential, clock))
        try:
            await self._stream.start()
        except BaseException:
            await self._stream.aclose()
            raise
        log.begun(self._stream)
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self._stream.finish()  # noqa: ASYNC102  # gives up at once when cancelled
        else:
            await self._stream.aclose()
        log.ended(self._stream)
