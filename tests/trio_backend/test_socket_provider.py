"""Answers over WebSockets: lanes, continuation, rotation, leaving, closing."""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio
from trio.testing import lockstep_stream_pair, wait_all_tasks_blocked
from wsproto.events import TextMessage

from tests.patience import HANGS_S
from tests.trio_backend.cli_process import invoke
from tests.trio_backend.leaks import nothing_left_behind, sockets_to
from tests.trio_backend.servers import Handler, MemoryNetwork, ServerSide, socket_server
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    HELLO,
    Peer,
    RawServer,
    SectionOf,
    answers_all,
    ask,
    created,
    ended,
    events,
    raw_handler,
    realtime_section,
    said,
    socket_provider,
    socket_section,
    text_of,
    websocket_handler,
)
from tokenwire.config import ConfigError
from tokenwire.connection_settings import PoolSettings
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.errors import (
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
)
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.tokens import End, TextDelta
from tokenwire.wire import SOCKET_KINDS
from tokenwire_trio import HTTPProvider, HTTPTokenStream, open_provider
from tokenwire_trio.doctor import examine
from tokenwire_trio.inbox import MAX_TOKENS
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.socket_provider import SocketProvider

ANSWERS_ALL = websocket_handler(answers_all)
MORE = Message.user("More")
AT_ITS_END = json.dumps(
    {"type": "error", "error": {"code": "websocket_connection_limit_reached", "message": "Old."}}
).encode()


async def test_an_answer_comes_over_a_socket() -> None:
    """With what the upgrade said of the connection."""
    async with socket_provider(ANSWERS_ALL) as (provider, _), provider.complete(HELLO) as stream:
        tokens = [token async for token in stream]
        assert "".join(token.text for token in tokens) == "Hello"
        assert isinstance(tokens[-1], End)
        assert stream.response.request_id == "req-1"
        assert stream.response.timings.connect is not None
        assert stream.response.timings.total is not None
        assert not stream.response.continued


async def test_open_provider_chooses_by_the_kind() -> None:
    """Programs need not know what is spoken over a socket."""
    async with open_provider(socket_section()) as provider:
        assert isinstance(provider, SocketProvider)
        assert provider.url == "ws://localhost/v1/responses"
        assert repr(provider) == "<SocketProvider openai-responses-ws at http://localhost/v1>"


async def test_other_kinds_are_refused() -> None:
    """By name."""
    section = attrs.evolve(socket_section(), kind="openai-chat")
    with pytest.raises(ConfigError, match="openai-responses-ws"):
        SocketProvider(section)


async def test_http_is_no_socket() -> None:
    """`HTTPProvider` itself would send to the wrong place."""
    with pytest.raises(ConfigError, match="spoken over a WebSocket"):
        HTTPProvider(socket_section())


