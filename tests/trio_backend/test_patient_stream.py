"""`tokenwire_trio.patient_stream`: trio's rules for streams, and no read in vain."""

from __future__ import annotations

import os
import socket
import struct
import sys

import pytest
import trio
from trio.testing import check_two_way_stream, wait_all_tasks_blocked

from tokenwire_trio.patient_stream import PatientStream, patient

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not for Windows")


async def make_pair() -> tuple[PatientStream, PatientStream]:
    """Connect two of them."""
    ours, theirs = (
        PatientStream(trio.SocketStream(trio.socket.from_stdlib_socket(end)))
        for end in socket.socketpair()
    )
    return ours, theirs


async def test_it_keeps_trios_rules_for_streams() -> None:
    """It passes the checks that trio has for implementations of `Stream`."""
    await check_two_way_stream(make_pair, None)


async def test_waiting_costs_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is tried before something has come."""
    ours, theirs = await make_pair()
    reads: list[bytes] = []
    read = os.read

    def counted(descriptor: int, most: int) -> bytes:
        reads.append(read(descriptor, most))
        return reads[-1]

    monkeypatch.setattr(os, "read", counted)
    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(ours.receive_some)
        await wait_all_tasks_blocked()
        assert reads == []
        await theirs.send_all(b"token")
    assert reads == [b"token"]


async def test_a_false_alarm_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing has come after all, the wait goes on."""
    ours, theirs = await make_pair()
    read = os.read
    alarms = 0

    def read_after_two_alarms(descriptor: int, most: int) -> bytes:
        nonlocal alarms
        alarms += 1
        if alarms <= 2:
            raise BlockingIOError
        return read(descriptor, most)

    monkeypatch.setattr(os, "read", read_after_two_alarms)
    async with ours, theirs:
        await theirs.send_all(b"token")
        assert await ours.receive_some() == b"token"


async def test_a_socket_closed_when_something_had_come_is_closed() -> None:
    """Its number may be another's by then, whose bytes are not to be read."""
    ours, theirs = await make_pair()
    async with theirs, trio.open_nursery() as nursery:
        outcome: list[type[Exception]] = []

        async def receive() -> None:
            try:
                await ours.receive_some()
            except trio.ClosedResourceError as error:
                outcome.append(type(error))

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        ours.socket.close()
    assert outcome == [trio.ClosedResourceError]


async def test_a_reset_breaks_it() -> None:
    """The cause is what the system says."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with patient(await trio.open_tcp_stream(*listener.getsockname())) as stream:
        with listener, listener.accept()[0] as peer:
            # Closing with no time to linger makes the system send a reset.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_windows_keeps_trios_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sockets cannot be read like files."""
    (pair, peer) = await make_pair()
    monkeypatch.setattr(sys, "platform", "win32")
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(socket.socket()))
    assert patient(stream) is stream
    for one in (pair, peer, stream):
        await trio.aclose_forcefully(one)
