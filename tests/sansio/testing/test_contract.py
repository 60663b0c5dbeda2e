"""Our own wire formats keep to the contract that those of others are held to."""

from __future__ import annotations

import pytest

from tests.sansio.testing.own_samples import OWN_SAMPLES
from tests.sansio.testing.socket_samples import SOCKET_SAMPLES
from tokenwire.testing import WireCheck, wire_contract

_CHECKS = [
    pytest.param(check, id=f"{sample.wire.kind}: {check}")
    for sample in (*OWN_SAMPLES, *SOCKET_SAMPLES)
    for check in wire_contract(sample)
]


@pytest.mark.parametrize("check", _CHECKS)
def test_our_wire_formats_keep_to_the_contract(check: WireCheck) -> None:
    """Each promise, for each of them."""
    check()
