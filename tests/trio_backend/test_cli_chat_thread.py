"""`tokenwire_trio.cli.chat_thread`: something held open beside the thread that waits for lines."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio

from tokenwire_trio.cli.chat_thread import ResourceThread


class _Resource:
    """Something that can be opened, and remembers what became of it."""

    def __init__(self) -> None:
        self.open = False

    @asynccontextmanager
    async def opening(self) -> AsyncGenerator[str, None]:
        """Open it."""
        self.open = True
        try:
            yield "resource"
        finally:
            self.open = False


def test_it_is_open_for_the_block() -> None:
    """And closed at its end, whatever it is doing."""
    resource = _Resource()
    with ResourceThread(resource.opening) as thread:
        assert thread.resource == "resource"
        assert resource.open
    assert not resource.open


def test_what_opening_raises_is_raised() -> None:
    """Before the block begins."""

    def fail() -> AbstractAsyncContextManager[None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ResourceThread(fail):
        pytest.fail("it was not opened")


def test_work_returns_and_raises() -> None:
    """One piece after the other."""

    async def double(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return 2 * number

    async def fail(_: trio.CancelScope) -> None:
        await trio.lowlevel.checkpoint()
        raise LookupError

    with ResourceThread(_Resource().opening) as thread:
        assert thread.run(lambda _: double(1)) == 2
        with pytest.raises(LookupError):
            thread.run(fail)
        assert thread.run(lambda _: double(2)) == 4


async def _stopped(scope: trio.CancelScope, *, presses: int = 1) -> bool:
    """Work until stopped, which somebody at the keyboard does now."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)
    with scope:
        await trio.sleep_forever()
    for _ in range(presses - 1):
        signal.pthread_kill(main, signal.SIGINT)
        await trio.sleep_forever()
    return True


def test_ctrl_c_stops_the_work() -> None:
    """What the work makes of it is its result, and the next one can begin."""
    with ResourceThread(_Resource().opening) as thread:
        assert thread.run(_stopped)
        assert thread.run(_stopped)


def test_a_second_ctrl_c_does_not_wait() -> None:
    """Work that does not end is left to the end of the block."""
    resource = _Resource()
    with ResourceThread(resource.opening) as thread:
        with pytest.raises(KeyboardInterrupt):
            thread.run(lambda scope: _stopped(scope, presses=2))
        assert resource.open
    assert not resource.open


class _EndOfTheWorld(BaseException):
    """What nobody handles."""


def test_the_end_of_the_thread_is_noticed() -> None:
    """In place of waiting for a result that never comes."""

    async def fail(_: trio.CancelScope) -> None:
        await trio.lowlevel.checkpoint()
        raise _EndOfTheWorld

    with pytest.raises(_EndOfTheWorld), ResourceThread(_Resource().opening) as thread:
        thread.run(fail)
