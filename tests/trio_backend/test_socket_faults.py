"""Every operation on a connection of a socket call fails, one after the other, in every way."""

from __future__ import annotations

import ssl
from itertools import product
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.faulty_calls import checked_error, fail
from tests.trio_backend.leaks import nothing_left_behind
from tests.trio_backend.socket_routes import SOCKET_ROUTES, TEXT, SocketRoute, SocketSite
from tokenwire_trio.testing import Fault, FaultyDial


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
        failed = await fail(route.provider(site, dial), route.messages, dial, operations)
        if failed.operation is None:
            break
        error = checked_error(failed, fault)
        assert error is None or error.retryable
        operations += 1
    assert (failed.text, failed.error) == (TEXT, None)
    return operations
