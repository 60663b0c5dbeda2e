"""Every operation on a connection of a socket call fails, one after the other, in every way."""

from __future__ import annotations

import ssl
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import trio
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.leaks import nothing_left_behind
from tests.trio_backend.socket_routes import (
    SOCKET_ROUTES,
    TEXT,
    SocketRoute,
    SocketSite,
)
from tokenwire.errors import NetworkError, ProviderError
from tokenwire_trio import HTTPTokenStream
from tokenwire_trio.testing import Fault, FaultyDial, Operation

#: Far above what a call in memory takes, but a hang is no success.
_HANGS_S: Final = 100


class Failed(NamedTuple):
    """A call and the operation of it that failed, if it has that many."""

    operation: Operation | None
    text: str
    error: ProviderError | MemoryError | None


async def fail(route: SocketRoute, site: SocketSite, dial: FaultyDial, at: int) -> Failed:
    """Make a call whose n-th operation fails, or that of its provider's end."""
    stream: HTTPTokenStream | None = None
    error: ProviderError | MemoryError | None = None
    try:
        with trio.fail_after(_HANGS_S):
            async with route.provider(site, dial) as provider:
                dial.fail_at(at)
                async with provider.complete(route.messages) as stream:
                    await stream.collect()
    except (ProviderError, MemoryError) as caught:
        error = caught
    return Failed(dial.failed, stream.partial().text if stream else "", error)


@pytest.mark.parametrize("route", SOCKET_ROUTES, ids=lambda route: route.name)
async def test_a_call_copes_with_a_fault_at_every_operation(
    *,
    route: SocketRoute,
    server_context: ssl.SSLContext,
    ca_file: Path,
    autojump_clock: MockClock,
    figures: Figures,
) -> None:
    """It is answered in full or fails with one error, and nothing of it stays open."""
    faults = 0
    with nothing_left_behind():
        async with route.in_memory(server_context, ca_file) as site:
            for fault, lasting in product(Fault, (False, True)):
                faults += await _try_every_operation(route, site, fault, lasting=lasting)
    figures(f"faults over {route.name}: {faults}, each by itself")


async def _try_every_operation(
    route: SocketRoute, site: SocketSite, fault: Fault, *, lasting: bool
) -> int:
    """Return how many operations there were to fail."""
    assert site.dial is not None
    operations = 0
    while True:
        dial = FaultyDial(site.dial, fault, lasting=lasting)
        failed = await fail(route, site, dial, operations)
        if failed.operation is None:
            break
        check(failed, fault)
        operations += 1
    assert (failed.text, failed.error) == (TEXT, None)
    return operations


def check(failed: Failed, fault: Fault) -> None:
    """Check what became of a call."""
    assert TEXT.startswith(failed.text)
    if fault is Fault.OUT_OF_MEMORY:
        assert isinstance(failed.error, MemoryError)
        return
    assert not isinstance(failed.error, MemoryError)
    if failed.error is None:
        assert failed.text == TEXT
        return
    assert isinstance(failed.error, NetworkError)
    assert failed.error.timeout is None
    assert failed.error.retryable
    assert failed.error.__cause__ is failed.error.__context__ is None
