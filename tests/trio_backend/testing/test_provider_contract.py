"""Our own providers keep to the contract that those of others are held to."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.trio_backend.testing.own_providers import OWN_SAMPLES
from tokenwire_trio.testing import ProviderCheck, provider_contract

_CHECKS = [
    pytest.param(check, id=f"{name}: {check}")
    for name, sample in OWN_SAMPLES.items()
    for check in provider_contract(sample)
]


@pytest.mark.parametrize("check", _CHECKS)
async def test_our_providers_keep_to_the_contract(
    check: ProviderCheck, autojump_clock: MockClock
) -> None:
    """Each promise, for each of them."""
    await check()
