"""Time by the clock on the wall, which runs on while a busy machine does something else.

No test may fail because its machine is slow. So what must come in the end is waited for without
haste. And where a deadline is to run out in the middle of something, a longer one is tried if the
short one ran out before the machine got there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

#: After so long something hangs: far above what anything here takes, on whatever machine.
HANGS_S: Final = 100.0

#: Short enough for a test whose deadline must run out, and long enough for most machines.
SHORT_S: Final = 0.15

_LONGER_S: Final = (1.5, 15.0)

_Result = TypeVar("_Result")


async def longer_and_longer(
    attempt: Callable[[float], Awaitable[_Result]], struck: Callable[[_Result], bool]
) -> _Result:
    """Let a deadline run out, and a longer one where it did so before it should.

    Args:
        attempt: Makes a call with a deadline of so many seconds.
        struck: Whether a call's result is that of a deadline which ran out where it should.

    Returns:
        The first result that is, or that of the longest deadline.
    """
    result = await attempt(SHORT_S)
    for deadline_s in _LONGER_S:
        if struck(result):
            break
        result = await attempt(deadline_s)
    return result
