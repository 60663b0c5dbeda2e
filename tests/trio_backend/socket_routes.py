"""Ways to a server of a socket API that a whole call is tried over, point by point.

A new way (a proxy, a socket of another kind) is one more `SocketRoute`. With
``TOKENWIRE_EXHAUSTIVE=1`` each of them is tried with each API, for everything.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import trio
from trio.testing import memory_stream_pair

from tests.trio_backend.servers import MemoryNetwork, ServerSide, socket_server
from tests.trio_backend.socket_servers import (
    Peer,
    SectionOf,
    realtime_section,
    socket_section,
    websocket_handler,
)
from tests.trio_backend.tunnels import PASSWORD, USERNAME, ProxyKind, proxy_on_a_socket, tunnel
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import PoolSettings, ProxySettings
from tokenwire.endpoint import TLSSettings
from tokenwire.messages import Message
from tokenwire.secret import Secret
from tokenwire_trio import SocketProvider
from tokenwire_trio.dialing import Dial
from tokenwire_trio.nursery import brief_nursery

TEXT: Final = "one two three"

#: What is asked over a connection that is to be warm: the conversation that then goes on.
_BEFORE: Final = (Message.user("Hi"), Message.assistant("Hi"))


async def _answers(peer: Peer) -> None:
    while True:
        request = await peer.receive_request()
        text = peer.question(request)
        await peer.answer(request, f"r{len(peer.requests)}", *text.partition(" "))


@attrs.frozen
class SocketSite:
    """A server, and how to get to it.

    Attributes:
        section: The provider that it is.
        entrance: URL that the client's connections lead to: the server's, or its proxy's.
        dial: How to connect to the entrance, where it is in memory.
    """

    section: ProviderSection
    entrance: str
    dial: Dial | None = None


@attrs.frozen
class SocketRoute:
    """A way to a server.

    Attributes:
        name: For the reader of a test's report.
        section_of: Describes a provider of the wire format.
        tls: The server speaks TLS.
        proxy: What the proxy in front of it speaks, if there is one.
        warm: An answer has come over the connection before.
    """

    name: str
    section_of: SectionOf
    tls: bool = False
    proxy: ProxyKind | None = None
    warm: bool = False

    @property
    def messages(self) -> list[Message]:
        """The conversation to send."""
        return [*(_BEFORE if self.warm else ()), Message.user(TEXT)]

    @asynccontextmanager
    async def over_sockets(
        self, context: ssl.SSLContext, ca_file: Path
    ) -> AsyncGenerator[SocketSite, None]:
        """Open a server, and its proxy, on real sockets."""
        handler = websocket_handler(_answers)
        async with socket_server(handler, context if self.tls else None) as base_url:
            if self.proxy is None:
                yield SocketSite(self._section(base_url, ca_file), base_url)
                return
            port = urlsplit(base_url).port or 0
            async with proxy_on_a_socket(self.proxy, port, context) as url:
                yield SocketSite(self._section(base_url, ca_file, url), url)

    @asynccontextmanager
    async def in_memory(
        self, context: ssl.SSLContext, ca_file: Path
    ) -> AsyncGenerator[SocketSite, None]:
        """Open a server, and its proxy, in memory."""
        scheme = "https" if self.tls else "http"
        url = f"{self.proxy}://localhost" if self.proxy else None
        section = self._section(f"{scheme}://localhost/v1", ca_file, url)
        async with brief_nursery() as nursery:
            server = MemoryNetwork(nursery, partial(_play, context if self.tls else None))
            yield SocketSite(section, "", self._proxied(server, nursery, context))
            nursery.cancel_scope.cancel()

    def _proxied(self, server: Dial, nursery: trio.Nursery, context: ssl.SSLContext) -> Dial:
        kind = self.proxy
        if kind is None:
            return server

        async def dial(host: str, port: int) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            ours, theirs = memory_stream_pair()
            nursery.start_soon(tunnel, theirs, partial(server, host, port), kind, context)
            return ours

        return dial

    def _section(self, base_url: str, ca_file: Path, proxy: str | None = None) -> ProviderSection:
        settings = (
            ProxySettings(url=proxy, username=USERNAME, password=Secret(PASSWORD))
            if proxy
            else None
        )
        tls = TLSSettings(ca_file=str(ca_file), replace_system_cas=True)
        # With room for one connection, a place that is not given back keeps the next call waiting.
        return self.section_of(
            base_url, tls=tls, proxy=settings, pool=PoolSettings(max_connections=1)
        )

    @asynccontextmanager
    async def provider(
        self, site: SocketSite, dial: Dial | None = None
    ) -> AsyncGenerator[SocketProvider, None]:
        """Open a provider for a server, warm where the route says so."""
        async with SocketProvider(site.section, dial=dial or site.dial) as provider:
            if self.warm:
                assert await self.ask(provider, _BEFORE[:1]) == "Hi"
            yield provider

    async def ask(
        self, provider: SocketProvider, messages: tuple[Message, ...] | None = None
    ) -> str:
        """Make a call and read it to its end."""
        async with provider.complete(messages or self.messages) as stream:
            return (await stream.collect()).text


async def _play(context: ssl.SSLContext | None, side: ServerSide) -> None:
    if context is not None:
        stream = trio.SSLStream(side.stream, context, server_side=True, https_compatible=True)
        side = ServerSide(stream)
    await websocket_handler(_answers)(side)


_EXHAUSTIVE: Final = bool(os.environ.get("TOKENWIRE_EXHAUSTIVE"))

_WAYS: Final = (
    SocketRoute("ws", socket_section),
    SocketRoute("wss", socket_section, tls=True),
    SocketRoute("ws on an open connection", socket_section, warm=True),
    SocketRoute("wss on an open connection", socket_section, tls=True, warm=True),
    SocketRoute("ws through an HTTP proxy", socket_section, proxy="http"),
    SocketRoute("wss through an HTTP proxy", socket_section, tls=True, proxy="http"),
    SocketRoute("ws through a TLS proxy", socket_section, proxy="https"),
    SocketRoute("ws through a SOCKS proxy", socket_section, proxy="socks5h"),
)


def _routes(api: str, section_of: SectionOf, *names: str) -> tuple[SocketRoute, ...]:
    ways = [way for way in _WAYS if way.name in names or not names or _EXHAUSTIVE]
    return tuple(
        attrs.evolve(way, name=f"{way.name} of {api}", section_of=section_of) for way in ways
    )


ALL_SOCKET_ROUTES: Final = (
    *_routes("responses", socket_section),
    *_routes("realtime", realtime_section),
)

_OPEN: Final = "ws on an open connection"
_PROXIES: Final = ("ws through an HTTP proxy", "ws through a TLS proxy", "ws through a SOCKS proxy")

#: For what is tried at many points: what the APIs differ in has nothing to do with the way.
SOCKET_ROUTES: Final = (
    *_routes("responses", socket_section, "ws", "wss", _OPEN, *_PROXIES),
    *_routes("realtime", realtime_section, "ws", _OPEN),
)

#: For what takes long.
FEWER_SOCKET_ROUTES: Final = (
    *_routes("responses", socket_section, "ws", _OPEN),
    *_routes("realtime", realtime_section, "ws", _OPEN),
)
