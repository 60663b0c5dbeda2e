"""The provider of `tokenwire chat`, kept open in a thread of its own.

The main thread waits for lines, in a system call that no event loop can share: see `chat_lines`.
Meanwhile the connections live on here, so that sockets answer their pings and TLS is agreed on
once. Ctrl-C reaches the main thread only, which then stops the answer, and nothing else.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar, final

import trio

R = TypeVar("R")
T = TypeVar("T")

#: Returns its result also where the scope was cancelled.
Work: TypeAlias = Callable[[trio.CancelScope], Awaitable[T]]

#: Windows notices Ctrl-C only between two waits.
_LONGEST_WAIT_S: Final = 0.5


@final
class _Job(Generic[T]):
    """A piece of work, and what comes of it.

    Attributes:
        done: Gets the result.
        submitted: The thread has it.
    """

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self._scope = trio.CancelScope()
        self.done: Future[T] = Future()
        self.submitted = False

    async def run(self) -> None:
        """Do it."""
        try:
            self.done.set_result(await self._work(self._scope))
        except Exception as error:  # noqa: BLE001  # whoever waits for the result gets it
            self.done.set_exception(error)

    def stop(self) -> None:
        """Cancel it; Ctrl-C may have come even before it was submitted."""
        self._scope.cancel()
        if not self.submitted:
            self.done.set_exception(KeyboardInterrupt())


_AnyJob: TypeAlias = _Job[Any]


@final
class ResourceThread(Generic[R]):
    """Holds something open in a trio run of its own, and lets the main thread work with it.

    Entering opens it, and raises what that raises; leaving closes it, whatever it is doing.

    Args:
        opening: Opens it, in the thread.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[R]]) -> None:
        self._opening = opening
        self._opened: Future[R] = Future()
        self._thread = ThreadPoolExecutor(1)
        self._all = trio.CancelScope()

    def __enter__(self) -> Self:
        self._running = self._thread.submit(trio.run, self._hold_open)
        try:
            self._wait(self._opened)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()
        self._running.result()

    def _close(self) -> None:
        with suppress(AttributeError, trio.RunFinishedError):  # not begun, or over
            self._trio.run_sync_soon(self._all.cancel)
        self._thread.shutdown()

    @property
    def resource(self) -> R:
        """What is open."""
        return self._opened.result()

    async def _hold_open(self) -> None:
        self._trio = trio.lowlevel.current_trio_token()
        self._jobs, jobs = trio.open_memory_channel[_AnyJob](1)
        try:
            with self._all:
                async with self._opening() as resource:
                    self._opened.set_result(resource)
                    async for job in jobs:
                        await job.run()
        except Exception as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    def run(self, work: Work[T]) -> T:
        """Do some work in the thread, and wait for it.

        Ctrl-C cancels the scope that the work gets, and waits on; a second one is raised.

        Args:
            work: Returns its result also where it was cancelled.
        """
        job = _Job(work)
        try:
            self._trio.run_sync_soon(self._submit, job)
            return self._wait(job.done)
        except KeyboardInterrupt:
            self._trio.run_sync_soon(job.stop)
            return self._wait(job.done)

    def _submit(self, job: _AnyJob) -> None:
        job.submitted = True
        self._jobs.send_nowait(job)

    def _wait(self, result: Future[T]) -> T:
        while not result.done():
            over: set[Future[Any]] = {result, self._running}
            wait(over, timeout=_LONGEST_WAIT_S, return_when=FIRST_COMPLETED)
            if self._running.done() and not result.done():
                self._running.result()
                raise RuntimeError("the thread ended under its work")
        return result.result()
