"""What clients may do on their own account, and this one never does."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import MemoryNetwork, ServerSide, answer, keeps_alive
from tokenwire.errors import OtherError
from tokenwire_trio import open_provider

REDIRECT = (
    b"HTTP/1.1 308 Permanent Redirect\r\nlocation: /v2/chat/completions\r\n"
    b"content-length: 0\r\n\r\n"
)


class Notes:
    """Gives every request the same response, and notes it.

    Attributes:
        requests: The requests, in lower case.
    """

    def __init__(self, response: bytes) -> None:
        self._response = response
        self.requests: list[bytes] = []

    async def __call__(self, peer: ServerSide) -> None:
        """Play it on one connection."""
        while request := await peer.receive_request():
            self.requests.append(request.lower())
            await peer.send(self._response)


async def test_no_cookie_is_sent_back(nursery: trio.Nursery) -> None:
    """A provider's calls have nothing in common but connections."""
    with_cookie = answer("a").replace(b"\r\n\r\n", b"\r\nset-cookie: id=1\r\n\r\n", 1)
    server = Notes(with_cookie)
    async with open_provider(provider_section(), dial=MemoryNetwork(nursery, server)) as provider:
        for _ in range(2):
            async with provider.complete(HELLO) as stream:
                await stream.collect()
    assert len(server.requests) == 2
    assert b"cookie" not in b"".join(server.requests)


async def test_no_netrc_is_read(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that is there for another program is none of ours."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine localhost login me password canary\ndefault login me password canary")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    server = Notes(answer("a"))
    async with streaming(provider_section(), dial=MemoryNetwork(nursery, server)) as stream:
        await stream.collect()
    assert b"authorization" not in server.requests[0]


async def test_the_environment_names_no_proxy_unasked(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sees the traffic is the configuration's affair."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
        monkeypatch.setenv(name.upper(), "http://proxy.example:3128")
    network = MemoryNetwork(nursery, keeps_alive(answer("a")))
    async with streaming(provider_section("http://host.example/v1"), dial=network) as stream:
        await stream.collect()
    assert network.targets == [("host.example", 80)]


async def test_no_redirect_is_followed(nursery: trio.Nursery) -> None:
    """Not even one within the server: it would take the conversation along."""
    server = Notes(REDIRECT)
    section = provider_section(credential="key-12345")
    with pytest.raises(OtherError) as caught:
        async with streaming(section, dial=MemoryNetwork(nursery, server)):
            pass
    assert caught.value.kind == "redirect"
    assert len(server.requests) == 1


async def test_no_compression_is_asked_for(nursery: trio.Nursery) -> None:
    """It would hold tokens back until there are enough of them."""
    server = Notes(answer("a"))
    async with streaming(provider_section(), dial=MemoryNetwork(nursery, server)) as stream:
        await stream.collect()
    assert b"\r\naccept-encoding: identity\r\n" in server.requests[0]
