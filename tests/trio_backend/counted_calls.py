"""Counts this library's own calls: what a change costs, as the same number on every machine."""

from __future__ import annotations

import sys
from types import FrameType, TracebackType
from typing import Any, Final, Self, final

#: These are calls up to Python 3.11 only.
_INLINED: Final = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})


@final
class CountedCalls:
    """Counts the calls that begin in our modules until its block ends or it is stopped.

    Attributes:
        count: The calls so far, of Python functions and of those in C.
    """

    def __init__(self) -> None:
        self.count: int = 0
        self._outer: Any = None

    def __enter__(self) -> Self:
        self._outer = sys.getprofile()
        sys.setprofile(self._profile)
        return self

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        module: str = frame.f_globals.get("__name__", "")
        if module.startswith("tokenwire") and frame.f_code.co_name not in _INLINED:
            self.count += event in ("call", "c_call")

    def stop(self) -> None:
        """Count no more."""
        sys.setprofile(self._outer)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
