"""The contract of `tokenwire.provider.Provider`, as checks to be run one by one under trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias, final

import attrs
import trio

from tokenwire.testing.invariants import require_assertions
from tokenwire_trio.testing import provider_checks as checks
from tokenwire_trio.testing.provider_checks import ProviderSample

#: How long a check may take until it counts as hanging, in seconds.
_PATIENCE_S: Final = 20

_Check: TypeAlias = Callable[[ProviderSample], Awaitable[None]]


@final
@attrs.frozen
class ProviderCheck:
    """One promise of a provider; its string is its name, to be a test's id.

    Attributes:
        name: What is promised.
        run: Checks it; raises `AssertionError` where it is broken.
    """

    name: str
    run: Callable[[], Awaitable[None]] = attrs.field(repr=False)

    def __str__(self) -> str:
        return self.name

    async def __call__(self) -> None:
        """Check the promise, and that nothing runs on afterwards.

        Raises:
            AssertionError: If it is broken, or takes twenty seconds; the message says how, and what
                to do.
        """
        tasks = _living_tasks()
        try:
            with trio.fail_after(_PATIENCE_S):
                await self.run()
        except trio.TooSlowError:
            raise AssertionError(
                f"{self.name}: this takes longer than {_PATIENCE_S} s: something waits for what"
                " never comes"
            ) from None
        left = _living_tasks() - tasks
        assert left <= 0, f"{left} tasks are left behind: whatever is started ends with its block"


def provider_contract(sample: ProviderSample) -> tuple[ProviderCheck, ...]:
    """Return everything that a provider has to keep to, for one in these situations.

    With pytest and pytest-trio, each check is a test of its own::

        @pytest.mark.parametrize("check", provider_contract(SAMPLE), ids=str)
        async def test_the_contract(check: ProviderCheck) -> None:
            await check()

    Args:
        sample: The provider in the situations that the contract speaks of.

    Returns:
        The checks, named ``answering: …``, ``stalling: …``, ``breaking: …`` and ``refusing: …``.

    Raises:
        RuntimeError: Under ``python -O``, where no check could fail.
    """
    require_assertions()
    return tuple(ProviderCheck(name, partial(check, sample)) for name, check in _CHECKS.items())


def _living_tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


_CHECKS: Final[dict[str, _Check]] = {
    "answering: an answer has one end": checks.check_one_end_of_answer,
    "answering: collect gives the whole": checks.check_collect,
    "answering: partial has what was read": checks.check_partial,
    "answering: a stream is an object": checks.check_object,
    "answering: calls do not mix": checks.check_calls_apart,
    "answering: a cancelled read takes no token": checks.check_cancelled_read,
    "stalling: it can be left by break": checks.check_left_by_break,
    "stalling: it can be left by an exception": checks.check_left_by_exception,
    "stalling: it can be left by cancellation": checks.check_left_by_cancellation,
    "stalling: closing twice is closing": checks.check_close_twice,
    "stalling: closing works when cancelled": checks.check_close_when_cancelled,
    "stalling: another task may close it": checks.check_close_by_another,
    "stalling: one task reads at a time": checks.check_one_reader,
    "breaking: it fails with what had come": checks.check_broken_answer,
    "breaking: collect raises": checks.check_broken_collect,
    "breaking: the failure leaves the block": checks.check_failure_leaves,
    "refusing: entering fails": checks.check_refusal,
}