async def test_it_has_no_connections_but_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that carry one answer at a time are never made."""
    monkeypatch.setattr("tokenwire_trio.provider.Connections", None)
    async with socket_provider(ANSWERS_ALL) as (provider, _):
        await provider.warm()
        assert await text_of(provider) == "Hello"


def test_the_command_line_knows_it() -> None:
    """It lists the quirks, and has no HTTP request to show."""
    assert "openai-responses-ws\n" in invoke("wires").stdout
    result = invoke("encode", "Hi", "--wire", "openai-responses-ws", "--base-url", "http://x/v1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no HTTP request to print" in result.stderr


async def test_the_doctor_examines_it() -> None:
    """Stage by stage, like any other."""
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, ANSWERS_ALL)
        report = await examine(socket_section(), dial=network)
        nursery.cancel_scope.cancel()
    assert report.error is None
    assert report.url == "ws://localhost/v1/responses"


async def test_a_provider_works_only_inside_its_block() -> None:
    """Nobody else owns the tasks that read."""
    provider = SocketProvider(socket_section())
    with pytest.raises(RuntimeError, match="async with"):
        async with provider.complete(HELLO):
            pass
    async with provider:
        with pytest.raises(RuntimeError, match="entered before"):
            async with provider:
                pass
    with pytest.raises(trio.ClosedResourceError):
        async with provider.complete(HELLO):
            pass


async def test_it_works_over_tls_and_leaves_nothing_behind(
    server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """On real sockets."""
    tls = TLSSettings(ca_file=str(ca_file))
    with nothing_left_behind():
        async with (
            socket_server(ANSWERS_ALL, server_context) as base_url,
            open_provider(socket_section(base_url, tls=tls)) as provider,
        ):
            assert provider.url.startswith("wss://")
            async with provider.complete(HELLO) as stream:
                assert (await stream.collect()).text == "Hello"


# Many answers


@pytest.mark.parametrize(
    "section_of",
    [socket_section, partial(realtime_section, quirks={"out_of_band": True})],
    ids=SOCKET_KINDS,
)
async def test_a_hundred_answers_over_several_connections(section_of: SectionOf) -> None:
    """Each token goes to its own caller, however the server mixes them."""
    texts: dict[str, str] = {}
    sent: list[tuple[Peer, str]] = []

    async def answer(peer: Peer, request: dict[str, Any], response_id: str) -> None:
        await peer.begin(request, response_id)
        for letter in peer.question(request):
            await peer.say(request, letter)
            sent.append((peer, response_id))
        await peer.end(request, response_id)

    async def mixes(peer: Peer) -> None:
        async with brief_nursery() as nursery:
            while True:
                request = await peer.receive_request()
                nursery.start_soon(answer, peer, request, f"r{len(peer.requests)}")

    async def ask_for(provider: SocketProvider, question: str) -> None:
        texts[question] = await text_of(provider, [Message.user(question)])

    handler = websocket_handler(mixes)
    async with socket_provider(handler, section_of=section_of) as (provider, network):
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask_for, provider, f"question {number}")
        assert len(network.connections) == 7
    assert texts == {f"question {number}": f"question {number}" for number in range(100)}
    changes = sum(one != next_one for one, next_one in pairwise(sent))
    assert changes > len(sent) / 2  # mixed indeed


async def test_calls_wait_for_room_where_no_more_connections_may_be_opened() -> None:
    """In line, for as long as the pool's deadline says."""
    deadlines = Deadlines(pool=HANGS_S)
    settings: dict[str, Any] = {"pool": PoolSettings(max_connections=1), "quirks": {"lanes": 1}}
    async with socket_provider(ANSWERS_ALL, deadlines=deadlines, **settings) as (provider, network):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(text_of, provider)
        assert len(network.connections) == 1


async def test_waiting_for_room_has_a_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """Its error says what was waited for."""

    async def begins(peer: Peer) -> None:
        await peer.begin(await peer.receive(), "r1")
        await peer.wait_until_client_leaves()

    async with (
        socket_provider(
            websocket_handler(begins),
            deadlines=Deadlines(pool=3),
            pool=PoolSettings(max_connections=1),
            quirks={"lanes": 1},
        ) as (provider, _),
        provider.complete(HELLO),
    ):
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
    assert (caught.value.timeout, caught.value.phase, caught.value.sent) == (
        "pool",
        "pool",
        "nothing",
    )


async def test_connections_can_be_opened_ahead() -> None:
    """As many as the pool allows."""
    async with socket_provider(ANSWERS_ALL, pool=PoolSettings(max_connections=2)) as (
        provider,
        net,
    ):
        await provider.warm(2)
        assert len(net.connections) == 2
        await provider.warm()
        assert await text_of(provider) == "Hello"
        assert len(net.connections) == 2
        with pytest.raises(ValueError, match="1 to 2"):
            await provider.warm(3)


async def test_warming_fails_like_a_call() -> None:
    """With the refusal that a call would get."""
    refusal = b'HTTP/1.1 401 No\r\ncontent-length: 27\r\n\r\n{"error":{"message":"no"} }'
    async with socket_provider(refuses(refusal)) as (provider, _):
        with pytest.raises(AuthError):
            await provider.warm()


def refuses(response: bytes) -> Handler:
    """Make a handler that sends this in place of an agreement."""

    async def handler(side: ServerSide) -> None:
        while b"\r\n\r\n" not in side.request:
            side.request += await side.stream.receive_some()
        await side.send(response)
        await side.wait_until_client_leaves()

    return handler


