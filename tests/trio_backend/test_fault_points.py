"""Every operation on a connection fails, one after the other, in every way."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import trio
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.leaks import nothing_left_behind
from tests.trio_backend.routes import ROUTES, TEXT, Route, Site
from tokenwire.errors import NetworkError, ProviderError
from tokenwire_trio import HTTPTokenStream
from tokenwire_trio.testing import Fault, FaultyDial, Operation

#: Far above what a call in memory takes, but a hang is no success.
_HANGS_S = 100

#: In which phases of a call each operation happens. A failure to close fails nothing.
_PHASES: Final[Mapping[Operation, set[str]]] = {
    "connect": {"tcp"},
    "send": {"proxy", "tls", "send"},
    "receive": {"proxy", "tls", "head", "body"},
    "close": set(),
}

every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


class Failed(NamedTuple):
    """A call and the operation of it that failed, if it has that many."""

    operation: Operation | None
    text: str
    error: ProviderError | MemoryError | None


async def fail(route: Route, site: Site, ca_file: Path, dial: FaultyDial, at: int) -> Failed:
    """Make a call whose n-th operation fails."""
    stream: HTTPTokenStream | None = None
    error: ProviderError | MemoryError | None = None
    try:
        with trio.fail_after(_HANGS_S):
            async with route.provider(site, ca_file, dial) as provider:
                dial.fail_at(at)
                async with provider.complete(route.messages) as stream:
                    await stream.collect()
    except (ProviderError, MemoryError) as caught:
        error = caught
    return Failed(dial.failed, stream.partial().text if stream else "", error)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
@every_route
async def test_a_call_copes_with_a_fault_at_every_operation(
    *,
    route: Route,
    fault: Fault,
    lasting: bool,
    server_context: ssl.SSLContext,
    ca_file: Path,
    autojump_clock: MockClock,
    figures: Figures,
) -> None:
    """It ends, with the error that says where it happened, and leaves nothing behind."""
    with nothing_left_behind():
        async with route.in_memory(server_context) as site:
            assert site.dial is not None
            operations = 0
            while True:
                dial = FaultyDial(site.dial, fault, lasting=lasting)
                failed = await fail(route, site, ca_file, dial, operations)
                if failed.operation is None:
                    break
                check(failed, fault, lasting)
                operations += 1
    assert (failed.text, failed.error) == (TEXT, None)
    figures(
        f"faults over {route.name}: {operations} operations, each failing in {len(Fault)} ways,"
        " once and from then on"
    )


def check(failed: Failed, fault: Fault, lasting: bool) -> None:
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
    assert failed.error.__cause__ is failed.error.__context__ is None
    phases = _PHASES[failed.operation or "close"]
    if lasting and failed.operation == "receive":
        # A failure to receive does not yet end a call that is sending, and one that is met on a
        # kept connection makes it open another.
        phases = phases | {"send", "tcp"}
    assert failed.error.phase in phases
