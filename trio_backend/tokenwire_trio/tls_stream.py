"""TLS over any trio stream, for a client that must hear a refusal.

`trio.SSLStream` gives a stream up for good once a write on it failed or was cancelled. An HTTP
client can't: a server that refuses a request before it has read all of it (401, 413) answers and
stops reading, so the write fails while the answer waits to be read. `TLSStream` keeps the two
directions apart. It also decrypts all records that one network read brought in one go, which costs
half as much where every token has a record of its own.

Like trio's it drives an `ssl.SSLObject` between two memory buffers, and keeps the rules of trio's
`Stream` interface.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from operator import index
from typing import Final, final

import trio

from tokenwire_trio.conflict import ConflictDetector

#: Most bytes to take from the transport at once: the records of many tokens. OpenSSL's memory
#: buffers never shrink, so this bounds what one read leaves behind for as long as the stream lasts.
_READ_BYTES: Final = 32 * 1024

#: Most bytes to encrypt before they are sent, for the same reason.
_WRITE_BYTES: Final = 32 * 1024

#: No TLS record holds more (RFC 8446 section 5.1).
_RECORD_BYTES: Final = 16 * 1024


@final
class TLSStream(trio.abc.Stream):
    """The client's end of a TLS connection.

    Args:
        transport: The stream underneath; it belongs to this one from now on.
        context: How to check the peer.
        server_hostname: Whom the certificate must name: a DNS name or an IP address.

    Attributes:
        transport: The stream underneath.
    """

    __slots__ = (
        "_can_send",
        "_closed",
        "_drained",
        "_flush_order",
        "_holds_write_buffer",
        "_incoming",
        "_one_receiver",
        "_one_sender",
        "_outgoing",
        "_tls",
        "transport",
    )

    def __init__(
        self, transport: trio.abc.Stream, context: ssl.SSLContext, server_hostname: str
    ) -> None:
        self.transport: trio.abc.Stream = transport
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        # Records leave in the order in which they were made, by whichever task: receiving makes
        # some too (it answers a key update).
        self._flush_order = trio.StrictFIFOLock()
        self._one_sender = ConflictDetector("another task is sending on this TLSStream")
        self._one_receiver = ConflictDetector("another task is receiving on this TLSStream")
        self._can_send = True
        # There is nothing to decrypt until more has come: to try it costs an exception.
        self._drained = False
        # For what is written next; see `_give_back_write_buffer`.
        self._holds_write_buffer = True
        self._closed = False

    async def do_handshake(self) -> None:
        """Agree on keys and check the certificate: once, before anything else.

        Raises:
            ssl.SSLError: The two could not agree, or the certificate is not to be trusted.
            trio.BrokenResourceError: The transport failed.
        """
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                self._take(await self.transport.receive_some(_READ_BYTES))
        await self._flush()

    @property
    def session(self) -> ssl.SSLObject:
        """Knows what was agreed on, and the peer's certificate; not for reading or writing."""
        return self._tls

    @property
    def holds_data(self) -> bool:
        """Whether bytes have come that were not received, decrypted or not."""
        return bool(self._incoming.pending or self._tls.pending())

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send.

        Once this failed or was cancelled, nothing more can be sent; receiving goes on.
        """
        with self._one_sender:
            self._check_open()
            await trio.lowlevel.checkpoint_if_cancelled()
            rest = memoryview(data)
            while True:
                rest = self._encrypt(rest)
                await self._flush()
                if not rest:
                    return

    def _encrypt(self, data: memoryview) -> memoryview:
        """Make records of as much as goes out at once, and return the rest."""
        try:
            while data and self._outgoing.pending < _WRITE_BYTES:
                data = data[self._tls.write(data[:_RECORD_BYTES]) :]
        except ssl.SSLError as error:
            # Among them SSLWantReadError: a renegotiation in mid-request, which TLS 1.3 dropped.
            raise trio.BrokenResourceError from error
        return data

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the transport takes more."""
        with self._one_sender:
            self._check_open()
            await self.transport.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive and decrypt.

        Returns:
            What has come, at most `max_bytes`; empty once the peer said that it is done.

        Raises:
            trio.BrokenResourceError: The transport failed or ended without a word from the peer,
                or what came could not be decrypted.
        """
        most = _READ_BYTES if max_bytes is None else index(max_bytes)
        if most < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._one_receiver:
            self._check_open()
            if not self._drained:
                await trio.lowlevel.checkpoint_if_cancelled()
                data = self._decrypt(most)
                if data is not None:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                    return data
            while True:
                if self._outgoing.pending:
                    await self._answer()
                self._take(await self.transport.receive_some(_READ_BYTES))
                data = self._decrypt(most)
                if self._holds_write_buffer or data is None:
                    self._give_back_write_buffer()
                    self._holds_write_buffer = data is None
                if data is not None:
                    return data

    def _give_back_write_buffer(self) -> None:
        """Have OpenSSL free what it holds for the next write: 16 KiB, while the answer may be long.

        It takes that for session tickets, which servers send behind the handshake, and frees it
        with a write. An empty one makes no record.
        """
        with suppress(ssl.SSLError):  # a renegotiation waits for the peer; TLS 1.3 dropped those
            self._tls.write(b"")

    def _decrypt(self, most: int) -> bytes | None:
        """Read up to `most` bytes from the records at hand.

        Returns:
            None if there are none, empty if the peer said that none will come.
        """
        pieces: list[bytes] = []
        try:
            while most > 0:
                piece = self._tls.read(min(most, _RECORD_BYTES))
                if not piece:
                    break
                pieces.append(piece)
                most -= len(piece)
                if not self.holds_data:
                    self._drained = True
                    break
        except ssl.SSLWantReadError:
            self._drained = True
            if not pieces:
                return None
        except ssl.SSLError as error:
            # What came before it counts; the next call meets it again.
            if not pieces:
                raise trio.BrokenResourceError from error
        return b"".join(pieces)

    def _take(self, data: bytes | bytearray) -> None:
        self._drained = False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _answer(self) -> None:
        """Send what receiving made to be sent, if it can be.

        A send that is under way takes it along: receiving must not wait for it, because the peer
        may have stopped reading.
        """
        if self._can_send and not self._flush_order.locked():
            with suppress(trio.BrokenResourceError):
                await self._flush()

    async def _flush(self) -> None:
        try:
            self._flush_order.acquire_nowait()  # mostly; `acquire` is a trip through the scheduler
        except trio.WouldBlock:
            await self._flush_order.acquire()
        try:
            if not self._can_send:
                raise trio.BrokenResourceError
            # Unless all of it goes out, the peer will miss a part of a record.
            self._can_send = False
            await self.transport.send_all(self._outgoing.read())
            while self._outgoing.pending:
                await self.transport.send_all(self._outgoing.read())
            self._can_send = True
        finally:
            self._flush_order.release()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError

    async def aclose(self) -> None:
        """Say goodbye, without waiting for the peer to do so too, and close the transport."""
        try:
            if not self._closed and self._can_send:
                self._closed = True
                # It always "fails" for want of the peer's goodbye, and fails before the handshake.
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                with suppress(trio.BrokenResourceError, trio.BusyResourceError):
                    await self._flush()
        finally:
            self._closed = True
            await self.transport.aclose()