async def test_calls_that_wait_for_one_connection_fail_with_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """They do not try one after the other what cannot work."""

    async def silent(side: ServerSide) -> None:
        await side.wait_until_client_leaves()

    async def fail(provider: SocketProvider) -> None:
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
        assert (caught.value.timeout, caught.value.sent) == ("connect", "nothing")

    began = trio.current_time()
    async with socket_provider(silent, deadlines=Deadlines(connect=4)) as (provider, network):
        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(fail, provider)
        assert len(network.connections) == 3
    assert trio.current_time() - began == pytest.approx(4)


@pytest.mark.parametrize(("most", "seconds"), [(None, 1), (1, 2)])
async def test_a_refused_address_is_no_failure_of_another(
    most: int | None, seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    """A model is part of it. Who asks for another waits only where one connection must do."""
    refuse = refuses(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
    connections = 0

    async def first_refused(side: ServerSide) -> None:
        nonlocal connections
        connections += 1
        handler = refuse if connections == 1 else ANSWERS_ALL
        await trio.sleep(1)
        await handler(side)

    async def ask_for(model: str) -> str:
        async with provider.complete(HELLO, ProviderConfig(model=model)) as stream:
            return (await stream.collect()).text

    async def fail() -> None:
        with pytest.raises(OtherError) as caught:
            await ask_for("no-model")
        assert caught.value.kind == "not_found"

    settings: dict[str, Any] = {"quirks": {"out_of_band": True}, "section_of": realtime_section}
    pool = PoolSettings(max_connections=most)
    began = trio.current_time()
    async with socket_provider(first_refused, pool=pool, **settings) as (provider, network):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(fail)
            await wait_all_tasks_blocked()
            assert await ask_for("some-model") == "Hello"
        assert len(network.connections) == 2
    assert trio.current_time() - began == pytest.approx(seconds)


async def test_a_deadline_of_one_call_is_no_failure_of_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """They go on, with a connection of their own."""
    connections = 0
    accepts = websocket_handler(answers_all)

    async def first_silent(side: ServerSide) -> None:
        nonlocal connections
        connections += 1
        await (side.wait_until_client_leaves() if connections == 1 else accepts(side))

    async with (
        socket_provider(first_silent, deadlines=Deadlines(total=5)) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_fails_in_total, provider)
        await trio.sleep(1)
        assert await text_of(provider) == "Hello"


async def _fails_in_total(provider: SocketProvider) -> None:
    with pytest.raises(NetworkError) as caught:
        await text_of(provider)
    assert caught.value.timeout == "total"


# Continuation


async def test_a_conversation_goes_on_with_what_is_new() -> None:
    """Seen by the server, and by the caller."""
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await answers_all(peer)

    async with socket_provider(websocket_handler(script)) as (provider, _):
        messages = [*HELLO]
        continued: list[bool] = []
        for _ in range(3):
            async with provider.complete(messages) as stream:
                messages += [(await stream.collect()).message, MORE]
                continued.append(stream.response.continued)
    assert continued == [False, True, True]
    (peer,) = peers
    assert [len(request["input"]) for request in peer.requests] == [1, 1, 1]
    assert "previous_response_id" in peer.requests[2]


async def test_the_connection_that_holds_a_conversation_is_chosen() -> None:
    """Among several."""
    async with socket_provider(ANSWERS_ALL, quirks={"lanes": 1}) as (provider, network):
        await provider.warm(3)
        replies_: list[Message] = []

        async def ask(question: str) -> None:
            async with provider.complete([Message.user(question)]) as stream:
                replies_.append((await stream.collect()).message)

        async with trio.open_nursery() as nursery:
            for question in ("a", "b", "c"):
                nursery.start_soon(ask, question)
        for reply in replies_:
            messages = [Message.user(reply.text), reply, MORE]
            async with provider.complete(messages) as stream:
                assert (await stream.collect()).text == "More"
                assert stream.response.continued
        assert len(network.connections) == 3


async def test_what_the_server_lost_is_sent_whole() -> None:
    """The caller sees only that the answer does not continue one."""

    async def forgets(peer: Peer) -> None:
        await peer.answer(await peer.receive(), "r1", "Hi.")
        request = await peer.receive()
        error = {"code": "previous_response_not_found", "message": "Gone."}
        await peer.send("error", request, status=400, error=error)
        request = await peer.receive()
        await peer.answer(request, "r2", str(len(request["input"])))
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(forgets)) as (provider, _):
        reply = Message.assistant(await text_of(provider))
        async with provider.complete([*HELLO, reply, MORE]) as stream:
            assert (await stream.collect()).text == "3"
            assert not stream.response.continued


@BOTH_WIRES
async def test_what_comes_at_once_is_told_one_after_the_other(
    section_of: SectionOf, autojump_clock: trio.testing.MockClock
) -> None:
    """An answer that begins and fails in the same packet has begun, and its token is read."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        failed = ended(request, status="failed")
        await server.send(*events(created(request), said(request, "a"), failed))
        await server.wait_until_client_leaves()

    for _ in range(10):  # the order in which trio runs tasks is random
        async with (
            socket_provider(raw_handler(script), section_of=section_of) as (provider, _),
            provider.complete(HELLO) as stream,
        ):
            await wait_all_tasks_blocked()
            assert await anext(stream) == TextDelta("a")
            with pytest.raises(OtherError) as caught:
                await anext(stream)
            assert caught.value.in_stream


async def test_what_the_server_lost_twice_is_an_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It had begun the answer, so that its caller waits for a token."""

    async def forgets(peer: Peer) -> None:
        await peer.answer(await peer.receive(), "r1", "Hi.")
        request = await peer.receive()
        await peer.begin(request, "r2")
        for code in ("previous_response_not_found", "websocket_connection_limit_reached"):
            error = {"code": code, "message": "Gone."}
            await peer.send("error", request, status=400, error=error)
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(forgets)) as (provider, _):
        reply = Message.assistant(await text_of(provider))
        async with provider.complete([*HELLO, reply, MORE]) as stream:
            with pytest.raises(NetworkError, match="did not know any more") as caught:
                await stream.collect()
    assert caught.value.retryable


