"""`tokenwire_trio.socks_proxy`: SOCKS5, byte for byte."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
import trio

from tests.trio_backend.leaks import connections_to
from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    Handler,
    MemoryNetwork,
    ServerSide,
    answer,
    keeps_alive,
    socket_server,
)
from tests.trio_backend.shown import chain, shown_by
from tokenwire.config import ConfigError, ProviderSection
from tokenwire.connection_settings import ProxySettings
from tokenwire.errors import NetworkError
from tokenwire_trio import open_provider

PASSWORD = "canary-0123456789"
PROXY = "socks5h://proxy.example"
LOGIN = ProxySettings(url=PROXY, username="me", password=PASSWORD)

GREETING, GREETING_WITH_LOGIN = b"\5\1\0", b"\5\2\0\2"
LOGIN_REQUEST = b"\1\2me\x11" + PASSWORD.encode()
CONNECT_BY_NAME = b"\5\1\0\3\x0chost.example\0\x50"
CONNECTED = b"\5\0\0\1\x7f\0\0\1\x04\x38"


class Proxy:
    """Plays a SOCKS proxy: reads so many bytes, says this, and so on.

    Args:
        dialogue: What it expects, and what it says then.
        bytewise: It says that byte by byte.

    Attributes:
        received: What it read in each turn.
    """

    def __init__(self, *dialogue: tuple[bytes, bytes], bytewise: bool = False) -> None:
        self._dialogue = dialogue
        self._bytewise = bytewise
        self.received: list[bytes] = []

    async def __call__(self, peer: ServerSide) -> None:
        """Play it on one connection, and the server behind it."""
        for expected, reply in self._dialogue:
            data = b""
            while len(data) < len(expected):
                data += await peer.stream.receive_some(len(expected) - len(data))
            self.received.append(data)
            step = 1 if self._bytewise else max(len(reply), 1)
            for start in range(0, len(reply), step):
                await peer.send(reply[start : start + step])
                await trio.testing.wait_all_tasks_blocked()
        await keeps_alive(answer("a"))(peer)


async def ask(network: MemoryNetwork, **endpoint: Any) -> str:
    """Make a call through the proxy."""
    section = provider_section(**{"base_url": "http://host.example/v1", "proxy": PROXY, **endpoint})
    async with (
        open_provider(section, dial=network) as provider,
        provider.complete(HELLO) as stream,
    ):
        return (await stream.collect()).text


async def refusal_by(nursery: trio.Nursery, handler: Handler, **endpoint: Any) -> NetworkError:
    """Make a call that the proxy refuses, and return its error."""
    network = MemoryNetwork(nursery, handler)
    with pytest.raises(NetworkError) as caught:
        await ask(network, **endpoint)
    assert [connection.closed for connection in network.connections] == [True]
    error = caught.value
    assert (error.phase, error.sent) == ("proxy", "nothing")
    assert error.message.startswith("the proxy proxy.example:1080 ")
    assert PASSWORD not in shown_by(error)
    assert list(chain(error)) == [error]
    return error


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize(
    "reply",
    [CONNECTED, b"\5\0\0\4" + bytes(18), b"\5\0\0\3\5local\0\x50"],
    ids=["IPv4", "IPv6", "name"],
)
async def test_the_proxy_looks_up_the_name(
    nursery: trio.Nursery, reply: bytes, bytewise: bool
) -> None:
    """With socks5h; whatever address it is bound to, not a byte of the answer is taken for it."""
    proxy = Proxy((GREETING, b"\5\0"), (CONNECT_BY_NAME, reply), bytewise=bytewise)
    network = MemoryNetwork(nursery, proxy)
    assert await ask(network) == "a"
    assert network.targets == [("proxy.example", 1080)]
    assert proxy.received == [GREETING, CONNECT_BY_NAME]


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", b"\1\xc0\0\2\1"), ("[2001:db8::1]", b"\4\x20\1\x0d\xb8" + bytes(11) + b"\1")],
)
async def test_addresses_are_sent_as_such(nursery: trio.Nursery, host: str, address: bytes) -> None:
    """Of either family."""
    request = b"\5\1\0" + address + b"\0\x50"
    proxy = Proxy((GREETING, b"\5\0"), (request, CONNECTED))
    assert await ask(MemoryNetwork(nursery, proxy), base_url=f"http://{host}/v1") == "a"
    assert proxy.received[1] == request


async def test_with_socks5_this_machine_looks_up_the_name() -> None:
    """The proxy gets an address."""
    request = b"\5\1\0\1\x7f\0\0\1\0\x50"
    proxy = Proxy((GREETING, b"\5\0"), (request, CONNECTED))
    async with socket_server(proxy) as url:
        through = url.removesuffix("/v1").replace("http:", "socks5:")
        section = provider_section("http://127.0.0.1/v1", proxy=through)
        async with streaming(section) as stream:
            assert (await stream.collect()).text == "a"
    assert proxy.received[1] == request


class TwoAddresses(trio.abc.HostnameResolver):
    """Knows one name, which has an address of either family."""

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        """Look it up."""
        assert host == b"host.example"
        kind, protocol = trio.socket.SOCK_STREAM, trio.socket.IPPROTO_TCP
        return [
            (trio.socket.AF_INET6, kind, protocol, "", ("2001:db8::1", port, 0, 0)),
            (trio.socket.AF_INET, kind, protocol, "", ("192.0.2.1", port)),
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        """Nobody asks."""
        raise NotImplementedError


@asynccontextmanager
async def proxy_of_two_addresses(handler: Handler) -> AsyncGenerator[ProviderSection, None]:
    """Serve as a proxy, and describe a provider behind it whose name has two addresses."""
    trio.socket.set_custom_hostname_resolver(TwoAddresses())
    try:
        async with socket_server(handler) as url:
            through = url.removesuffix("/v1").replace("http://localhost", "SOCKS5://127.0.0.1")
            yield provider_section("http://host.example", proxy=through)
    finally:
        trio.socket.set_custom_hostname_resolver(None)


BY_IPV6 = b"\5\1\0\4\x20\1\x0d\xb8" + bytes(11) + b"\1\0\x50"
BY_IPV4 = b"\5\1\0\1\xc0\0\2\1\0\x50"
UNREACHABLE, REFUSED = (b"\5" + code + CONNECTED[2:] for code in (b"\3", b"\5"))


async def test_where_the_proxy_cannot_reach_an_address_it_gets_the_next() -> None:
    """On another connection: it ends the one on which it refused."""
    proxies = iter(
        [
            Proxy((GREETING, b"\5\0"), (BY_IPV6, UNREACHABLE)),
            Proxy((GREETING, b"\5\0"), (BY_IPV4, CONNECTED)),
        ]
    )

    async def next_proxy(peer: ServerSide) -> None:
        await next(proxies)(peer)

    async with proxy_of_two_addresses(next_proxy) as section:
        async with streaming(section) as stream:
            assert (await stream.collect()).text == "a"
        assert isinstance(section.endpoint.proxy, ProxySettings)
        assert connections_to(section.endpoint.proxy.url) == 0
    assert list(proxies) == []


async def test_a_server_of_which_no_address_can_be_reached_is_told_with_all_of_them() -> None:
    """So that IPv6 does not hide what is wrong with IPv4."""
    replies = iter([(BY_IPV6, UNREACHABLE), (BY_IPV4, REFUSED)])

    async def next_proxy(peer: ServerSide) -> None:
        await Proxy((GREETING, b"\5\0"), next(replies))(peer)

    async with proxy_of_two_addresses(next_proxy) as section:
        with pytest.raises(NetworkError) as caught:
            async with streaming(section):
                pass
    assert caught.value.retryable
    assert caught.value.message.endswith(
        " does not connect to port 80 of 2001:db8::1 (network unreachable),"
        " does not connect to port 80 of 192.0.2.1 (connection refused)"
    )


async def test_a_proxy_that_does_not_let_us_in_is_asked_for_one_address_only() -> None:
    """It says the same to the next one, and repeated logins lock people out."""
    visits = 0

    async def closed_proxy(peer: ServerSide) -> None:
        nonlocal visits
        visits += 1
        await Proxy((GREETING, b"\5\xff"))(peer)

    async with proxy_of_two_addresses(closed_proxy) as section:
        with pytest.raises(NetworkError, match="wants a login"):
            async with streaming(section):
                pass
    assert visits == 1


async def test_a_login_is_sent_where_the_proxy_wants_one(nursery: trio.Nursery) -> None:
    """As RFC 1929 says."""
    proxy = Proxy(
        (GREETING_WITH_LOGIN, b"\5\2"), (LOGIN_REQUEST, b"\1\0"), (CONNECT_BY_NAME, CONNECTED)
    )
    assert await ask(MemoryNetwork(nursery, proxy), proxy=LOGIN) == "a"
    assert proxy.received == [GREETING_WITH_LOGIN, LOGIN_REQUEST, CONNECT_BY_NAME]


async def test_a_login_is_not_sent_where_the_proxy_wants_none(nursery: trio.Nursery) -> None:
    """The proxy chooses."""
    proxy = Proxy((GREETING_WITH_LOGIN, b"\5\0"), (CONNECT_BY_NAME, CONNECTED))
    assert await ask(MemoryNetwork(nursery, proxy), proxy=LOGIN) == "a"


@pytest.mark.parametrize(
    ("proxy", "settings", "message"),
    [
        (Proxy((GREETING, b"\5\xff")), PROXY, "wants a login: set proxy.username"),
        (Proxy((GREETING, b"\5\2")), PROXY, "wants a login: set proxy.username"),
        (Proxy((GREETING_WITH_LOGIN, b"\5\xff")), LOGIN, "does not take a user name"),
        (
            Proxy((GREETING_WITH_LOGIN, b"\5\2"), (LOGIN_REQUEST, b"\1\1")),
            LOGIN,
            "does not accept the login: check proxy.username and proxy.password",
        ),
        (Proxy((GREETING, b"HT")), PROXY, "does not speak SOCKS5 there: check proxy.url"),
        (
            Proxy((GREETING, b"\5\0"), (CONNECT_BY_NAME, b"\5\0\0\7\0\0")),
            PROXY,
            "does not speak SOCKS5 there: check proxy.url",
        ),
        (
            Proxy((GREETING, b"\5\0"), (CONNECT_BY_NAME, b"\5\x63" + CONNECTED[2:])),
            PROXY,
            "does not speak SOCKS5 there: check proxy.url",
        ),
    ],
)
async def test_a_proxy_that_does_not_let_us_in_says_what_to_do(
    nursery: trio.Nursery, proxy: Proxy, settings: Any, message: str
) -> None:
    """It will not do so next time either."""
    error = await refusal_by(nursery, proxy, proxy=settings)
    assert message in error.message
    assert not error.retryable


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        (1, "general server failure", True),
        (2, "connection not allowed by ruleset", False),
        (4, "host unreachable", True),
        (5, "connection refused", True),
        (8, "address type not supported", False),
    ],
)
async def test_a_refused_connection_has_its_reason(
    nursery: trio.Nursery, code: int, reason: str, retryable: bool
) -> None:
    """Those of RFC 1928."""
    reply = b"\5" + bytes([code]) + CONNECTED[2:]
    proxy = Proxy((GREETING, b"\5\0"), (CONNECT_BY_NAME, reply))
    error = await refusal_by(nursery, proxy)
    assert f"does not connect to port 80 of host.example ({reason})" in error.message
    assert error.retryable is retryable


async def test_a_proxy_that_goes_is_told(nursery: trio.Nursery) -> None:
    """It may be back soon."""

    async def goes(peer: ServerSide) -> None:
        await peer.stream.receive_some()

    error = await refusal_by(nursery, goes)
    assert "closed the connection without an answer" in error.message
    assert error.retryable


async def test_a_name_too_long_for_the_protocol_is_told(nursery: trio.Nursery) -> None:
    """Its length has one byte."""
    proxy = Proxy((GREETING, b"\5\0"))
    host = ".".join(["x" * 60] * 5)
    error = await refusal_by(nursery, proxy, base_url=f"http://{host}/v1")
    assert "no host name of that length" in error.message


async def test_without_the_package_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is dialed."""
    find_spec = importlib.util.find_spec

    def find_all_but_socksio(name: str) -> ModuleSpec | None:
        return None if name == "socksio" else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_all_but_socksio)
    async with open_provider(provider_section("https://host.example", proxy=PROXY)) as provider:
        with pytest.raises(ConfigError, match=r"tokenwire\[socks\]"):
            async with provider.complete(HELLO):
                pass
