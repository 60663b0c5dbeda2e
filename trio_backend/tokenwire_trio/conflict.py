"""Tells a second task that it came to a place for one."""

from __future__ import annotations

from types import TracebackType
from typing import final

import trio


@final
class ConflictDetector:
    """A context manager that one task at a time may be in.

    Args:
        message: What the second task is told.

    Raises:
        trio.BusyResourceError: On entering, if a task is inside.
    """

    __slots__ = ("_message", "_occupied")

    def __init__(self, message: str) -> None:
        self._message = message
        self._occupied = False

    def __enter__(self) -> None:
        if self._occupied:
            raise trio.BusyResourceError(self._message)
        self._occupied = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._occupied = False
