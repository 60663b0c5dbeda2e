"""`tokenwire_trio.http_proxy`: tunnels, and proxies that dig none."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    Handler,
    MemoryNetwork,
    ServerSide,
    alerts,
    answer,
    keeps_alive,
    socket_server,
)
from tests.trio_backend.shown import chain, shown_by
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.errors import NetworkError
from tokenwire_trio import open_provider
from tokenwire_trio.tls import build_context

PROXY = "http://proxy.example:3128"
KEY = "canary-key-0123456789"
PASSWORD = "canary-0123456789"
LOGIN = ProxySettings(url=PROXY, username="me", password=PASSWORD)
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """Plays an HTTP proxy.

    Args:
        response: What it answers to CONNECT.
        server: Plays what is behind it, where there is something.
        tls: The certificate of what is behind it.

    Attributes:
        requests: The requests that it got.
    """

    def __init__(
        self, response: bytes, server: Handler | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._response = response
        self._server = server
        self._tls = tls
        self.requests: list[bytes] = []

    async def __call__(self, peer: ServerSide) -> None:
        """Play it on one connection."""
        request = b""
        while b"\r\n\r\n" not in request:
            request += await peer.stream.receive_some()
        self.requests.append(request)
        await peer.send(self._response)
        if self._server is None:
            await peer.wait_until_client_leaves()
            return
        stream = peer.stream
        if self._tls is not None:
            stream = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        await self._server(ServerSide(stream))


def section(base_url: str = "http://host.example/v1", **endpoint: Any) -> ProviderSection:
    """Describe a provider behind the proxy."""
    return provider_section(base_url, **{"proxy": PROXY, **endpoint})


async def answers(section: ProviderSection, network: MemoryNetwork, calls: int = 1) -> list[str]:
    """Make calls and read their answers."""
    texts: list[str] = []
    async with open_provider(section, dial=network) as provider:
        for _ in range(calls):
            async with provider.complete(HELLO) as stream:
                texts.append((await stream.collect()).text)
    return texts


async def refusal_by(network: MemoryNetwork, **endpoint: Any) -> NetworkError:
    """Make a call that the proxy refuses, and return its error."""
    with pytest.raises(NetworkError) as caught:
        await answers(section(**endpoint), network)
    assert [connection.closed for connection in network.connections] == [True]
    assert (caught.value.phase, caught.value.sent) == ("proxy", "nothing")
    return caught.value


async def test_a_call_goes_through_a_tunnel(nursery: trio.Nursery) -> None:
    """Also without TLS, so that there is one way; the tunnel is used for the next call."""
    proxy = Proxy(ESTABLISHED, keeps_alive(answer("a")))
    network = MemoryNetwork(nursery, proxy)
    assert await answers(section(), network, calls=2) == ["a", "a"]
    assert network.targets == [("proxy.example", 3128)]
    [request] = proxy.requests
    assert request.startswith(b"CONNECT host.example:80 HTTP/1.1\r\nhost: host.example:80\r\n")
    assert b"proxy-authorization" not in request


async def test_key_and_password_go_to_whom_they_belong(
    nursery: trio.Nursery, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """The password to the proxy only, the key through its tunnel only."""
    requests: list[bytes] = []

    async def server(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        await peer.send(answer("a"))

    proxy = Proxy(ESTABLISHED, server, server_context)
    tls = TLSSettings(ca_file=str(ca_file))
    behind = section("https://localhost/v1", proxy=LOGIN, tls=tls, credential=KEY)
    assert await answers(behind, MemoryNetwork(nursery, proxy)) == ["a"]
    login = b64encode(f"me:{PASSWORD}".encode())
    assert b"\r\nproxy-authorization: Basic " + login + b"\r\n" in proxy.requests[0]
    assert KEY.encode() not in proxy.requests[0]
    assert b"authorization: Bearer " + KEY.encode() in requests[0]
    assert login not in requests[0]
    assert b"proxy-authorization" not in requests[0]


async def test_a_proxy_may_speak_tls_itself(server_context: ssl.SSLContext, ca_file: Path) -> None:
    """Then there is TLS within TLS, and such a connection is used again as well."""
    proxy = Proxy(ESTABLISHED, keeps_alive(answer("a")), server_context)
    tls = TLSSettings(ca_file=str(ca_file))
    async with socket_server(proxy, server_context) as url:
        behind = section("https://localhost:1/v1", proxy=url.removesuffix("/v1"), tls=tls)
        async with open_provider(behind) as provider:
            await provider.warm()
            for _ in range(3):
                async with provider.complete(HELLO) as stream:
                    assert (await stream.collect()).text == "a"
    assert len(proxy.requests) == 1


@pytest.fixture
def with_certificate(
    certificate_authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> TLSSettings:
    """Give the settings of a client that has a certificate."""
    issued = certificate_authority.issue_cert("client")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    return TLSSettings(
        ca_file=str(ca_file), client_cert_file=str(certificate), client_key_file=str(key)
    )


@pytest.fixture
def asking_context(certificate_authority: trustme.CA, ca_file: Path) -> ssl.SSLContext:
    """Give a context for a server that asks for a client certificate, and can do without."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca_file))
    context.verify_mode = ssl.CERT_OPTIONAL
    certificate_authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # names pyOpenSSL's context too
    return context


