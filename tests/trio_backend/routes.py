"""Ways to a server that a whole call is tried over, point by point.

A new way (a proxy, a socket of another kind) is one more `Route`: what must hold at every point of
a call then is tried over it as well.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs

from tests.trio_backend.playing import section_for
from tests.trio_backend.tunnels import (
    PASSWORD,
    USERNAME,
    ProxyKind,
    proxy_in_memory,
    proxy_on_a_socket,
)
from tokenwire.connection_settings import PoolSettings, ProxySettings
from tokenwire.messages import Message
from tokenwire.secret import Secret
from tokenwire_trio import HTTPProvider, open_provider
from tokenwire_trio.dialing import Dial
from tokenwire_trio.testing import MisbehavingServer, Outcome, Scenario, serve, serve_in_memory
from tokenwire_trio.testing.responses import (
    DONE,
    FINISH,
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    text_event,
)
from tokenwire_trio.testing.steps import Again, Pause, ReadRequest, Send

TEXT: Final = "one two three"

_PIECES: Final = tuple(
    step
    for data in (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        STREAM_HEAD,
        *(chunk(text_event(text)) for text in ("one ", "two ", "three")),
        chunk(FINISH),
        chunk(DONE) + LAST_CHUNK,
    )
    for step in (Send(data), Pause(0.001))
)

#: An answer in many small pieces, so that a call has many points at which to wait.
IN_PIECES: Final = Scenario(
    name="in-pieces",
    shows="A whole answer, piece by piece.",
    steps=(
        ReadRequest(),
        *_PIECES,
        Again(),
    ),
    outcome=Outcome(text=TEXT),
)


@attrs.frozen
class Site:
    """A server, and how to get to it.

    Attributes:
        server: The server.
        entrance: URL that the client's connections lead to: the server's, or its proxy's.
        proxy: The proxy in front of it.
        dial: How to connect to the entrance, where it is in memory.
    """

    server: MisbehavingServer
    entrance: str
    proxy: ProxySettings | None = None
    dial: Dial | None = None


@attrs.frozen
class Route:
    """A way to a server.

    Attributes:
        name: For the reader of a test's report.
        tls: The server speaks TLS.
        proxy: What the proxy in front of it speaks, if there is one.
        warm: An answer has come over the connection before, where it is kept.
        request_bytes: Size of the prompt: above 64 KiB an early refusal is watched for.
        trio_tls: The client uses trio's TLS.
    """

    name: str
    tls: bool = False
    proxy: ProxyKind | None = None
    warm: bool = False
    request_bytes: int = 10
    trio_tls: bool = False

    @property
    def messages(self) -> list[Message]:
        """The conversation to send."""
        return [Message.user("x" * self.request_bytes)]

    @asynccontextmanager
    async def over_sockets(self, context: ssl.SSLContext) -> AsyncGenerator[Site, None]:
        """Open a server, and its proxy, on real sockets."""
        async with serve(IN_PIECES, tls=context if self.tls else None, pace=0) as server:
            if self.proxy is None:
                yield Site(server, server.base_url)
                return
            port = urlsplit(server.base_url).port or 0
            async with proxy_on_a_socket(self.proxy, port, context) as url:
                yield Site(server, url, _settings(url))

    @asynccontextmanager
    async def in_memory(self, context: ssl.SSLContext) -> AsyncGenerator[Site, None]:
        """Open a server, and its proxy, in memory."""
        async with serve_in_memory(IN_PIECES, tls=context if self.tls else None) as server:
            if self.proxy is None:
                yield Site(server, server.base_url, dial=server.dial)
                return
            url = f"{self.proxy}://localhost"
            async with proxy_in_memory(self.proxy, server, context) as dial:
                yield Site(server, url, _settings(url), dial)

    @asynccontextmanager
    async def provider(
        self, site: Site, ca_file: Path, dial: Dial | None = None
    ) -> AsyncGenerator[HTTPProvider, None]:
        """Open a provider for a server, with a connection that is kept where the route says so."""
        # With room for one connection, a place that is not given back keeps the next call waiting.
        room = PoolSettings(max_connections=1)
        section = section_for(site.server, ca_file, proxy=site.proxy, pool=room)
        async with open_provider(section, dial=dial, trio_tls=self.trio_tls) as provider:
            if self.warm:
                await self.ask(provider)
            yield provider

    async def ask(self, provider: HTTPProvider) -> str:
        """Make a call and read it to its end."""
        async with provider.complete(self.messages) as stream:
            return (await stream.collect()).text


def _settings(url: str) -> ProxySettings:
    return ProxySettings(url=url, username=USERNAME, password=Secret(PASSWORD))


ROUTES: Final = (
    Route("http"),
    Route("tls", tls=True),
    Route("http with a large request", request_bytes=100_000),
    Route("tls with a large request", tls=True, request_bytes=100_000),
    Route("http on a kept connection", warm=True),
    Route("tls on a kept connection", tls=True, warm=True),
    Route("tls of trio on a kept connection", tls=True, warm=True, trio_tls=True),
    Route("http through an HTTP proxy", proxy="http"),
    Route("tls through an HTTP proxy", tls=True, proxy="http"),
    Route("http through a TLS proxy", proxy="https"),
    Route("http through a SOCKS proxy", proxy="socks5h"),
)

_FEW: Final = {"http", "tls", "http on a kept connection", "http through an HTTP proxy"}

#: For what needs not be tried over each of them every time: all with ``TOKENWIRE_EXHAUSTIVE=1``.
FEWER_ROUTES: Final = tuple(
    route for route in ROUTES if route.name in _FEW or os.environ.get("TOKENWIRE_EXHAUSTIVE")
)
