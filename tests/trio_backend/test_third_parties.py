"""Through servers and proxies that others wrote: nginx, tinyproxy, microsocks, llama.cpp."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
import trio

from tests.conftest import TLSServer
from tests.third_party import Nginx, free_ports, running_nginx, running_proxy
from tests.trio_backend.leaks import connections_to, nothing_left_behind
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import (
    STREAM_HEAD,
    Handler,
    ServerSide,
    chunk,
    text_event,
)
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import PoolSettings, ProxySettings
from tokenwire.endpoint import TLSSettings
from tokenwire.errors import (
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio import HTTPProvider, open_provider

BRIEFLY = ProviderConfig(max_output_tokens=4)
LOGIN = "me:canary-0123456789"


async def ask(provider: HTTPProvider, config: ProviderConfig = BRIEFLY) -> str:
    """Make a call and read its answer to the end."""
    async with provider.complete(HELLO, config) as stream:
        return (await stream.collect()).text


async def error_of(section: ProviderSection, prompt: str = "Hello") -> ProviderError:
    """Make a call that fails, and return its error."""
    async with open_provider(section) as provider:
        with pytest.raises(ProviderError) as caught:
            async with provider.complete([Message.user(prompt)], BRIEFLY) as stream:
                await stream.collect()
    return caught.value


# nginx in front of a real model


@pytest.fixture(scope="session")
def nginx(llama_url: str, servers_home: Path) -> Iterator[Nginx]:
    """Give nginx in front of llama.cpp."""
    upstream_port = urlsplit(llama_url).port
    assert upstream_port is not None
    with running_nginx(upstream_port, servers_home) as nginx:
        yield nginx


@pytest.mark.parametrize(("offset", "scheme"), [(0, "https"), (1, "http"), (2, "http")])
async def test_answers_come_through_nginx(nginx: Nginx, offset: int, scheme: str) -> None:
    """Over TLS or not, buffered or not, one connection serves them all."""
    url = nginx.url(offset, scheme)
    section = provider_section(url, tls=TLSSettings(ca_file=nginx.ca_file))
    with nothing_left_behind():
        async with open_provider(section) as provider:
            for _ in range(5):
                assert await ask(provider)
                assert connections_to(url) == 1


async def test_a_warm_connection_to_nginx_is_used(nginx: Nginx) -> None:
    """The tickets that it sends after the handshake are no surplus bytes."""
    section = provider_section(nginx.url(0, "https"), tls=TLSSettings(ca_file=nginx.ca_file))
    async with open_provider(section) as provider:
        await provider.warm()
        async with provider.complete(HELLO, BRIEFLY) as stream:
            assert (await stream.collect()).text
        assert stream.response.timings.connect is None


async def test_compression_is_refused(nginx: Nginx) -> None:
    """Where a header of the endpoint asks for it, so that nginx compresses."""
    section = provider_section(nginx.url(2), headers={"accept-encoding": "gzip"})
    error = await error_of(section)
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.status) == ("content_encoding", 200)


@pytest.mark.parametrize(("offset", "message"), [(5, "for another host"), (6, "has expired")])
async def test_nginxs_bad_certificates_are_told_apart(
    nginx: Nginx, offset: int, message: str
) -> None:
    """Each by what is wrong with it."""
    tls = TLSSettings(ca_file=nginx.ca_file)
    error = await error_of(provider_section(nginx.url(offset, "https"), tls=tls))
    assert isinstance(error, NetworkError)
    assert (error.phase, error.sent, error.retryable) == ("tls", "nothing", False)
    assert message in error.message


async def test_an_unknown_authority_is_told(nginx: Nginx) -> None:
    """With the setting that helps."""
    error = await error_of(provider_section(nginx.url(0, "https")))
    assert "tls.ca_file" in error.message


async def test_nginx_lets_in_who_has_a_certificate(nginx: Nginx) -> None:
    """Its page for all others is an error with its status and title."""
    folder = nginx.certificates
    url = nginx.url(7, "https")
    tls = TLSSettings(
        ca_file=nginx.ca_file,
        client_cert_file=str(folder / "client.pem"),
        client_key_file=str(folder / "client.key"),
    )
    async with open_provider(provider_section(url, tls=tls)) as provider:
        assert await ask(provider)
    error = await error_of(provider_section(url, tls=TLSSettings(ca_file=nginx.ca_file)))
    assert error.status == 400
    assert "No required SSL certificate was sent" in error.message


async def test_a_page_of_nginx_becomes_an_error(nginx: Nginx) -> None:
    """502, and it may pass."""
    error = await error_of(provider_section(nginx.url(4)))
    assert isinstance(error, OtherError)
    assert (error.status, error.kind, error.retryable) == (502, "server", True)
    assert "502 Bad Gateway" in error.message
    assert "<" not in error.message


async def test_a_redirect_of_nginx_is_not_followed(nginx: Nginx) -> None:
    """It says where it leads."""
    error = await error_of(provider_section(nginx.url(8), credential="canary-key"))
    assert isinstance(error, OtherError)
    assert (error.status, error.kind) == (307, "redirect")
    assert nginx.url(1) in error.message


async def test_nginxs_rate_limit_is_a_rate_limit(nginx: Nginx) -> None:
    """Its page says nothing, but its status does."""
    async with open_provider(provider_section(nginx.url(9))) as provider:
        errors: list[ProviderError] = []
        for _ in range(3):
            try:
                await ask(provider)
            except RateLimitError as error:
                errors.append(error)
        assert [error.status for error in errors] in ([429] * 2, [429] * 3)


async def test_nginx_refuses_what_is_too_long_for_it(nginx: Nginx) -> None:
    """Also where it does so while the request is still being sent."""
    for length in (3_000, 3_000_000):
        error = await error_of(provider_section(nginx.url(10)), "x" * length)
        assert error.status == 413


# nginx in front of a server of ours


@pytest.fixture(scope="session")
def behind_nginx(servers_home: Path) -> Iterator[tuple[Nginx, int]]:
    """Give nginx, and the port of the server that it asks."""
    upstream_port = free_ports(1)
    with running_nginx(upstream_port, servers_home) as nginx:
        yield nginx, upstream_port


@asynccontextmanager
async def serving(handler: Handler, port: int) -> AsyncGenerator[None, None]:
    """Serve on a port for as long as the block lasts."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await handler(ServerSide(stream))

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, serve, port, host="127.0.0.1"))
        yield
        nursery.cancel_scope.cancel()