class NotesCertificates:
    """Notes whether the client of a connection showed a certificate, and plays on."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.shown: list[bool] = []

    async def __call__(self, peer: ServerSide) -> None:
        """Note and play."""
        stream = peer.stream
        assert isinstance(stream, trio.SSLStream)
        await stream.do_handshake()
        self.shown.append(bool(stream.getpeercert()))
        await self._handler(peer)


@pytest.mark.parametrize("ready", [False, True])
async def test_the_client_certificate_is_shown_to_the_server_only(
    *,
    asking_context: ssl.SSLContext,
    ca_file: Path,
    with_certificate: TLSSettings,
    ready: bool,
) -> None:
    """A proxy that asks for it learns nothing, whether it is in files or in a ready context."""
    server = NotesCertificates(keeps_alive(answer("a")))
    proxy = NotesCertificates(Proxy(ESTABLISHED, server, asking_context))
    tls = with_certificate
    trusting = ssl.create_default_context(cafile=str(ca_file))
    if ready:
        tls = TLSSettings(ssl_context=build_context(tls))
    async with socket_server(proxy, asking_context) as url:
        through = ProxySettings(
            url=url.removesuffix("/v1").replace("https", "HTTPS"),
            ssl_context=trusting if ready else None,
        )
        async with streaming(section("https://localhost:1/v1", proxy=through, tls=tls)) as stream:
            assert (await stream.collect()).text == "a"
    assert (proxy.shown, server.shown) == ([False], [True])


async def test_a_proxy_that_wants_a_certificate_is_shown_one_of_its_own(
    asking_context: ssl.SSLContext, ca_file: Path, with_certificate: TLSSettings
) -> None:
    """Its context is a setting of the proxy, which the error names where it is missing."""
    asking_context.verify_mode = ssl.CERT_REQUIRED
    tls = TLSSettings(ca_file=str(ca_file))
    async with socket_server(alerts(asking_context)) as url:
        through = url.removesuffix("/v1").replace("http:", "https:")
        with pytest.raises(NetworkError, match=r"the proxy .*into proxy\.ssl_context") as caught:
            async with streaming(section(tls=tls, proxy=through)):
                pass
    assert (caught.value.phase, caught.value.sent) == ("tls", "nothing")
    own = build_context(with_certificate)
    async with socket_server(Proxy(ESTABLISHED, keeps_alive(answer("a"))), asking_context) as url:
        known = ProxySettings(url=url.removesuffix("/v1"), ssl_context=own)
        async with streaming(section(tls=tls, proxy=known)) as stream:
            assert (await stream.collect()).text == "a"


async def test_an_ipv6_address_has_brackets(nursery: trio.Nursery) -> None:
    """As the target of a request."""
    proxy = Proxy(ESTABLISHED, keeps_alive(answer("a")))
    await answers(section("http://[2001:db8::1]:81/v1"), MemoryNetwork(nursery, proxy))
    assert proxy.requests[0].startswith(b"CONNECT [2001:db8::1]:81 HTTP/1.1\r\n")


async def test_interim_responses_are_passed_over(nursery: trio.Nursery) -> None:
    """The final one counts."""
    proxy = Proxy(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ESTABLISHED, keeps_alive(answer("a")))
    assert await answers(section(), MemoryNetwork(nursery, proxy)) == ["a"]


REFUSALS = [
    (407, PROXY, False, r"wants a login \(HTTP 407\): set proxy\.username and proxy\.password"),
    (407, LOGIN, False, r"does not accept the login \(HTTP 407\): check proxy\.username"),
    (401, LOGIN, False, r"does not accept the login \(HTTP 401\): check proxy\.username"),
    (403, LOGIN, False, r"does not allow connections to host\.example:80 \(HTTP 403\)"),
    (502, PROXY, True, r"cannot connect to host\.example:80 \(HTTP 502\): is base_url right"),
    (405, PROXY, False, r"does not connect to host\.example:80 \(HTTP 405\): is it an HTTP proxy"),
    (429, PROXY, True, r"\(HTTP 429\)"),
]


@pytest.mark.parametrize(("status", "proxy", "retryable", "message"), REFUSALS)
async def test_a_refusal_says_what_to_do(
    nursery: trio.Nursery,
    status: int,
    proxy: str | ProxySettings,
    retryable: bool,
    message: str,
) -> None:
    """By its status; the body, which may be anything, is not even waited for."""
    response = b"HTTP/1.1 %d No\r\ncontent-length: 1000\r\n\r\n" % status
    network = MemoryNetwork(nursery, Proxy(response))
    error = await refusal_by(network, proxy=proxy)
    with pytest.raises(NetworkError, match=rf"the proxy proxy\.example:3128 .*{message}"):
        raise error
    assert error.retryable is retryable
    assert error.status is None  # that would be the provider's


NO_ANSWERS = {
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP/1.1 there: check proxy.url"),
    "an endless head": (
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
        "sends an answer without end",
    ),
    "a 1xx flood": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, "sends an answer without end"),
    "surplus bytes": (ESTABLISHED + b"x", "sends something ahead of the server's answer"),
}


@pytest.mark.parametrize(("response", "message"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
async def test_what_is_no_answer_is_refused(
    nursery: trio.Nursery, response: bytes, message: str
) -> None:
    """However much of it there is."""
    error = await refusal_by(MemoryNetwork(nursery, Proxy(response)))
    assert message in error.message
    assert not error.retryable


async def test_a_proxy_that_goes_is_told(nursery: trio.Nursery) -> None:
    """It may be back soon."""

    async def goes(peer: ServerSide) -> None:
        await peer.stream.receive_some()

    error = await refusal_by(MemoryNetwork(nursery, goes))
    assert "the proxy proxy.example:3128 closed the connection" in error.message
    assert error.retryable


async def test_a_silent_proxy_meets_the_connect_deadline(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The tunnel is a part of connecting."""
    network = MemoryNetwork(nursery, Proxy(b""))
    error = await refusal_by(network, deadlines=Deadlines(connect=3))
    assert error.timeout == "connect"
    assert "waiting for the proxy proxy.example:3128 to connect to the server" in error.message


