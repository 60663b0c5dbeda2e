"""A connection that fails at the n-th operation, for tests that try every n.

for at in itertools.count():
    dial = FaultyDial(server.dial, Fault.RESET, at=at)
    async with open_provider(section, dial=dial) as provider:
        ...
    if not dial.failed:  # the call has no such operation: every one was tried
        break
"""

from __future__ import annotations

import errno
import os
import sys
from enum import Enum
from typing import Literal, TypeAlias, assert_never, final

import attrs
import trio

from tokenwire_trio.dialing import Dial

Operation: TypeAlias = Literal["connect", "send", "receive", "close"]


@final
class Fault(Enum):
    """How an operation fails: with what trio's own streams raise."""

    RESET = "reset"
    """The peer broke the connection off: `BrokenResourceError` from `ConnectionResetError`."""
    EOF = "end of file"
    """The peer ended it: a connection is refused, a receiver gets no bytes, a sender fails."""
    IO_ERROR = "input/output error"
    """The system failed: `BrokenResourceError` from `OSError`."""
    OUT_OF_MEMORY = "out of memory"
    """`MemoryError`, as the interpreter raises it anywhere."""


@final
class FaultyDial:
    """Opens streams whose operations are counted together, and fail from a number on.

    Pass it to `open_provider` as `dial`.

    Args:
        dial: Opens the real ones.
        fault: How they fail.
        at: See `fail_at`; None fails nothing yet.
        lasting: Whether all that follow fail too.
    """

    def __init__(
        self, dial: Dial, fault: Fault, *, at: int | None = None, lasting: bool = False
    ) -> None:
        self._dial = dial
        self._plan = _Plan(fault, lasting)
        if at is not None:
            self.fail_at(at)

    def fail_at(self, number: int) -> None:
        """Choose the first operation to fail.

        Args:
            number: Counted from now on, from 0; opening a stream is one as well.
        """
        self._plan.at = len(self._plan.operations) + number

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What was done so far, on all streams."""
        return tuple(self._plan.operations)

    @property
    def failed(self) -> Operation | None:
        """What the first operation that failed was, None if none has failed yet."""
        at = self._plan.at
        return self._plan.operations[at] if at < len(self._plan.operations) else None

    async def __call__(self, host: str, port: int) -> trio.abc.Stream:
        """Open a stream."""
        if self._plan.fails("connect"):
            await trio.lowlevel.cancel_shielded_checkpoint()
            if self._plan.fault is Fault.OUT_OF_MEMORY:
                raise MemoryError
            raise self._plan.system_error(errno.ECONNREFUSED)
        return _FaultyStream(await self._dial(host, port), self._plan)


@final
@attrs.define
class _Plan:
    fault: Fault
    lasting: bool
    at: int = sys.maxsize
    operations: list[Operation] = attrs.field(factory=list[Operation])

    def fails(self, operation: Operation) -> bool:
        """Note an operation, and return whether it is to fail."""
        number = len(self.operations)
        self.operations.append(operation)
        return number == self.at or (self.lasting and number > self.at)

    def system_error(self, at_end: int) -> OSError:
        """Return what a system reports; `at_end` is its number for a peer that is gone."""
        match self.fault:
            case Fault.RESET:
                number = errno.ECONNRESET
            case Fault.EOF:
                number = at_end
            case Fault.IO_ERROR | Fault.OUT_OF_MEMORY:
                number = errno.EIO
            case _:
                assert_never(self.fault)
        return OSError(number, os.strerror(number))

    def raise_failure(self) -> None:
        """Raise what a stream raises."""
        if self.fault is Fault.OUT_OF_MEMORY:
            raise MemoryError
        raise trio.BrokenResourceError from self.system_error(errno.EPIPE)


@final
class _FaultyStream(trio.abc.Stream):
    def __init__(self, stream: trio.abc.Stream, plan: _Plan) -> None:
        self._stream = stream
        self._plan = plan

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._plan.fails("send"):
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._plan.raise_failure()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if not self._plan.fails("receive"):
            return await self._stream.receive_some(max_bytes)
        # What fails does so whether it is cancelled or not: each number counts.
        await trio.lowlevel.cancel_shielded_checkpoint()
        if self._plan.fault is not Fault.EOF:
            self._plan.raise_failure()
        return b""

    async def aclose(self) -> None:
        fails = self._plan.fails("close")
        # trio asks of every stream that it is closed even where closing fails.
        with trio.CancelScope(shield=True):
            await self._stream.aclose()
        if fails and self._plan.fault is not Fault.EOF:
            self._plan.raise_failure()
