"""A nursery for a moment: tasks that begin and end within one call.

Nothing in the HTTP transport outlives the call that started it. What is left are two short races:
the one between addresses, and the one between writing a request and hearing it refused.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def brief_nursery() -> AsyncGenerator[trio.Nursery, None]:
    """Open a nursery whose failure comes out as it was raised, not in an exception group.

    Its tasks handle what they expect, so whatever else comes out of one (`MemoryError`,
    `KeyboardInterrupt`) is for the program to see, and ``except MemoryError`` sees no groups.
    """
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
        return
    except BaseExceptionGroup as group:
        failure = _first_failure(group)
        if failure is None:
            raise
    raise failure


def _first_failure(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the first exception in a group, at any depth, that is no cancellation."""
    failures: list[BaseException] = []

    def note(error: BaseException) -> bool:
        if not isinstance(error, BaseExceptionGroup | trio.Cancelled):
            failures.append(error)
        return False

    group.subgroup(note)  # shows it every group and exception, from the outside in
    return failures[0] if failures else None