async def test_a_proxy_that_cannot_be_reached_is_named_with_its_setting() -> None:
    """Not the server, which nobody has asked for yet."""
    with pytest.raises(NetworkError, match=r"the proxy 127\.0\.0\.1:1 .*proxy\.url right"):
        async with (
            open_provider(section(proxy="http://127.0.0.1:1")) as provider,
            provider.complete(HELLO),
        ):
            pass


async def test_a_proxys_bad_certificate_is_named_as_the_proxys(
    server_context: ssl.SSLContext,
) -> None:
    """With the setting that helps."""
    async with socket_server(Proxy(ESTABLISHED), server_context) as url:
        with pytest.raises(NetworkError, match=r"of the proxy localhost.*tls\.ca_file") as caught:
            async with (
                open_provider(section(proxy=url.removesuffix("/v1"))) as provider,
                provider.complete(HELLO),
            ):
                pass
    assert caught.value.phase == "tls"


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 407 No\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_no_error_shows_the_password(
    nursery: trio.Nursery, autojump_clock: MockClock, response: bytes
) -> None:
    """Not in its text, its chain, nor the local variables of its traceback's frames."""
    network = MemoryNetwork(nursery, Proxy(response))
    error = await refusal_by(network, proxy=LOGIN, deadlines=Deadlines(total=1))
    login = b64encode(f"me:{PASSWORD}".encode()).decode()
    for shown in (PASSWORD, login):
        assert shown not in shown_by(error)
    assert list(chain(error)) == [error]


ENVIRONMENT = {
    "HTTP_PROXY": f"http://me:{PASSWORD}@proxy.example:3128",
    "NO_PROXY": "direct.example",
}


@pytest.mark.parametrize(
    ("base_url", "targets"),
    [
        ("http://host.example/v1", [("proxy.example", 3128)]),
        ("http://direct.example/v1", [("direct.example", 80)]),
        ("http://localhost/v1", [("localhost", 80)]),
    ],
)
async def test_the_environment_is_asked_where_the_endpoint_says_so(
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    base_url: str,
    targets: Sequence[tuple[str, int]],
) -> None:
    """And only there."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    proxied = "proxy.example" in targets[0]
    server = keeps_alive(answer("a"))
    network = MemoryNetwork(nursery, Proxy(ESTABLISHED, server) if proxied else server)
    assert await answers(section(base_url, proxy="env"), network) == ["a"]
    assert network.targets == targets
    direct = MemoryNetwork(nursery, server)
    assert await answers(section(base_url, proxy=None), direct) == ["a"]
    assert direct.targets[0][0] == base_url.split("/")[2]


def test_an_environment_whose_proxy_is_none_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the name of the variable, without its value."""
    monkeypatch.setenv("HTTP_PROXY", f"ftp://me:{PASSWORD}@proxy.example")
    with pytest.raises(ValueError, match="variable HTTP_PROXY: url must begin") as caught:
        open_provider(section(proxy="env"))
    assert PASSWORD not in str(caught.value)
    assert list(chain(caught.value)) == [caught.value]
