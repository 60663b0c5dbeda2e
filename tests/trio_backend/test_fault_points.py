"""Every operation on a connection fails, one after the other, in every way."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from trio.testing import MockClock

from tests.figures import Figures
from tests.trio_backend.faulty_calls import Failed, checked_error, fail
from tests.trio_backend.leaks import nothing_left_behind
from tests.trio_backend.routes import ROUTES, TEXT, Route
from tokenwire_trio.testing import Fault, FaultyDial, Operation

#: In which phases of a call each operation happens. A failure to close fails nothing.
_PHASES: Final[Mapping[Operation, set[str]]] = {
    "connect": {"tcp"},
    "send": {"proxy", "tls", "send"},
    "receive": {"proxy", "tls", "head", "body"},
    "close": set(),
}

every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


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
                opening = route.provider(site, ca_file, dial)
                failed = await fail(opening, route.messages, dial, operations)
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
    """Check what became of a call, and where it happened."""
    error = checked_error(failed, fault)
    if error is None:
        return
    phases = _PHASES[failed.operation or "close"]
    if failed.operation == "receive" and (lasting or fault is Fault.EOF):
        # A failure to receive does not yet end a call that is sending, and one that is met on a
        # kept connection makes it open another. To TLS an end lasts.
        phases = phases | {"send", "tcp"}
    assert error.phase in phases