async def is_silent(peer: ServerSide) -> None:
    """Read the request and say nothing."""
    await peer.read_request()
    await peer.wait_until_client_leaves()


async def stalls(peer: ServerSide) -> None:
    """Stop in mid-answer."""
    await peer.read_request()
    await peer.send(STREAM_HEAD + chunk(text_event("a")))
    await peer.wait_until_client_leaves()


async def breaks_off(peer: ServerSide) -> None:
    """Close the connection in mid-answer."""
    await peer.read_request()
    await peer.send(STREAM_HEAD + chunk(text_event("a")))


async def test_a_silent_server_behind_nginx_is_a_timeout(behind_nginx: tuple[Nginx, int]) -> None:
    """It gives up after its second, with a page."""
    nginx, port = behind_nginx
    async with serving(is_silent, port):
        error = await error_of(provider_section(nginx.url(3)))
    assert isinstance(error, OtherError)
    assert (error.status, error.kind) == (504, "timeout")
    assert "504 Gateway Time-out" in error.message


@pytest.mark.parametrize(("handler", "offset"), [(stalls, 3), (breaks_off, 1), (breaks_off, 0)])
async def test_an_answer_that_nginx_cuts_off_is_no_whole_one(
    behind_nginx: tuple[Nginx, int], handler: Handler, offset: int
) -> None:
    """Whether it lost its patience or its server; what had come is there."""
    nginx, port = behind_nginx
    scheme = "http" if offset else "https"
    section = provider_section(nginx.url(offset, scheme), tls=TLSSettings(ca_file=nginx.ca_file))
    async with (
        serving(handler, port),
        open_provider(section) as provider,
        provider.complete(HELLO) as stream,
    ):
        with pytest.raises(NetworkError) as caught:
            await stream.collect()
        assert stream.partial().text == "a"
        assert connections_to(nginx.url(offset)) == 0
    assert (caught.value.phase, caught.value.tokens_emitted) == ("body", 1)


# Proxies


