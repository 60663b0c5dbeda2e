"""asyncio's streams and the floor decode: an event loop and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from tests.bench.clients import Read, Take, Target
from tests.bench.clients.floor_socket import floor_context
from tests.bench.floor import FloorResponse, floor_request

_READ_BYTES: Final = 64 * 1024

_Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session, with as many connections as are in use at a time."""
    idle: list[_Connection] = []

    async def read(model: str, take: Take) -> None:
        connection = idle.pop() if idle else await _connect(target)
        try:
            await _read(connection, target, model, take)
        except BaseException:
            connection[1].transport.abort()
            raise
        idle.append(connection)

    try:
        yield read
    finally:
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()


async def _connect(target: Target) -> _Connection:
    url = urlsplit(target.base_url)
    context = floor_context(target.ca_file) if url.scheme == "https" else None
    return await asyncio.open_connection(url.hostname, url.port, ssl=context)


async def _read(connection: _Connection, target: Target, model: str, take: Take) -> None:
    reader, writer = connection
    writer.write(floor_request(urlsplit(target.base_url).netloc, model))
    response = FloorResponse(take)
    while data := await reader.read(_READ_BYTES):
        if response.receive(data):
            return
    raise ConnectionError("the server left")
