"""Whatever a server does after the handshake, TLSStream receives, refuses and closes as trio's TLS.

An input is a script: each line is something that the server does.

* ``1.2`` or ``1.3``: the version of TLS, which the first such line decides
* ``say 20000``: sends so many bytes
* ``ask``: asks for the client's certificate, which only TLS 1.3 can
* ``bye``: says that it is done
* ``raw 17030300``: sends these bytes as they are
* ``flip 7``: damages the byte at that place of all that was sent so far
* ``cut 40``: keeps the rest from there to itself
* ``leave 3``: does nothing, but the client leaves when it has received so many bytes, or more

In the end the server is gone. Lines of other kinds mean nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import cycle
from math import inf
from typing import Final, TypeAlias, final

import attrs
import trio
import trustme

from fuzz.exchanges import some_split
from tokenwire_trio.tls_stream import TLSStream

_NAME: Final = "localhost"
_VERSIONS: Final = {b"1.2": ssl.TLSVersion.TLSv1_2, b"1.3": ssl.TLSVersion.TLSv1_3}

#: What is sent of, at most all of it at once: a few records.
_SAID: Final = bytes(range(251)) * 160


@attrs.frozen
class Outcome:
    """What came of a script for a client.

    Attributes:
        received: All that it received.
        broken: It met an error, not the end.
        proven: The server has its certificate.
        goodbye: The server knows that it left on purpose.
    """

    received: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    broken: bool
    proven: bool = False
    goodbye: bool = attrs.field(default=False, eq=False)


def one_input(data: bytes) -> None:
    """Compare the two with a script, ours with its bytes whole and in pieces."""
    expected = trio.run(_play, data, _trios, 0)
    for cuts in range(3):
        outcome = trio.run(_play, data, _ours, cuts)
        assert outcome == expected
        # Trio's says nothing where it leaves behind what it did not read; nobody has to.
        assert outcome.goodbye or not expected.goodbye


@final
class Peer(trio.abc.Stream):
    """The transport of a client, with the server behind it.

    Attributes:
        closed: The client has closed it.
        reads: What the client is going to receive, read by read.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False
        self.closed = False
        self.reads: list[bytes] = []

    def follow(self, script: bytes, cuts: int) -> None:
        """Do what a script says, and leave; `cuts` says how the bytes are cut, 0 for not at all."""
        tickets = self._outgoing.read()
        sent = bytearray()
        for line in script.splitlines():
            sent = self._do(line, sent) + self._outgoing.read()
        # Where they are cut must not depend on their values, which are random.
        places = some_split(bytes(len(sent)), cuts) if cuts else [bytes(len(sent))]
        self.reads = [tickets]
        for place in places:
            self.reads.append(bytes(sent[: len(place)]))
            del sent[: len(place)]

    def _do(self, line: bytes, sent: bytearray) -> bytearray:
        match line.split(b" "):
            case [b"say", number] if number.isdigit():
                with suppress(ssl.SSLError):  # after its goodbye
                    self._tls.write(_SAID[: int(number[:6])] or b"x")
            case [b"ask"]:
                with suppress(ssl.SSLError):
                    self._tls.verify_client_post_handshake()
                    self._tls.do_handshake()
            case [b"bye"]:
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
            case [b"raw", digits]:
                with suppress(ValueError):
                    sent += bytes.fromhex(digits.decode("ascii", "replace"))
            case [b"flip", number] if number.isdigit() and int(number[:6]) < len(sent):
                sent[int(number[:6])] ^= 1
            case [b"cut", number] if number.isdigit():
                del sent[int(number[:6]) :]
            case _:
                pass
        return sent

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Have the server take what the client sends."""
        await trio.lowlevel.checkpoint()
        self._incoming.write(data)
        if not self._shaken:
            with suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                self._shaken = True

    async def wait_send_all_might_not_block(self) -> None:
        """Return: it never blocks."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Give what the server sent, the next piece of it after the handshake."""
        await trio.lowlevel.checkpoint()
        if not self._shaken or self._outgoing.pending:
            return self._outgoing.read()
        while self.reads:
            if piece := self.reads.pop(0):
                return piece
        return b""

    async def aclose(self) -> None:
        """Note that the client is gone."""
        self.closed = True
        await trio.lowlevel.checkpoint()

    def knows_client(self) -> tuple[bool, bool]:
        """Tell whether the client has shown its certificate, and whether it said goodbye."""
        proven = goodbye = False
        # Where the client sent an alert, there is neither.
        with suppress(ssl.SSLError, ValueError):
            proven = bool(self._tls.getpeercert())
            self._tls.unwrap()
            goodbye = True
        return proven, goodbye


Client: TypeAlias = TLSStream | trio.SSLStream[Peer]


def _ours(peer: Peer, context: ssl.SSLContext) -> Client:
    return TLSStream(peer, context, _NAME)


def _trios(peer: Peer, context: ssl.SSLContext) -> Client:
    return trio.SSLStream(peer, context, server_hostname=_NAME)


async def _play(
    script: bytes, secure: Callable[[Peer, ssl.SSLContext], Client], cuts: int
) -> Outcome:
    lines = script.splitlines()
    version = next((line for line in lines if line in _VERSIONS), b"1.3")
    client_context, server_context = _contexts(version)
    peer = Peer(server_context)
    client = secure(peer, client_context)
    await client.do_handshake()
    peer.follow(script, cuts)
    sizes = cycle([1, 100, 10_000] if cuts else [None])
    received, broken = await _receive(client, _most_received(lines), sizes)
    await client.aclose()
    assert peer.closed
    if broken:  # we tell the server of the error, trio's TLS does not
        return Outcome(received, broken)
    return Outcome(received, broken, *peer.knows_client())


def _most_received(lines: list[bytes]) -> float:
    for line in lines:
        word, _, number = line.partition(b" ")
        if word == b"leave" and number.isdigit():
            return int(number[:6])
    return inf


async def _receive(client: Client, most: float, sizes: Iterator[int | None]) -> tuple[bytes, bool]:
    """Return what comes, read by read, and whether the end is an error; it is one for good."""
    received = bytearray()
    while len(received) < most:
        data = await _read(client, next(sizes))
        if not data:
            assert await _read(client, 1) == data
            return bytes(received), data is None
        received += data
    return bytes(received[: int(most)]), False


async def _read(client: Client, most: int | None) -> bytes | bytearray | None:
    try:
        return await client.receive_some(most)
    except trio.BrokenResourceError:
        return None


@lru_cache
def _contexts(version: bytes) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the client's and the server's, who know each other's authority."""
    authority = trustme.CA()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.verify_mode = ssl.CERT_OPTIONAL
    for context, name in ((client, "client@host.example"), (server, _NAME)):
        context.maximum_version = _VERSIONS[version]
        context.post_handshake_auth = True
        authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]  # names pyOpenSSL's context too
        authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # the same
    return client, server