# Age and loss


async def test_a_day_of_rotation(autojump_clock: trio.testing.MockClock) -> None:
    """A call every ten minutes: each connection serves fifty, and none is lost or left open."""
    opened: list[float] = []
    closed: list[float] = []

    async def script(peer: Peer) -> None:
        began = trio.current_time()
        opened.append(began)
        try:
            await answers_all(peer)
        finally:
            closed.append(trio.current_time() - began)

    async with socket_provider(websocket_handler(script)) as (provider, network):
        for _ in range(24 * 6):
            assert await text_of(provider) == "Hello"
            await trio.sleep(600)
        assert sum(not each.closed for each in network.connections) <= 1
    assert len(opened) == 29  # a day has 28.8 times fifty minutes
    assert max(closed[:-1]) <= 3000 + 40


async def test_an_old_connection_ends_its_answers_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A new call does not wait for that."""

    async def slow(peer: Peer) -> None:
        request = await peer.receive()
        await peer.begin(request, "r1")
        await peer.say(request, "a")
        await trio.sleep(100)
        await peer.say(request, "b")
        await peer.end(request, "r1")
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(slow), quirks={"rotate_after": 50}) as (
        provider,
        network,
    ):
        async with provider.complete(HELLO) as stream:
            await anext(stream)
            await trio.sleep(60)
            assert await text_of(provider) == "ab"
            assert (await stream.collect()).text == "ab"
        await trio.sleep(1)
        assert [each.closed for each in network.connections] == [True, True]


async def test_a_connection_at_its_end_sends_the_call_elsewhere() -> None:
    """Once: the server did nothing with it."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        request = await peer.receive()
        if connections % 2:
            error = {"code": "websocket_connection_limit_reached", "message": "60 minutes."}
            await peer.send("error", request, status=400, error=error)
        else:
            await peer.answer(request, "r1", "Hi.")
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(script)) as (provider, network):
        assert await text_of(provider) == "Hi."
        assert len(network.connections) == 2
        assert network.connections[0].closed


