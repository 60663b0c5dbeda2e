"""`tokenwire_trio.tls_stream`: trio's rules for streams, and what trio's own TLS lacks."""

from __future__ import annotations

import ctypes
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trustme
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import (
    MockClock,
    check_two_way_stream,
    lockstep_stream_pair,
    memory_stream_pair,
)

from fuzz import fuzz_tls_records
from tokenwire.endpoint import TLSSettings
from tokenwire_trio.tls import build_context
from tokenwire_trio.tls_stream import TLSStream


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def client_context(request: pytest.FixtureRequest, ca_file: Path) -> ssl.SSLContext:
    """Give a context that trusts the suite's authority, for either version of TLS."""
    context = ssl.create_default_context(cafile=ca_file)
    context.options &= build_context(TLSSettings()).options  # what Python sets differs
    context.maximum_version = request.param
    return context


class TLSPairs:
    """Makes pairs of a client and a server that have shaken hands."""

    def __init__(self, client: ssl.SSLContext, server: ssl.SSLContext) -> None:
        self._client = client
        self._server = server

    async def over(
        self, transports: tuple[trio.abc.Stream, trio.abc.Stream]
    ) -> tuple[TLSStream, trio.SSLStream[trio.abc.Stream]]:
        """Put TLS over a pair of transports."""
        client = TLSStream(transports[0], self._client, "localhost")
        server = trio.SSLStream(transports[1], self._server, server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        return client, server

    async def free(self) -> tuple[trio.abc.Stream, trio.abc.Stream]:
        """Make a pair whose sends never block."""
        return await self.over(memory_stream_pair())

    async def clogged(self) -> tuple[trio.abc.Stream, trio.abc.Stream]:
        """Make a pair whose sends block until they are received."""
        return await self.over(lockstep_stream_pair())


@pytest.fixture
def pairs(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> TLSPairs:
    """Give the maker of pairs."""
    return TLSPairs(client_context, server_context)


async def test_it_keeps_trios_rules_for_streams(pairs: TLSPairs) -> None:
    """It passes the checks that trio has for implementations of `Stream`."""
    await check_two_way_stream(pairs.free, pairs.clogged)


async def test_an_answer_is_read_after_sending_was_cancelled(pairs: TLSPairs) -> None:
    """A send that is given up does not take the receiving half with it."""
    client, server = await pairs.over(lockstep_stream_pair())
    with trio.CancelScope() as sending:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, b"x" * 1_000_000)
            await trio.testing.wait_all_tasks_blocked()
            sending.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.send_all, b"401")
        assert await client.receive_some() == b"401"
        nursery.cancel_scope.cancel()
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(b"more")
    await trio.aclose_forcefully(client)
    await trio.aclose_forcefully(server)


@pytest.mark.parametrize("_", range(8))
async def test_receiving_does_not_wait_for_a_blocked_send(pairs: TLSPairs, _: int) -> None:
    """A peer that has stopped reading is heard, in whatever order trio runs the two tasks."""
    client, server = await pairs.over(lockstep_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"x" * 1_000_000)
        nursery.start_soon(server.send_all, b"413")
        assert await client.receive_some() == b"413"
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(client)
    await trio.aclose_forcefully(server)


async def test_a_request_of_many_records_arrives_whole(pairs: TLSPairs) -> None:
    """However much is sent at once, all of it comes in order."""
    sent = bytes(range(256)) * 4_000
    client, server = await pairs.over(memory_stream_pair())
    await client.send_all(sent)
    received = b""
    while len(received) < len(sent):
        received += await server.receive_some()
    assert received == sent


@pytest.fixture
def asking_pairs(certificate_authority: trustme.CA, ca_file: Path) -> TLSPairs:
    """Give pairs whose server can `ask_for_certificate` in mid-connection."""
    client = ssl.create_default_context(cafile=ca_file)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca_file)
    server.verify_mode = ssl.CERT_OPTIONAL
    server.num_tickets = 0  # which nobody would take from a transport without a buffer
    for context, name in ((client, "client@host.example"), (server, "localhost")):
        context.post_handshake_auth = True
        certificate_authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # names pyOpenSSL's context too
    return TLSPairs(client, server)


async def ask_for_certificate(server: trio.SSLStream[trio.abc.Stream]) -> None:
    """Ask the client for its certificate."""
    server._ssl_object.verify_client_post_handshake()  # pyright: ignore[reportPrivateUsage]  # trio has no way to ask
    await server.send_all(b"who are you?")


async def test_what_receiving_has_to_answer_is_sent(asking_pairs: TLSPairs) -> None:
    """A server that asks for something gets it while the client only reads."""
    client, server = await asking_pairs.over(memory_stream_pair())
    await ask_for_certificate(server)
    assert await client.receive_some() == b"who are you?"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await client.send_all(b"more")
    assert await server.receive_some() == b"more"
    assert server.getpeercert()


