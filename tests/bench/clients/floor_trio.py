"""trio's streams and the floor decode: what trio costs before a library adds anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import trio

from tests.bench.clients import Read, Take, Target
from tests.bench.clients.floor_socket import floor_context
from tests.bench.floor import FloorResponse, floor_request

_READ_BYTES: Final = 64 * 1024


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session, with as many connections as are in use at a time."""
    idle: list[trio.abc.Stream] = []

    async def read(model: str, take: Take) -> None:
        stream = idle.pop() if idle else await _connect(target)
        try:
            await _read(stream, target, model, take)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        idle.append(stream)

    try:
        yield read
    finally:
        for stream in idle:
            await trio.aclose_forcefully(stream)


async def _connect(target: Target) -> trio.abc.Stream:
    url = urlsplit(target.base_url)
    assert url.hostname is not None
    assert url.port is not None
    stream = await trio.open_tcp_stream(url.hostname, url.port)
    if url.scheme == "http":
        return stream
    context = floor_context(target.ca_file)
    return trio.SSLStream(stream, context, server_hostname=url.hostname, https_compatible=True)


async def _read(stream: trio.abc.Stream, target: Target, model: str, take: Take) -> None:
    await stream.send_all(floor_request(urlsplit(target.base_url).netloc, model))
    response = FloorResponse(take)
    while data := await stream.receive_some(_READ_BYTES):
        if response.receive(bytes(data)):
            return
    raise ConnectionError("the server left")