async def test_a_request_that_waits_to_be_written_is_sent_elsewhere_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where the server has read enough, but goes on with another answer."""
    connections = 0
    all_asked = trio.Event()

    async def script(server: RawServer) -> None:
        first = await server.receive_request()
        await server.send(*events(created(first), said(first, "a")))
        await all_asked.wait()
        await server.send(TextMessage(AT_ITS_END.decode()))
        await trio.sleep(10)
        await server.send(*events(ended(first)))
        await server.wait_until_client_leaves()

    async def handler(side: ServerSide) -> None:
        nonlocal connections
        connections += 1
        await (raw_handler(script) if connections == 1 else ANSWERS_ALL)(side)

    async def ask_elsewhere() -> None:
        with trio.fail_after(1):
            assert await text_of(provider) == "Hello"

    async with socket_provider(handler, lockstep_stream_pair) as (provider, _):
        async with provider.complete(HELLO) as stream:
            assert await anext(stream) == TextDelta("a")
            async with trio.open_nursery() as nursery:
                for _ in range(2):  # one is being written, one waits behind it
                    nursery.start_soon(ask_elsewhere)
                await wait_all_tasks_blocked()
                all_asked.set()
            assert (await stream.collect()).text == "a"
        assert connections == 2


async def test_a_call_is_not_sent_around_for_ever() -> None:
    """A second connection at its end is an error."""

    async def script(peer: Peer) -> None:
        request = await peer.receive()
        error = {"code": "websocket_connection_limit_reached", "message": "60 minutes."}
        await peer.send("error", request, status=400, error=error)
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(script)) as (provider, network):
        with pytest.raises(NetworkError, match="before it takes a request") as caught:
            await text_of(provider)
        assert caught.value.retryable
        assert len(network.connections) == 2


async def test_a_lost_connection_is_replaced() -> None:
    """By the next call; what was being answered fails."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        request = await peer.receive()
        await peer.begin(request, "r1")
        await peer.say(request, "Hi")
        if connections > 1:
            await peer.end(request, "r1")
            await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(script)) as (provider, _):
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
        assert caught.value.tokens_emitted == 1
        assert caught.value.sent == "all"
        assert caught.value.retryable
        assert await text_of(provider) == "Hi"


async def test_a_connection_that_ends_while_it_is_idle_is_replaced() -> None:
    """Without a call noticing."""

    async def once(peer: Peer) -> None:
        await peer.answer(await peer.receive(), "r1", "Hi.")

    async with socket_provider(websocket_handler(once)) as (provider, network):
        for _ in range(3):
            assert await text_of(provider) == "Hi."
            await wait_all_tasks_blocked()
        assert len(network.connections) == 3


