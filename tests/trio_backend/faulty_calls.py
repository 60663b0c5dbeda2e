"""A call of which an operation fails, and what may become of it, over HTTP and sockets alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple

import trio

from tests.trio_backend.routes import TEXT
from tokenwire.errors import NetworkError, ProviderError
from tokenwire.messages import Message
from tokenwire_trio import HTTPProvider, HTTPTokenStream
from tokenwire_trio.testing import Fault, FaultyDial, Operation

#: Far above what a call in memory takes, but a hang is no success.
_HANGS_S: Final = 100


class Failed(NamedTuple):
    """A call and the operation of it that failed, if it has that many."""

    operation: Operation | None
    text: str
    error: ProviderError | MemoryError | None


async def fail(
    opening: AbstractAsyncContextManager[HTTPProvider],
    messages: Sequence[Message],
    dial: FaultyDial,
    at: int,
) -> Failed:
    """Make a call whose n-th operation fails, or that of its provider's end."""
    stream: HTTPTokenStream | None = None
    error: ProviderError | MemoryError | None = None
    try:
        with trio.fail_after(_HANGS_S):
            async with opening as provider:
                dial.fail_at(at)
                async with provider.complete(messages) as stream:
                    await stream.collect()
    except (ProviderError, MemoryError) as caught:
        error = caught
    return Failed(dial.failed, stream.partial().text if stream else "", error)


def checked_error(failed: Failed, fault: Fault) -> NetworkError | None:
    """Check what became of a call, and return its error if the network is to blame for one."""
    assert TEXT.startswith(failed.text)
    if fault is Fault.OUT_OF_MEMORY:
        assert isinstance(failed.error, MemoryError)
        return None
    assert not isinstance(failed.error, MemoryError)
    if failed.error is None:
        assert failed.text == TEXT
        return None
    assert isinstance(failed.error, NetworkError)
    assert failed.error.timeout is None
    assert failed.error.__cause__ is failed.error.__context__ is None
    return failed.error
