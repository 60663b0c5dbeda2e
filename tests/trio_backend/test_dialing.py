"""`tokenwire_trio.dialing`: from a URL to a connected stream."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import Handler, ServerSide, answer, keeps_alive, socket_server
from tests.trio_backend.socket_routes import SOCKET_ROUTES, TEXT
from tokenwire.config import ConfigError
from tokenwire.endpoint import Endpoint, TLSSettings
from tokenwire.errors import NetworkError
from tokenwire_trio import dialing, open_provider
from tokenwire_trio.dialing import Dialer
from tokenwire_trio.progress import Progress
from tokenwire_trio.tls_stream import TLSStream


async def test_a_dialed_stream_is_closed_where_tls_fails(nursery: trio.Nursery) -> None:
    """A handshake that does not come about leaves no open stream."""
    client, server = trio.testing.memory_stream_pair()

    async def dial(host: str, port: int) -> trio.abc.Stream:
        return client

    dialer = Dialer(Endpoint(base_url="https://host.example"), dial=dial)
    progress = Progress("host.example:443")
    await server.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(OSError, match="SSL"):
        await dialer.open(progress)
    assert progress.phase == "tls"
    with pytest.raises(trio.ClosedResourceError):
        await client.receive_some()


async def test_only_so_many_handshakes_are_under_way_at_a_time(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL takes most memory meanwhile. Where one ends, the next begins."""
    servers = _begin_handshakes(5, 2, nursery, monkeypatch)
    for ended in range(5):
        await trio.testing.wait_all_tasks_blocked()
        assert len(servers) == min(5, ended + 2)
        await servers[ended].send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def test_no_handshake_waits_for_ever_for_others(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Some servers behind an address may answer none, while the others do."""
    servers = _begin_handshakes(5, 2, nursery, monkeypatch)
    await trio.sleep(dialing.HANDSHAKE_TURN_S + 1)
    assert len(servers) == 5
    for server in servers:
        await server.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _begin_handshakes(
    count: int, at_once: int, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> list[trio.abc.Stream]:
    """Open streams that will fail, and return the server's ends of those that are so far."""
    servers: list[trio.abc.Stream] = []

    async def dial(host: str, port: int) -> trio.abc.Stream:
        client, server = trio.testing.memory_stream_pair()

        async def begin() -> None:
            servers.append(server)

        client.send_stream.send_all_hook = begin
        return client

    async def open_in_vain() -> None:
        with pytest.raises(OSError, match="SSL"):
            await dialer.open(Progress("host.example:443"))

    monkeypatch.setattr(dialing, "HANDSHAKES_AT_ONCE", at_once)
    dialer = Dialer(Endpoint(base_url="https://host.example"), dial=dial)
    for _ in range(count):
        nursery.start_soon(open_in_vain)
    return servers


@pytest.mark.parametrize("trio_tls", [False, True])
async def test_tls_is_trios_on_request(
    trio_tls: bool, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Ours is quicker, and still reads when it can't write any more."""
    async with socket_server(keeps_alive(answer("a")), server_context) as url:
        endpoint = Endpoint(base_url=url, tls=TLSSettings(ca_file=str(ca_file)))
        stream = await Dialer(endpoint, trio_tls=trio_tls).open(Progress("localhost"))
        await trio.aclose_forcefully(stream)
    assert isinstance(stream, trio.SSLStream) == trio_tls


async def test_sockets_go_over_trios_tls_as_well(
    server_context: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ask for it in the same way."""
    monkeypatch.delattr(TLSStream, "do_handshake")
    route = next(route for route in SOCKET_ROUTES if route.tls)
    async with (
        route.over_sockets(server_context, ca_file) as site,
        open_provider(site.section, trio_tls=True) as provider,
        provider.complete(route.messages) as stream,
    ):
        assert (await stream.collect()).text == TEXT


async def test_a_unix_socket_takes_the_place_of_host_and_port(tmp_path: Path) -> None:
    """The URL still says what the host is called, and a key may travel."""
    path = str(tmp_path / "llm.sock")
    requests: list[bytes] = []

    async def server(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        await peer.send(answer("a"))

    section = provider_section("http://host.example/v1", unix_socket=path, credential="key-12345")
    async with unix_server(server, path), streaming(section) as stream:
        assert (await stream.collect()).text == "a"
    assert b"\r\nhost: host.example\r\n" in requests[0].lower()


async def test_tls_may_go_over_a_unix_socket(
    tmp_path: Path, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """The certificate is for the URL's host."""
    path = str(tmp_path / "llm.sock")

    async def server(peer: ServerSide) -> None:
        secure = trio.SSLStream(peer.stream, server_context, server_side=True)
        await keeps_alive(answer("a"))(ServerSide(secure))

    tls = TLSSettings(ca_file=str(ca_file))
    section = provider_section("https://localhost/v1", unix_socket=path, tls=tls)
    async with unix_server(server, path), open_provider(section) as provider:
        for _ in range(2):
            async with provider.complete(HELLO) as stream:
                assert (await stream.collect()).text == "a"


async def test_a_unix_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With its path and its setting."""
    section = provider_section(unix_socket=str(tmp_path / "none.sock"))
    with pytest.raises(
        NetworkError, match=r"none\.sock: no such file.*unix_socket right"
    ) as caught:
        async with streaming(section):
            pass
    assert (caught.value.phase, caught.value.retryable) == ("tcp", True)


async def test_a_system_without_unix_sockets_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is tried."""
    monkeypatch.setattr(dialing, "HAS_UNIX_SOCKETS", False)
    with pytest.raises(ConfigError, match="unix_socket: this system has none"):
        async with streaming(provider_section(unix_socket="/run/llm.sock")):
            pass


@asynccontextmanager
async def unix_server(handler: Handler, path: str) -> AsyncGenerator[None, None]:
    """Serve on a Unix socket for as long as the block lasts."""
    with trio.socket.socket(trio.socket.AF_UNIX) as listening:
        await listening.bind(path)
        listening.listen()
        listener = trio.SocketListener(listening)

        async def serve(stream: trio.SocketStream) -> None:
            async with stream:
                with suppress(trio.BrokenResourceError):
                    await handler(ServerSide(stream))

        async with trio.open_nursery() as nursery:
            # The listener is bound already: connections wait for it.
            nursery.start_soon(trio.serve_listeners, serve, [listener])  # noqa: ASYNC113  # see above
            yield
            nursery.cancel_scope.cancel()
