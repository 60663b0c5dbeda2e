"""Providers over WebSockets: connections that carry many answers, side by side and for long."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import ClassVar, Self, final

import trio

from tokenwire.config import ProviderSection
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.wire import SOCKET_KINDS, socket_wire_by_kind
from tokenwire_trio.deadlines import CallClock
from tokenwire_trio.dialing import Dial
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.progress import Observer
from tokenwire_trio.provider import HTTPProvider
from tokenwire_trio.socket_call import SocketCall
from tokenwire_trio.socket_pool import SocketPool
from tokenwire_trio.tap import Tap


@final
class SocketProvider(HTTPProvider):
    """A provider that is reached over WebSockets, which begin as requests over HTTP.

    It must be used in ``async with``: the block owns the tasks that read the connections. Its end
    closes every one, also under an answer that is still being read, and gives each server a second
    to answer the farewell. Any number of tasks may share the provider.

    Entering the block of an answer finds a connection with room, or opens one, sends what is new of
    the conversation, and waits until the answer begins. Leaving it stops the tokens at once. A
    server that offers no way to cancel goes on with the answer, and bills it; its place on the
    connection is free again when it has ended there.

    A request is made again only where the server said that it did nothing with it, or never got it.
    What `HTTPProvider.complete` says of credentials holds here, too; a connection whose credential
    is refused in place of an answer takes no more requests.

    Args:
        section: Wire format, endpoint and default settings, for instance ``config.provider``.
        dial: See `HTTPProvider`.
        observer: Watches how every call gets on.
        trio_tls: See `HTTPProvider`.

    Raises:
        ConfigError: If the wire format is unknown or not spoken over a socket, or what the
            environment calls a proxy is none.
        ValueError: If the endpoint has a quirk that the wire format does not know.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(SOCKET_KINDS)

    def __init__(
        self,
        section: ProviderSection,
        *,
        dial: Dial | None = None,
        observer: Observer | None = None,
        trio_tls: bool = False,
    ) -> None:
        super().__init__(section, dial=dial, observer=observer, trio_tls=trio_tls)
        self._socket_wire = socket_wire_by_kind(section.kind)
        self._pool = SocketPool(self._socket_wire, section.endpoint, self._dialer, observer)
        self._tasks: AbstractAsyncContextManager[trio.Nursery] | None = None

    @property
    def url(self) -> str:
        """Where connections go: the final URL, with ``ws`` for ``http``, without query parameters.

        Raises:
            LocalProtocolError: If a setting is part of it that has no default.
        """
        return "ws" + super().url.removeprefix("http")

    def _prepare_call(
        self,
        messages: Sequence[Message],
        config: ProviderConfig,
        tap: Tap | None,
        credential: Secret | None,
        clock: CallClock,
    ) -> SocketCall:
        """Make the call, without asking for anything yet."""
        self._pool.prepare()
        endpoint = self._endpoint_with(credential)
        return SocketCall(
            self._socket_wire, endpoint, messages, config, pool=self._pool, clock=clock, tap=tap
        )

    async def warm(self, connections: int = 1) -> None:
        """Open connections ahead of calls, one after the other; those that are open count.

        Args:
            connections: How many are to be open.

        Raises:
            ConfigError: If the TLS or proxy settings cannot be used.
            ValueError: If the pool's settings do not allow so many.
            ProviderError: One could not be opened. Those that could be are kept.
            trio.ClosedResourceError: If the provider is closed.
        """
        clock = CallClock(self._endpoint.deadlines)
        credential = await self._credentials.ask(clock)
        # What is said in it stays here: only its headers open connections.
        call = self._prepare_call([Message.user("-")], self._defaults, None, credential, clock)
        await call.warm(connections)

    async def aclose(self) -> None:
        """Close every connection; the provider answers no more. May be called again.

        Answers end at once. Each server is told, and has a second to answer; when cancelled, this
        ends the connections without waiting.
        """
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        """Return the provider itself; connections are opened when they are needed.

        Raises:
            RuntimeError: If it was entered before, or no event loop of trio's is running.
        """
        if self._tasks is not None:
            raise RuntimeError("the provider's block was entered before: open another provider")
        await super().__aenter__()
        self._tasks = brief_nursery()
        self._pool.run_in(await self._tasks.__aenter__())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._tasks is not None  # set on entering
        try:
            await self.aclose()
        finally:
            await self._tasks.__aexit__(kind, error, traceback)  # noqa: ASYNC102  # none is left
