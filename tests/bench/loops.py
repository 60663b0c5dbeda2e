"""What the benchmarks need of an event loop: running one task or many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Literal, TypeAlias, TypeVar, assert_never

T = TypeVar("T")

#: ``plain`` is none: what it runs blocks.
Loop: TypeAlias = Literal["plain", "asyncio", "trio"]

Task: TypeAlias = Callable[[], Awaitable[None]]


def run(loop: Loop, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run one function to its end."""
    match loop:
        case "plain":
            return _run_blocking(main())
        case "asyncio":
            return asyncio.run(main())
        case "trio":
            import trio  # the only client in an environment may be one that has no use for it

            return trio.run(main)
        case _:
            assert_never(loop)


def _run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("it waits for an event loop")


async def together(loop: Loop, tasks: Iterable[Task]) -> None:
    """Run tasks at the same time, until all have ended."""
    match loop:
        case "plain":
            for task in tasks:
                await task()
        case "asyncio":
            await asyncio.gather(*(task() for task in tasks))
        case "trio":
            import trio

            async with trio.open_nursery() as nursery:
                for task in tasks:
                    nursery.start_soon(task)
        case _:
            assert_never(loop)


async def sleep(loop: Loop, seconds: float) -> None:
    """Do nothing for a while."""
    match loop:
        case "plain":
            time.sleep(seconds)  # noqa: ASYNC251  # there is no event loop to block
        case "asyncio":
            await asyncio.sleep(seconds)
        case "trio":
            import trio

            await trio.sleep(seconds)
        case _:
            assert_never(loop)