Ends: TypeAlias = tuple[str, dict[str, Any]]


@pytest.fixture(params=["http", "https"])
def ends(request: pytest.FixtureRequest) -> Ends:
    """Give the URL of a real model, once over TCP and once over TLS, and what to trust."""
    if request.param == "http":
        return request.getfixturevalue("llama_url"), {}
    server: TLSServer = request.getfixturevalue("llama_tls")
    return server.base_url, {"tls": TLSSettings(ca_file=str(server.ca_file))}


@pytest.fixture(scope="session", params=["tinyproxy", "socks5"])
def open_proxy(request: pytest.FixtureRequest, servers_home: Path) -> Iterator[tuple[str, int]]:
    """Give a proxy for everybody: its name and port."""
    with running_proxy(request.param, servers_home) as port:
        yield request.param, port


@pytest.fixture(scope="session", params=["tinyproxy", "socks5"])
def closed_proxy(request: pytest.FixtureRequest, servers_home: Path) -> Iterator[tuple[str, int]]:
    """Give a proxy that wants a login: its name and port."""
    with running_proxy(request.param, servers_home, LOGIN) as port:
        yield request.param, port


def urls_of(proxy: tuple[str, int]) -> list[str]:
    """Return the URLs by which a proxy is spoken to."""
    name, port = proxy
    schemes = ["http"] if name == "tinyproxy" else ["socks5", "socks5h"]
    return [f"{scheme}://127.0.0.1:{port}" for scheme in schemes]


async def test_answers_come_through_a_proxy(open_proxy: tuple[str, int], ends: Ends) -> None:
    """Every byte of them."""
    url, settings = ends
    for proxy in urls_of(open_proxy):
        section = provider_section(url, proxy=proxy, **settings)
        with nothing_left_behind():
            async with (
                open_provider(section) as provider,
                provider.complete(HELLO, BRIEFLY) as stream,
            ):
                assert (connections_to(proxy), connections_to(url)) == (1, 0)
                assert (await stream.collect()).text


async def test_a_proxy_lets_in_who_has_the_password(
    closed_proxy: tuple[str, int], ends: Ends
) -> None:
    """It says what is missing to others, and what to check to those with a wrong one."""
    url, settings = ends
    username, _, password = LOGIN.partition(":")
    for proxy in urls_of(closed_proxy):
        right = ProxySettings(url=proxy, username=username, password=password)
        async with open_provider(provider_section(url, proxy=right, **settings)) as provider:
            assert await ask(provider)
        wrong = ProxySettings(url=proxy, username=username, password="canary-9876543210")
        for settings_of_proxy, message in ((wrong, "not accept"), (proxy, "wants a login")):
            error = await error_of(provider_section(url, proxy=settings_of_proxy, **settings))
            assert isinstance(error, NetworkError)
            assert (error.phase, error.sent, error.retryable) == ("proxy", "nothing", False)
            assert message in error.message
            assert "proxy.username" in error.message
            assert "canary" not in repr(error)


async def test_a_server_that_the_proxy_cannot_reach_is_told(open_proxy: tuple[str, int]) -> None:
    """As the proxy's failure, not the proxy's absence."""
    for proxy in urls_of(open_proxy):
        error = await error_of(provider_section("http://127.0.0.1:1/v1", proxy=proxy))
        assert isinstance(error, NetworkError)
        assert (error.phase, error.retryable) == ("proxy", True)
        assert "127.0.0.1" in error.message


# llama.cpp


async def test_a_server_that_ends_connections_against_its_word_is_no_trouble(
    llama_url: str,
) -> None:
    """It announces to keep them for 100 requests, and ends each after one streamed answer."""
    async with open_provider(provider_section(llama_url)) as provider:
        for _ in range(250):
            assert await ask(provider, ProviderConfig(max_output_tokens=1))


async def test_a_server_that_ends_idle_connections_is_no_trouble(llama_url: str) -> None:
    """Kept for longer than the server's five seconds, they are found stale in time."""
    pool = PoolSettings(idle_expiry=60)
    async with open_provider(provider_section(llama_url, pool=pool)) as provider:
        await provider.warm(3)
        await trio.sleep(6)  # the server's time can't be made to pass faster
        for _ in range(3):
            assert await ask(provider)