async def test_what_receiving_has_to_answer_goes_out_with_a_send_under_way(
    asking_pairs: TLSPairs,
) -> None:
    """The answer is not forgotten where it had to wait for a blocked send."""
    client, server = await asking_pairs.over(lockstep_stream_pair())
    request = b"x" * 100_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, request)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask_for_certificate, server)
        assert await client.receive_some() == b"who are you?"
        nursery.start_soon(client.receive_some)
        received = b""
        while len(received) < len(request):
            received += await server.receive_some()
        nursery.start_soon(server.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert server.getpeercert()
    await trio.aclose_forcefully(client)
    await trio.aclose_forcefully(server)


async def test_a_send_follows_what_receiving_has_to_answer(asking_pairs: TLSPairs) -> None:
    """Records leave in the order in which they were made, also where the first one is blocked."""
    client, server = await asking_pairs.over(lockstep_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_for_certificate, server)
        assert await client.receive_some() == b"who are you?"
        nursery.start_soon(client.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(client.send_all, b"I told you")
        await trio.testing.wait_all_tasks_blocked()
        assert await server.receive_some() == b"I told you"
        assert server.getpeercert()
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(client)
    await trio.aclose_forcefully(server)


async def test_all_records_of_one_read_come_at_once(pairs: TLSPairs) -> None:
    """Records that one network read brought cost one call, not one each."""
    client, server = await pairs.over(memory_stream_pair())
    for piece in (b"a", b"b", b"c"):
        await server.send_all(piece)
    assert await client.receive_some() == b"abc"


async def test_the_rest_of_a_record_is_not_waited_for(
    pairs: TLSPairs, autojump_clock: MockClock
) -> None:
    """It came with what was taken of it, and perhaps nothing will come behind."""
    client, server = await pairs.over(memory_stream_pair())
    await server.send_all(b"data")
    with trio.fail_after(1):
        assert await client.receive_some(1) == b"d"
        assert await client.receive_some(2) == b"at"
        assert await client.receive_some() == b"a"


class MallocInfo(ctypes.Structure):
    """What glibc tells of the memory that it gave out."""

    _fields_ = (  # type: ignore[mutable-override]  # typeshed lets it be changed later
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),  # bytes in blocks of their own
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),  # bytes in use in the heap
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


@pytest.fixture
def bytes_in_use() -> Callable[[], int]:
    """Give what tells how much memory is in use beside Python's small objects."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        pytest.skip("only glibc 2.33 and newer tell")
    mallinfo2.restype = MallocInfo

    def in_use() -> int:
        info = mallinfo2()
        return int(info.uordblks + info.hblkhd)

    return in_use


async def test_nothing_is_held_ready_for_a_write_while_an_answer_is_read(
    pairs: TLSPairs, bytes_in_use: Callable[[], int]
) -> None:
    """OpenSSL takes a buffer of 16 KiB when session tickets come, and an answer may be long."""
    client, server = await pairs.over(memory_stream_pair())
    await client.send_all(b"question")
    await server.receive_some()
    await server.send_all(b"answer")
    await client.receive_some()
    before = bytes_in_use()
    client.session.write(b"")  # which would free it
    assert before - bytes_in_use() < 1024


async def test_a_large_request_leaves_little_behind(
    pairs: TLSPairs, bytes_in_use: Callable[[], int]
) -> None:
    """What it was encrypted in never shrinks."""
    client, server = await pairs.over(lockstep_stream_pair())
    before = bytes_in_use()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, bytes(1_000_000))
        left = 1_000_000
        while left:
            left -= len(await server.receive_some())
    assert bytes_in_use() - before < 128 * 1024


async def test_an_end_without_goodbye_is_no_clean_end(pairs: TLSPairs) -> None:
    """A transport that ends without close_notify, as an attacker could make it, is broken."""
    transports = memory_stream_pair()
    client, server = await pairs.over(transports)
    await server.send_all(b"half an ans")
    await transports[1].aclose()
    assert await client.receive_some() == b"half an ans"
    with pytest.raises(trio.BrokenResourceError):
        await client.receive_some()


async def test_a_clean_end_is_empty_for_ever(pairs: TLSPairs) -> None:
    """After the peer's goodbye every read is empty."""
    client, server = await pairs.over(memory_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.aclose)
        assert await client.receive_some() == b""
        assert await client.receive_some() == b""
        await client.aclose()


async def test_bytes_that_are_no_tls_break_it(pairs: TLSPairs) -> None:
    """What cannot be decrypted is an error, after what could."""
    transports = memory_stream_pair()
    client, server = await pairs.over(transports)
    await server.send_all(b"good")
    await transports[1].send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    assert await client.receive_some() == b"good"
    with pytest.raises(trio.BrokenResourceError):
        await client.receive_some()
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(b"more")


async def test_a_certificate_of_an_unknown_authority_is_refused(
    server_context: ssl.SSLContext,
) -> None:
    """The handshake raises what the certificate is wrong in."""
    client_transport, server_transport = memory_stream_pair()
    client = TLSStream(client_transport, ssl.create_default_context(), "localhost")
    server = trio.SSLStream(server_transport, server_context, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.do_handshake)
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.do_handshake()
        nursery.cancel_scope.cancel()


_PLACES = st.integers(0, 120)
_STEPS = st.one_of(
    st.sampled_from(["ask", "bye", "say 16384", "say 16385", "say 40000"]),
    st.builds("say {}".format, st.integers(1, 50)),
    st.builds("flip {}".format, _PLACES),
    st.builds("cut {}".format, _PLACES),
    st.builds("leave {}".format, _PLACES),
    st.builds("raw {}".format, st.binary(max_size=30).map(bytes.hex)),
)


@given(st.sampled_from(["1.2", "1.3"]), st.lists(_STEPS, max_size=8))
def test_it_receives_refuses_and_closes_as_trios_own_tls_does(
    version: str, steps: list[str]
) -> None:
    """However records are damaged, cut off, added or left unread, and however they arrive."""
    fuzz_tls_records.one_input("\n".join([version, *steps]).encode())
