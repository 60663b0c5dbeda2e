"""The stream under a WebSocket, where trio-websocket itself does not reach."""

from __future__ import annotations

import pytest
import trio
from trio.testing import memory_stream_pair

from tests.trio_backend.servers import FailingStream
from tokenwire_trio.upgrade import UpgradeStream

AGREEMENT = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def upgrade(stream: trio.abc.Stream) -> UpgradeStream:
    """Wrap a stream."""
    return UpgradeStream(stream, max_head_bytes=1000, max_silent_bytes=1000)


async def test_bytes_behind_the_agreement_belong_to_the_connection() -> None:
    """They come with it, and what follows comes as it is."""
    client, server = memory_stream_pair()
    stream = upgrade(client)
    await stream.wait_send_all_might_not_block()
    await stream.send_all(b"x")
    await server.send_all(AGREEMENT[:20])
    await server.send_all(AGREEMENT[20:] + b"more")
    assert await stream.receive_some() == AGREEMENT + b"more"
    await server.send_all(b"still more")
    assert await stream.receive_some(5) == b"still"


async def test_what_a_foreign_stream_raises_is_a_broken_connection() -> None:
    """That is what trio-websocket knows."""
    client, server = memory_stream_pair()
    stream = upgrade(client)
    await server.send_all(AGREEMENT)
    await stream.receive_some()
    stream._stream = FailingStream(OSError)  # pyright: ignore[reportPrivateUsage]  # as if it broke
    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x")
    assert stream.failure is None


async def test_a_connection_that_breaks_before_the_agreement_is_given_up() -> None:
    """Whoever waits hears of it, and why."""
    stream = upgrade(FailingStream(trio.BrokenResourceError))
    with trio.CancelScope() as scope:
        stream.on_refusal = scope.cancel
        await stream.receive_some()
    assert scope.cancelled_caught
    assert isinstance(stream.failure, trio.BrokenResourceError)
