"""Keys, prompts and answers of sockets are looked for in all that a program may show."""

from __future__ import annotations

import logging
from typing import Final

import pytest
import trio
import trio_websocket
from trio.testing import MockClock, memory_stream_pair
from wsproto.events import CloseConnection, Ping, TextMessage

from tests.trio_backend.servers import Handler, MemoryNetwork, ServerSide
from tests.trio_backend.shown import chain, shown_by
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    RawServer,
    SectionOf,
    created,
    events,
    raw_handler,
    said,
)
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire.secret import Secret
from tokenwire_trio import SocketProvider

#: Letters of their own, so that no part of one can be found by chance.
KEY: Final = "sk-qzxkeyjvwq-0192837465"
PROMPT: Final = "qprmptzx confessvjq 5544332211"
ANSWER: Final = "qanswrzx revealedvjq 6677889900"


def canaries_in(text: str, *canaries: str) -> list[str]:
    """Find the canaries that a text holds, or half of one."""
    return [each for each in canaries if each[:9] in text or each[-9:] in text]


async def _pings(server: RawServer) -> None:
    request = await server.receive_request()
    await server.send(Ping(KEY.encode()), Ping(PROMPT.encode()))
    await server.send(*events(created(request), said(request, ANSWER)))
    await server.send(CloseConnection(1011, f"because of {KEY}"))


async def _breaks_the_protocol(server: RawServer) -> None:
    request = await server.receive_request()
    await server.send(*events(created(request), said(request, ANSWER)))
    await server.send_bytes(b"\x83" + bytes([len(KEY)]) + KEY.encode())


async def _says_no_json(server: RawServer) -> None:
    await server.receive_request()
    await server.send(TextMessage(f'{{"type": {KEY}'))
    await server.wait_until_client_leaves()


async def _echoes_the_key_in_a_header(side: ServerSide) -> None:
    while b"\r\n\r\n" not in side.request:
        side.request += await side.stream.receive_some()
    await side.send(f"HTTP/1.1 101 Switching\r\nno header but {KEY}\r\n\r\n".encode())
    await side.wait_until_client_leaves()


@pytest.mark.parametrize(
    "handler",
    [
        raw_handler(_pings),
        raw_handler(_breaks_the_protocol),
        raw_handler(_says_no_json),
        _echoes_the_key_in_a_header,
    ],
    ids=["pings", "broken protocol", "no JSON", "bad upgrade"],
)
@BOTH_WIRES
async def test_nothing_shows_a_canary(
    section_of: SectionOf,
    handler: Handler,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    """No log, not even trio-websocket's own, no error, and no object that hangs on one."""
    caplog.set_level(logging.DEBUG)
    async with trio.open_nursery() as serving:
        network = MemoryNetwork(serving, handler)
        section = section_of(credential=Secret(KEY))
        async with SocketProvider(section, dial=network) as provider:
            with pytest.raises(ProviderError) as caught:
                async with provider.complete([Message.user(PROMPT)]) as stream:
                    await stream.collect()
            shown = [repr(provider), shown_by(caught.value)]
        serving.cancel_scope.cancel()
    assert list(chain(caught.value)) == [caught.value]
    assert canaries_in("\n".join(shown), KEY, PROMPT) == []
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert canaries_in("\n".join(logged), KEY, PROMPT, ANSWER) == []


async def test_trio_websocket_logs_what_is_not_ours(caplog: pytest.LogCaptureFixture) -> None:
    """A program's own connections are its own affair."""
    caplog.set_level(logging.DEBUG)
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raw_handler(RawServer.wait_until_client_leaves), ServerSide(theirs))
        await trio_websocket.wrap_client_stream(nursery, ours, "localhost", "/")  # type: ignore[arg-type]
        nursery.cancel_scope.cancel()
    assert any(record.name == "trio-websocket" for record in caplog.records)
