"""Neither key nor prompt is to be seen in what goes wrong: canaries show where they would be."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.providers import provider_section
from tests.trio_backend.servers import (
    STREAM_HEAD,
    FailingStream,
    MemoryNetwork,
    ServerSide,
    chunk,
    refusal,
    replies,
    sends_and_closes,
)
from tokenwire.endpoint import Deadlines
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.secret import Secret
from tokenwire_trio import HTTPTokenStream, open_provider

KEY = "canary-key-0123456789"
PROMPT = "canary prompt"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk through an exception and all that hangs on it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def everything_shown(error: BaseException) -> str:
    """Return all that a log, a debugger or an error tracker would show of an exception.

    The frames of this test are left out: here the canaries have their cage.
    """
    shown = [repr(error), str(error), repr(error.args)]
    for part in chain(error):
        frames = traceback.walk_tb(part.__traceback__)
        shown += [
            f"{frame.filename}:{frame.lineno} {frame.line} {frame.locals}"
            for frame in traceback.StackSummary.extract(frames, capture_locals=True)
            if frame.filename != __file__
        ]
    return "\n".join(shown)


async def closes_in_mid_request(peer: ServerSide) -> None:
    """Go away before the request was read."""
    await peer.stream.receive_some(10)


ECHO = f"your key is {KEY}".encode()

MISBEHAVIOURS: dict[str, Callable[[ServerSide], Awaitable[None]]] = {
    "closes in mid-request": closes_in_mid_request,
    "closes without an answer": sends_and_closes(),
    "echoes the key in a refusal": replies(refusal(401, f"bad key {KEY}")),
    "echoes the key as its head": replies(ECHO + b"\r\n\r\n"),
    "echoes the key as a header": replies(b"HTTP/1.1 200 OK\r\n" + ECHO + b"\r\n\r\n"),
    "echoes the key as a chunk size": replies(STREAM_HEAD + ECHO + b"\r\n"),
    "echoes the key as an event": replies(STREAM_HEAD + chunk(b"data: " + ECHO + b"\n\n")),
    "is silent": replies(),
    "is silent in mid-answer": replies(STREAM_HEAD),
}


@pytest.mark.parametrize("handler", MISBEHAVIOURS.values(), ids=MISBEHAVIOURS.keys())
async def test_an_error_shows_neither_key_nor_prompt(
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    handler: Callable[[ServerSide], Awaitable[None]],
) -> None:
    """Not in its text, its chain, nor the local variables of its traceback's frames."""
    section = provider_section(credential=Secret(KEY), deadlines=Deadlines(total=1))
    dial = MemoryNetwork(nursery, handler)
    async with open_provider(section, dial=dial) as provider:
        with pytest.raises(ProviderError) as caught:
            await complete(provider.complete([Message.user(PROMPT)]))
    assert "canary" not in everything_shown(caught.value)
    assert list(chain(caught.value)) == [caught.value]


async def complete(call: AbstractAsyncContextManager[HTTPTokenStream]) -> None:
    """Read an answer."""
    async with call as stream:
        await stream.collect()


async def test_a_failed_connection_shows_neither(nursery: trio.Nursery) -> None:
    """The system's error, whose frames hold the request, is not chained to ours."""

    async def refuse(host: str, port: int) -> trio.abc.Stream:
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    section = provider_section(credential=Secret(KEY))
    async with open_provider(section, dial=refuse) as provider:
        with pytest.raises(ProviderError, match="connection refused") as caught:
            await complete(provider.complete([Message.user(PROMPT)]))
    assert "canary" not in everything_shown(caught.value)
    assert list(chain(caught.value)) == [caught.value]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("prompt", [PROMPT, PROMPT * 10_000], ids=["short", "long"])
async def test_what_passes_unchanged_shows_neither(error: type[BaseException], prompt: str) -> None:
    """Exceptions that are not ours pass as they are, and the frames they leave show no request."""

    async def dial(host: str, port: int) -> trio.abc.Stream:
        return FailingStream(error)

    section = provider_section(credential=Secret(KEY))
    async with open_provider(section, dial=dial) as provider:
        with pytest.raises(error) as caught:
            await complete(provider.complete([Message.user(prompt)]))
    assert "canary" not in everything_shown(caught.value)
