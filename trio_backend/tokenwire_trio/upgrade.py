"""The stream under a WebSocket: it lets nothing through but a connection that was agreed to.

trio-websocket waits for ever where a connection ends before its upgrade, keeps a refusal's body
without bound, and trips over an answer that is none. So the first bytes of the response are looked
at here: only ``101`` is passed on. Anything else is kept, to be read like any other HTTP response.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, final

import trio

from tokenwire_trio.closing import close_now

_READ_BYTES: Final = 64 * 1024

#: So much is sent at a time that a slow way takes it in seconds, and shows that it is one.
_SEND_BYTES: Final = 64 * 1024

_SWITCHING: Final = b"HTTP/1.1 101"
_END_OF_HEAD: Final = b"\r\n\r\n"


@final
class UpgradeStream(trio.abc.Stream):
    """A stream for trio-websocket.

    Args:
        stream: The stream underneath; it belongs to this one from now on.
        max_head_bytes: Longest response head to pass on.
        max_silent_bytes: Most bytes in a row that bring no message: pings, empty fragments.

    Attributes:
        on_refusal: Called when the response is no agreement, or the connection ended.
        head: What came of the response.
        failure: What the connection ended with before that, None if it did not break.
        silent_bytes: How many bytes came since the last message; whoever gets one sets it to 0.
        flooded: There were too many of them.
        active_at: When bytes last came, or were taken off our hands, on trio's clock.
        is_awaited: The reader has dealt with all that it received, and waits for more.
    """

    def __init__(
        self, stream: trio.abc.Stream, *, max_head_bytes: int, max_silent_bytes: int
    ) -> None:
        self._stream = stream
        self._max_head_bytes = max_head_bytes
        self._max_silent_bytes = max_silent_bytes
        self._agreed = False
        self.on_refusal: Callable[[], None] = lambda: None
        self.head: bytearray = bytearray()
        self.failure: Exception | None = None
        self.silent_bytes: int = 0
        self.flooded: bool = False
        self.active_at: float = trio.current_time()
        self.is_awaited: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        rest = memoryview(data)
        try:
            while rest:
                await self._stream.send_all(rest[:_SEND_BYTES])
                rest = rest[_SEND_BYTES:]
                self.active_at = trio.current_time()
        except (trio.BrokenResourceError, OSError) as error:
            self._give_up(error)
            raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until sending might not block."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive bytes once the server has agreed; until then wait for that."""
        if not self._agreed:
            return await self._receive_agreement()
        self.is_awaited = True
        try:
            data = bytes(await self._stream.receive_some(max_bytes or _READ_BYTES))
        except OSError as error:  # from a stream of the program's own
            raise trio.BrokenResourceError from error
        finally:
            self.is_awaited = False
        self.active_at = trio.current_time()
        self.silent_bytes += len(data)
        if self.silent_bytes > self._max_silent_bytes:
            self.flooded = True
            raise trio.BrokenResourceError
        return data

    async def _receive_agreement(self) -> bytes:
        while True:
            try:
                data = await self._stream.receive_some(_READ_BYTES)
            except (trio.BrokenResourceError, OSError) as error:
                return await self._refuse(error)
            self.head += data
            if not data or not self._may_be_agreement():
                break
            if _END_OF_HEAD in self.head:
                self._agreed = True
                return bytes(self.head)
        return await self._refuse(None)

    def _may_be_agreement(self) -> bool:
        is_long = len(self.head) > self._max_head_bytes and _END_OF_HEAD not in self.head
        return _SWITCHING.startswith(bytes(self.head[: len(_SWITCHING)])) and not is_long

    async def _refuse(self, error: Exception | None) -> NoReturn:
        self._give_up(error)
        await trio.sleep_forever()

    def _give_up(self, error: Exception | None) -> None:
        """Have whoever waits for the agreement wait no longer, and see to the rest."""
        if not self._agreed:
            self.failure = error
            self.on_refusal()

    async def aclose(self) -> None:
        """Close the stream now, without a farewell."""
        await close_now(self._stream)
