"""Every way to a server of a socket API: TLS, proxies of each kind, Unix sockets."""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.servers import Handler, MemoryNetwork, ServerSide, socket_server
from tests.trio_backend.socket_routes import ALL_SOCKET_ROUTES, TEXT, SocketRoute
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    SectionOf,
    answers_all,
    ask,
    text_of,
    websocket_handler,
)
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.errors import NetworkError
from tokenwire_trio import SocketProvider
from tokenwire_trio.dialing import HAS_UNIX_SOCKETS

KEY: Final = "sk-canary-0123456789abcdef"


@pytest.mark.parametrize("route", ALL_SOCKET_ROUTES, ids=lambda route: route.name)
async def test_an_answer_comes_by_every_way(
    route: SocketRoute, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """On real sockets; a second one takes the same way, and nothing is left of it."""
    with nothing_left_behind():
        async with route.over_sockets(server_context, ca_file) as site:
            async with route.provider(site) as provider:
                assert provider.url.startswith("wss:" if route.tls else "ws:")
                for _ in range(2):
                    assert await route.ask(provider) == TEXT
                    assert connections_to(site.entrance) == 1
            assert connections_to(site.entrance) == 0


def _says(*replies: bytes) -> Handler:
    """Make a proxy that says one of these whenever something comes."""

    async def handler(side: ServerSide) -> None:
        for reply in replies:
            side.request += await side.stream.receive_some()
            await side.send(reply)
        await side.wait_until_client_leaves()

    return handler


@pytest.mark.parametrize(
    ("scheme", "replies", "message", "retryable"),
    [
        (
            "http",
            (b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\n\r\n",),
            "wants a login",
            False,
        ),
        ("http", (b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n",), "502", True),
        ("socks5h", (b"\x05\xff",), "login", False),
        ("socks5h", (b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)), "refused", True),
    ],
)
@BOTH_WIRES
async def test_a_proxy_that_refuses_is_named(
    section_of: SectionOf, scheme: str, replies: tuple[bytes, ...], message: str, retryable: bool
) -> None:
    """As the proxy's refusal, which is not the server's; the key never went out."""
    sides: list[ServerSide] = []

    async def handler(side: ServerSide) -> None:
        sides.append(side)
        await _says(*replies)(side)

    section = section_of(credential=KEY, proxy=f"{scheme}://proxy.example", allow_plaintext=True)
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, handler)
        async with SocketProvider(section, dial=network) as provider:
            with pytest.raises(NetworkError, match=message) as caught:
                await text_of(provider)
        assert [each.closed for each in network.connections] == [True]
        nursery.cancel_scope.cancel()
    error = caught.value
    assert (error.phase, error.sent, error.retryable) == ("proxy", "nothing", retryable)
    assert error.__cause__ is error.__context__ is None
    assert KEY.encode() not in sides[0].request


@BOTH_WIRES
async def test_a_silent_proxy_meets_the_connect_deadline(
    section_of: SectionOf, autojump_clock: MockClock
) -> None:
    """Calls that wait for the same connection fail with it."""

    async def fail(provider: SocketProvider) -> None:
        with pytest.raises(NetworkError) as caught:
            await text_of(provider)
        assert (caught.value.phase, caught.value.timeout) == ("proxy", "connect")

    section = section_of(proxy="http://proxy.example", deadlines=Deadlines(connect=3))
    async with trio.open_nursery() as serving:
        network = MemoryNetwork(serving, _says())
        async with (
            SocketProvider(section, dial=network) as provider,
            trio.open_nursery() as nursery,
        ):
            for _ in range(3):
                nursery.start_soon(fail, provider)
        serving.cancel_scope.cancel()


@BOTH_WIRES
async def test_the_proxys_password_is_not_the_servers(
    section_of: SectionOf, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """The proxy gets its login, and no more than the host's name of what goes through it."""
    requests: list[bytes] = []

    async def proxy(side: ServerSide) -> None:
        while b"\r\n\r\n" not in side.request:
            side.request += await side.stream.receive_some()
        requests.append(side.request)
        await side.send(b"HTTP/1.1 200 Established\r\n\r\n")
        secure = trio.SSLStream(side.stream, server_context, server_side=True)
        while b"\r\n\r\n" not in b"".join(requests[1:]):
            requests.append(bytes(await secure.receive_some()))

    login = ProxySettings(url="http://proxy.example", username="me", password="pw-of-the-proxy")
    tls = TLSSettings(ca_file=str(ca_file))
    section = section_of("https://localhost/v1", credential=KEY, proxy=login, tls=tls)
    async with trio.open_nursery() as nursery:
        async with SocketProvider(section, dial=MemoryNetwork(nursery, proxy)) as provider:
            with suppress(NetworkError):
                await text_of(provider)
        nursery.cancel_scope.cancel()
    assert requests[0].startswith(b"CONNECT localhost:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: Basic" in requests[0]
    assert KEY.encode() not in requests[0]
    through_it = b"".join(requests[1:])
    assert b"authorization: Bearer " + KEY.encode() in through_it
    assert b"proxy-authorization" not in through_it.lower()


@BOTH_WIRES
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    section_of: SectionOf, server_context: ssl.SSLContext
) -> None:
    """Before the key goes out, with the setting that helps."""
    async with (
        socket_server(websocket_handler(answers_all), server_context) as url,
        SocketProvider(section_of(url, credential=KEY)) as provider,
    ):
        with pytest.raises(NetworkError, match=r"tls\.ca_file") as caught:
            await text_of(provider)
    assert (caught.value.phase, caught.value.sent) == ("tls", "nothing")


@pytest.mark.skipif(not HAS_UNIX_SOCKETS, reason="this system has no Unix sockets")
@BOTH_WIRES
async def test_a_server_may_be_behind_a_unix_socket(section_of: SectionOf, tmp_path: Path) -> None:
    """Its name stands in the URL all the same."""
    path = tmp_path / "server.sock"
    handler = websocket_handler(answers_all)

    async def play(stream: trio.SocketStream) -> None:
        await handler(ServerSide(stream))

    listening = trio.socket.socket(trio.socket.AF_UNIX)
    await listening.bind(str(path))
    listening.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, play, [trio.SocketListener(listening)]))
        async with SocketProvider(section_of(unix_socket=str(path))) as provider:
            assert await ask(provider, "Hello") == "Hello"
        nursery.cancel_scope.cancel()
    listening.close()
