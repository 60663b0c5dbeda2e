"""`tokenwire_trio.credentials`: keys that expire, and whom to ask for new ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import MemoryNetwork, ServerSide, answer, refusal
from tokenwire.endpoint import Deadlines
from tokenwire.errors import AuthError, NetworkError
from tokenwire.secret import Secret
from tokenwire_trio import HTTPProvider, open_provider


class Gate:
    """A server that lets one key in.

    Attributes:
        key: The key.
        status: What it says to others.
        asked: The keys that were tried.
    """

    def __init__(self, key: str = "new-key", status: int = 401) -> None:
        self.key = key
        self.status = status
        self.asked: list[str] = []

    async def __call__(self, peer: ServerSide) -> None:
        """Play it on one connection."""
        while request := await peer.receive_request():
            self.asked.append(request.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode())
            right = self.asked[-1] == self.key
            await peer.send(answer("a") if right else refusal(self.status))


def gives(*keys: str) -> Callable[[], Awaitable[Secret]]:
    """Make a callable that gives these keys one after the other."""
    left = iter(keys)

    async def ask() -> Secret:
        await trio.lowlevel.checkpoint()
        return Secret(next(left))

    return ask


async def ask(provider: HTTPProvider) -> str:
    """Make a call and read its answer."""
    async with provider.complete(HELLO) as stream:
        return (await stream.collect()).text


async def test_an_expired_credential_is_renewed_once(nursery: trio.Nursery) -> None:
    """The request is made again with the new one, over the same connection."""
    gate = Gate()
    network = MemoryNetwork(nursery, gate)
    section = provider_section(credential=gives("old-key", "new-key", "new-key"))
    async with open_provider(section, dial=network) as provider:
        async with provider.complete(HELLO) as stream:
            await stream.collect()
        assert stream.response.status == 200
        assert await ask(provider) == "a"
    assert gate.asked == ["old-key", "new-key", "new-key"]
    assert len(network.connections) == 1


async def test_a_credential_is_not_renewed_twice(nursery: trio.Nursery) -> None:
    """The second refusal is the caller's to see."""
    gate = Gate()
    section = provider_section(credential=gives("old-key", "older-key", "oldest-key"))
    async with open_provider(section, dial=MemoryNetwork(nursery, gate)) as provider:
        with pytest.raises(AuthError):
            await ask(provider)
    assert gate.asked == ["old-key", "older-key"]


async def test_the_same_credential_is_not_tried_again(nursery: trio.Nursery) -> None:
    """Who is asked had nothing better."""
    gate = Gate()
    section = provider_section(credential=gives("old-key", "old-key"))
    async with open_provider(section, dial=MemoryNetwork(nursery, gate)) as provider:
        with pytest.raises(AuthError) as caught:
            await ask(provider)
    assert gate.asked == ["old-key"]
    assert caught.value.__context__ is None


async def test_a_credential_that_may_not_do_this_is_not_renewed(nursery: trio.Nursery) -> None:
    """403 is no matter of time."""
    gate = Gate(status=403)
    section = provider_section(credential=gives("old-key", "new-key"))
    async with open_provider(section, dial=MemoryNetwork(nursery, gate)) as provider:
        with pytest.raises(AuthError):
            await ask(provider)
    assert gate.asked == ["old-key"]


async def test_a_fixed_credential_is_not_tried_again(nursery: trio.Nursery) -> None:
    """Nor is none at all."""
    gate = Gate()
    for credential in ("old-key", None):
        section = provider_section(credential=credential)
        async with open_provider(section, dial=MemoryNetwork(nursery, gate)) as provider:
            with pytest.raises(AuthError):
                await ask(provider)
    assert gate.asked == ["old-key", ""]


async def test_the_renewal_is_a_part_of_the_call(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its total deadline goes on, and its timings are those of the request that was answered."""
    keys = gives("old-key", "new-key")

    async def ask_slowly() -> Secret:
        await trio.sleep(3)
        return await keys()

    network = MemoryNetwork(nursery, Gate())
    section = provider_section(credential=ask_slowly, deadlines=Deadlines(total=5))
    async with open_provider(section, dial=network) as provider:
        with pytest.raises(NetworkError, match="waiting for the credential callable") as caught:
            await ask(provider)
        assert trio.current_time() == pytest.approx(5)
    assert (caught.value.timeout, caught.value.phase) == ("total", "pool")
    assert caught.value.provider == "openai-chat"
