"""`tokenwire_trio.socks_proxy`: SOCKS5, byte for byte."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
import trio

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    Handler,
    MemoryNetwork,
    ServerSide,
    answer,
    keeps_alive,
    socket_server,
)
from tests.trio_backend.test_secrets import chain, everything_shown
from tokenwire.config import ConfigError
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
    assert PASSWORD not in everything_shown(error)
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
