"""The end of a stream that nobody wants any more."""

from __future__ import annotations

from contextlib import suppress

import trio


async def close_now(stream: trio.abc.AsyncResource) -> None:
    """Close a stream without a farewell to the peer, even when cancelled.

    That closing fails is no failure of what the stream was for: it is closed all the same. Streams
    of our own and trio's sockets never raise here; those that a program opens itself may.
    """
    with trio.CancelScope(shield=True), suppress(trio.BrokenResourceError, OSError):
        await trio.aclose_forcefully(stream)