@pytest.mark.parametrize(
    ("secure", "last"),
    [
        pytest.param(False, b"", id="the end"),
        pytest.param(True, b"", id="the end under TLS"),
        pytest.param(False, b"\x88\x02\x03\xe8", id="a close frame"),
        pytest.param(False, bytes([0x81, len(AT_ITS_END)]) + AT_ITS_END, id="an error"),
    ],
)
async def test_a_connection_that_ends_while_the_program_is_busy_is_replaced(
    secure: bool, last: bytes, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """What came while nothing could be read is read before the connection is used again."""
    sockets: list[trio.socket.SocketType] = []

    async def handler(side: ServerSide) -> None:
        below = side.stream
        if isinstance(below, trio.SSLStream):
            below = cast("trio.SSLStream[trio.abc.Stream]", below).transport_stream
        assert isinstance(below, trio.SocketStream)
        sockets.append(below.socket)
        await ANSWERS_ALL(side)

    tls = TLSSettings(ca_file=str(ca_file))
    async with (
        socket_server(handler, server_context if secure else None) as base_url,
        open_provider(socket_section(base_url, tls=tls)) as provider,
    ):
        for number in range(1, 4):
            assert await ask(provider, "Hello") == "Hello"
            assert len(sockets) == number
            await wait_all_tasks_blocked(0.01)
            # From here to the next call nothing else gets to run.
            if last:
                os.write(sockets[-1].fileno(), last)
            else:
                sockets[-1].shutdown(socket.SHUT_WR)
            assert select.select(sockets_to(base_url), [], [], HANGS_S)[0]


# Leaving


async def test_leaving_stops_the_tokens_and_frees_the_lane() -> None:
    """At once for the caller, on the connection when the server has ended the answer."""
    go_on = trio.Event()

    async def script(peer: Peer) -> None:
        request = await peer.receive()
        await peer.begin(request, "r1")
        await peer.say(request, "a")
        await go_on.wait()
        await peer.say(request, "b")
        await peer.end(request, "r1")
        await answers_all(peer)

    settings: dict[str, Any] = {"pool": PoolSettings(max_connections=1), "quirks": {"lanes": 1}}
    async with socket_provider(websocket_handler(script), **settings) as (provider, network):
        async with provider.complete(HELLO) as stream:
            assert await anext(stream) == TextDelta("a")
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(text_of, provider)
            await wait_all_tasks_blocked()
            go_on.set()
        assert stream.partial().text == "a"
        assert len(network.connections) == 1


async def test_a_slow_reader_slows_the_server() -> None:
    """The connection is read no further until there is room, and leaving makes some."""
    said = 0
    goes_on = trio.Event()

    async def talks(peer: Peer) -> None:
        nonlocal said
        request = await peer.receive()
        await peer.begin(request, "r1")
        while True:
            await peer.say(request, "x")
            said += 1
            if said > 2 * MAX_TOKENS + 20:
                goes_on.set()

    async with socket_provider(websocket_handler(talks), lockstep_stream_pair) as (provider, _):
        async with provider.complete(HELLO) as stream:
            await wait_all_tasks_blocked()
            filled = said
            assert MAX_TOKENS <= filled <= MAX_TOKENS + 10
            for _ in range(MAX_TOKENS):
                await anext(stream)
            await wait_all_tasks_blocked()
            assert filled < said <= 2 * MAX_TOKENS + 20
        with trio.fail_after(HANGS_S):
            await goes_on.wait()


async def _fill_one_and_end_both(peer: Peer) -> None:
    """Send the first of two answers as much as there is room for, and what ends them both."""
    first = await peer.receive()
    await peer.begin(first, "r1")
    await peer.begin(await peer.receive(), "r2")
    await peer.say(first, *["x"] * MAX_TOKENS)
    await peer.websocket.send_message("no JSON")
    await peer.wait_until_client_leaves()


async def test_what_ends_several_answers_waits_for_no_reader(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each is told at once, though one has as much to read as there is room for."""
    async with (
        socket_provider(websocket_handler(_fill_one_and_end_both)) as (provider, _),
        provider.complete(HELLO) as slow,
        provider.complete(HELLO) as quick,
    ):
        with trio.fail_after(1), pytest.raises(MalformedResponseError):
            await anext(quick)
        await trio.sleep(100)
        for _ in range(MAX_TOKENS):
            await anext(slow)
        with pytest.raises(MalformedResponseError):
            await anext(slow)


async def test_leaving_while_others_hold_up_the_connection() -> None:
    """One answer's reader takes a pause, the other one goes: nothing is kept for it."""
    async with (
        socket_provider(websocket_handler(_fill_one_and_end_both)) as (provider, network),
        trio.open_nursery() as nursery,
    ):
        left = trio.Event()

        async def leave() -> None:
            async with provider.complete(HELLO):
                await wait_all_tasks_blocked(0.01)
            left.set()

        async with provider.complete(HELLO) as stream:
            nursery.start_soon(leave)
            await left.wait()
            for _ in range(MAX_TOKENS):
                await anext(stream)
            with pytest.raises(MalformedResponseError):
                await anext(stream)
        await wait_all_tasks_blocked()
        assert network.connections[0].closed


# Deadlines


@pytest.mark.parametrize(
    ("deadline", "phase", "begins", "talks"),
    [
        ("first_byte", "head", False, False),
        ("first_token", "body", True, False),
        ("gap", "body", True, True),
        ("total", "head", False, False),
    ],
)
async def test_deadlines_are_kept(
    deadline: str,
    phase: str,
    begins: bool,
    talks: bool,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each is reported by its name."""

    async def script(peer: Peer) -> None:
        request = await peer.receive()
        if begins:
            await peer.begin(request, "r1")
        if talks:
            await peer.say(request, "a")
        await peer.wait_until_client_leaves()

    async with socket_provider(
        websocket_handler(script), deadlines=Deadlines(**{deadline: 7.0})
    ) as (provider, _):
        began = trio.current_time()
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
        assert trio.current_time() - began == pytest.approx(7)
    assert (caught.value.timeout, caught.value.phase) == (deadline, phase)


async def test_sending_has_a_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """For servers that agree and then read nothing."""

    async def deaf(side: ServerSide) -> None:
        await RawServer(side).accept()
        await trio.sleep_forever()

    async with socket_provider(deaf, lockstep_stream_pair, deadlines=Deadlines(send=4)) as (
        provider,
        _,
    ):
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
    assert (caught.value.timeout, caught.value.sent) == ("send", "partly")


async def test_connecting_has_a_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """The upgrade included."""

    async def silent(side: ServerSide) -> None:
        await side.wait_until_client_leaves()

    async with socket_provider(silent, deadlines=Deadlines(connect=4)) as (provider, network):
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
        assert network.connections[0].closed
    assert (caught.value.timeout, caught.value.sent) == ("connect", "nothing")


# Closing


@pytest.mark.parametrize("reading", [True, False])
async def test_closing_the_provider_ends_answers(reading: bool) -> None:
    """Whether somebody waits for a token or not."""

    async def begins(peer: Peer) -> None:
        await peer.begin(await peer.receive(), "r1")
        await peer.wait_until_client_leaves()

    async def read(stream: HTTPTokenStream) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await anext(stream)

    async with (
        socket_provider(websocket_handler(begins)) as (provider, network),
        provider.complete(HELLO) as stream,
        trio.open_nursery() as nursery,
    ):
        if reading:
            nursery.start_soon(read, stream)
            await wait_all_tasks_blocked()
        await provider.aclose()
        await provider.aclose()
        await wait_all_tasks_blocked()
        assert network.connections[0].closed
        await read(stream)


async def test_closing_the_provider_ends_the_waiting_for_a_connection() -> None:
    """The call hears that the provider is closed."""

    async def silent(side: ServerSide) -> None:
        await side.wait_until_client_leaves()

    async def call(provider: SocketProvider) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await text_of(provider)

    async with (
        socket_provider(silent, pool=PoolSettings(max_connections=1)) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(call, provider)
        nursery.start_soon(call, provider)
        await wait_all_tasks_blocked()
        await provider.aclose()


async def test_an_error_in_the_providers_block_comes_out_as_it_was() -> None:
    """Not in a group, though a nursery is around it."""
    with pytest.raises(KeyError, match="mine"):
        async with SocketProvider(socket_section()):
            raise KeyError("mine")


async def test_a_mistake_is_told_before_anything_is_opened() -> None:
    """As over HTTP."""
    async with socket_provider(ANSWERS_ALL) as (provider, network):
        for config in (ProviderConfig(seed=1), ProviderConfig(extra={"stream_id": "x"})):
            with pytest.raises(LocalProtocolError):
                async with provider.complete(HELLO, config):
                    pass
        assert len(network.connections) <= 1


async def test_headers_that_http_cannot_carry_are_refused_without_being_shown() -> None:
    """A key with white space at its end would be a mystery otherwise."""
    headers = {"x-api-key": "sk-0123456789abcdef "}
    async with socket_provider(ANSWERS_ALL, headers=headers) as (provider, network):
        with pytest.raises(LocalProtocolError) as caught:
            await text_of(provider)
        assert "sk-0123" not in str(caught.value)
        assert not network.connections


# Credentials


async def test_a_credential_that_expired_is_renewed() -> None:
    """A refused upgrade asks once more."""
    keys = iter(["old", "new"])
    refusal = b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"

    async def credential() -> Secret:
        return Secret(next(keys) + "-0123456789")

    accepts = websocket_handler(answers_all)

    async def handler(side: ServerSide) -> None:
        stream = _Peeking(side.stream)
        if b"old-" in await stream.peek():
            await side.send(refusal)
        else:
            await accepts(ServerSide(stream))

    async with socket_provider(handler, credential=credential) as (provider, network):
        assert await text_of(provider) == "Hello"
        assert len(network.connections) == 2


@pytest.mark.parametrize(
    "section_of",
    [socket_section, partial(realtime_section, quirks={"out_of_band": True})],
    ids=SOCKET_KINDS,
)
async def test_a_credential_that_expires_on_an_open_connection_is_renewed(
    section_of: SectionOf,
) -> None:
    """With a new connection; answers that are under way on the old one come to their end."""
    keys = iter(["old", "old", "new"])
    connections = 0
    go_on = trio.Event()

    async def credential() -> Secret:
        return Secret(next(keys) + "-0123456789")

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        if connections == 2:
            await answers_all(peer)
        first = await peer.receive_request()
        await peer.begin(first, "r1")
        second = await peer.receive_request()
        error = {"code": "invalid_api_key", "message": "expired"}
        error |= {"event_id": second["event_id"]} if "event_id" in second else {}
        lane = {"stream_id": second["stream_id"]} if "stream_id" in second else {}
        answer = {"type": "error", "status": 401, "error": error, **lane}
        await peer.websocket.send_message(json.dumps(answer))
        await go_on.wait()
        await peer.say(first, "still here")
        await peer.end(first, "r1")
        await peer.wait_until_client_leaves()

    async with socket_provider(
        websocket_handler(script), section_of=section_of, credential=credential
    ) as (provider, network):
        async with provider.complete(HELLO) as stream:
            assert await text_of(provider) == "Hello"
            go_on.set()
            assert (await stream.collect()).text == "still here"
        await wait_all_tasks_blocked()
        assert [each.closed for each in network.connections] == [True, False]


class _Peeking(trio.abc.Stream):
    """A stream whose first bytes can be looked at."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._first = b""

    async def peek(self) -> bytes:
        self._first = bytes(await self._stream.receive_some())
        return self._first

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        first, self._first = self._first, b""
        return first or await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


@pytest.mark.parametrize(
    "section_of",
    [partial(socket_section, quirks={"lanes": 1}), realtime_section],
    ids=SOCKET_KINDS,
)
async def test_calls_wait_in_line(section_of: SectionOf) -> None:
    """First come, first served, whoever else comes at the right moment."""
    served: list[str] = []
    names = [str(number) for number in range(12)]
    go_on = trio.Event()

    async def notes(peer: Peer) -> None:
        while True:
            request = await peer.receive_request()
            served.append(peer.question(request))
            await go_on.wait()
            await peer.answer(request, f"r{len(peer.requests)}", "Hi")

    async def call(provider: SocketProvider, name: str) -> None:
        await text_of(provider, [Message.user(name)])
        await text_of(provider, [Message.user(f"{name} again")])

    handler = websocket_handler(notes)
    pool = PoolSettings(max_connections=1)
    async with (
        socket_provider(handler, section_of=section_of, pool=pool) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        for name in names:
            nursery.start_soon(call, provider, name)
            await wait_all_tasks_blocked()
        go_on.set()
    assert served == [*names, *(f"{name} again" for name in names)]


async def test_a_call_that_leaves_the_line_holds_up_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Cancelled at its head, it lets the next one look."""
    go_on = trio.Event()

    async def waits(peer: Peer) -> None:
        request = await peer.receive_request()
        await peer.begin(request, "r1")
        await go_on.wait()
        await peer.end(request, "r1")
        await answers_all(peer)

    async def give_up(provider: SocketProvider) -> None:
        with trio.move_on_after(1):
            await text_of(provider)

    async with (
        socket_provider(
            websocket_handler(waits), pool=PoolSettings(max_connections=1), quirks={"lanes": 1}
        ) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(text_of, provider)
        await wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(give_up, provider)
        await wait_all_tasks_blocked()
        nursery.start_soon(text_of, provider)
        await trio.sleep(2)
        go_on.set()
