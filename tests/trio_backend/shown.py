"""What a log, a debugger or an error tracker would show of an exception."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

from tokenwire.errors import ProviderError

_TESTS = str(Path(__file__).parent)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk through an exception and all that hangs on it."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def shown_by(error: BaseException) -> str:
    """Return all of it, local variables included.

    The frames of tests are left out: there the canaries have their cage.
    """
    return "\n".join(line for part in chain(error) for line in _lines(part))


def _lines(error: BaseException) -> Iterator[str]:
    yield repr(error)
    yield str(error)
    yield repr(error.args)
    yield repr(getattr(error, "__notes__", None))
    if isinstance(error, ProviderError):
        yield repr(error.facts())
    frames = traceback.walk_tb(error.__traceback__)
    for frame in traceback.StackSummary.extract(frames, capture_locals=True):
        if not frame.filename.startswith(_TESTS):
            yield f"{frame.filename}:{frame.lineno} {frame.line} {frame.locals}"
