"""Ways to a server that a whole call is tried over, point by point.

A new way (a proxy, a socket of another kind) is one more `Route`: what must hold at every point of
a call then is tried over it as well.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.trio_backend.playing import section_for
from tokenwire.messages import Message
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
class Route:
    """A way to a server.

    Attributes:
        name: For the reader of a test's report.
        tls: The server speaks TLS.
        warm: An answer has come over the connection before, where it is kept.
        request_bytes: Size of the prompt: above 64 KiB an early refusal is watched for.
    """

    name: str
    tls: bool = False
    warm: bool = False
    request_bytes: int = 10

    @property
    def messages(self) -> list[Message]:
        """The conversation to send."""
        return [Message.user("x" * self.request_bytes)]

    @asynccontextmanager
    async def over_sockets(
        self, context: ssl.SSLContext
    ) -> AsyncGenerator[MisbehavingServer, None]:
        """Open a server on real sockets."""
        async with serve(IN_PIECES, tls=context if self.tls else None, pace=0) as server:
            yield server

    @asynccontextmanager
    async def in_memory(self, context: ssl.SSLContext) -> AsyncGenerator[MisbehavingServer, None]:
        """Open a server in memory."""
        async with serve_in_memory(IN_PIECES, tls=context if self.tls else None) as server:
            yield server

    @asynccontextmanager
    async def provider(
        self, server: MisbehavingServer, ca_file: Path, dial: Dial | None = None
    ) -> AsyncGenerator[HTTPProvider, None]:
        """Open a provider for a server, with a connection that is kept where the route says so."""
        async with open_provider(section_for(server, ca_file), dial=dial) as provider:
            await self._warm_up(provider)
            yield provider

    async def _warm_up(self, provider: HTTPProvider) -> None:
        if self.warm:
            await self.ask(provider)

    async def ask(self, provider: HTTPProvider) -> str:
        """Make a call and read it to its end."""
        async with provider.complete(self.messages) as stream:
            return (await stream.collect()).text


ROUTES: Final = (
    Route("http"),
    Route("tls", tls=True),
    Route("http with a large request", request_bytes=100_000),
    Route("tls with a large request", tls=True, request_bytes=100_000),
    Route("http on a kept connection", warm=True),
    Route("tls on a kept connection", tls=True, warm=True),
)
