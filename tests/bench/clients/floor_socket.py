"""A blocking socket and the floor decode: what the kernel and Python cost without an event loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache, partial
from ssl import SSLContext, create_default_context
from typing import Final
from urllib.parse import urlsplit

from tests.bench.clients import Read, Take, Target
from tests.bench.floor import FloorResponse, floor_request

_READ_BYTES: Final = 64 * 1024


@cache
def floor_context(ca_file: str) -> SSLContext:
    """Return what TLS needs, loaded once."""
    return create_default_context(cafile=ca_file)


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session, which connects when it is first used."""
    connections: list[socket.socket] = []

    async def read(model: str, take: Take) -> None:
        if not connections:
            connections.append(_connect(target))
        try:
            _read(connections[0], target, model, take)
        except BaseException:
            connections.pop().close()
            raise

    try:
        yield read
    finally:
        for connection in connections:
            connection.close()


def _connect(target: Target) -> socket.socket:
    url = urlsplit(target.base_url)
    connection = socket.create_connection((url.hostname, url.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if url.scheme == "http":
        return connection
    return floor_context(target.ca_file).wrap_socket(connection, server_hostname=url.hostname)


def _read(connection: socket.socket, target: Target, model: str, take: Take) -> None:
    connection.sendall(floor_request(urlsplit(target.base_url).netloc, model))
    response = FloorResponse(take)
    for data in iter(partial(connection.recv, _READ_BYTES), b""):
        if response.receive(data):
            return
    raise ConnectionError("the server left")
