"""Providers over sockets keep to the contract that those of others are held to."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.servers import Handler, ServerSide, refusal
from tests.trio_backend.socket_servers import (
    Peer,
    Script,
    SectionOf,
    realtime_section,
    socket_provider,
    socket_section,
    websocket_handler,
)
from tokenwire import Provider
from tokenwire.wire import SOCKET_KINDS
from tokenwire_trio.testing import OpenProvider, ProviderCheck, ProviderSample, provider_contract

KEY: Final = "sk-of-this-test-0123456789"


async def _answer_all(peer: Peer) -> None:
    while True:
        await peer.answer(await peer.receive_request(), f"r{len(peer.requests)}", "Hel", "lo")


async def _begin_all(peer: Peer) -> None:
    while True:
        request = await peer.receive_request()
        await peer.begin(request, f"r{len(peer.requests)}")
        await peer.say(request, "Hel")


async def _lose_the_connection(peer: Peer) -> None:
    request = await peer.receive_request()
    await peer.begin(request, "r1")
    await peer.say(request, "Hel")


async def _fail_in_mid_answer(peer: Peer) -> None:
    while True:
        request = await peer.receive_request()
        await peer.begin(request, f"r{len(peer.requests)}")
        await peer.say(request, "Hel")
        await peer.end(request, f"r{len(peer.requests)}", "failed")


async def _report_errors(peer: Peer) -> None:
    while True:
        request = await peer.receive_request()
        error = {"code": "invalid_api_key", "message": f"Wrong key {KEY}."}
        error |= {name: request[name] for name in ("event_id",) if name in request}
        await peer.websocket.send_message(json.dumps({"type": "error", "error": error}))


async def _refuse(side: ServerSide) -> None:
    while b"\r\n\r\n" not in side.request:
        side.request += await side.stream.receive_some()
    await side.send(refusal(401, f"Wrong key {KEY}."))
    await side.wait_until_client_leaves()


def _opens(section_of: SectionOf, handler: Handler) -> OpenProvider:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Provider, None]:
        async with socket_provider(
            handler, section_of=section_of, credential=KEY, allow_plaintext=True
        ) as (provider, _):
            yield provider

    return opened


def _sample(section_of: SectionOf, breaks: Script, refuses: Handler) -> ProviderSample:
    return ProviderSample(
        answering=_opens(section_of, websocket_handler(_answer_all)),
        stalling=_opens(section_of, websocket_handler(_begin_all)),
        breaking=_opens(section_of, websocket_handler(breaks)),
        refusing=_opens(section_of, refuses),
        text="Hello",
        key=KEY,
    )


_CHECKS: Final = [
    pytest.param(check, id=f"{kind}, {how}: {check}")
    for kind, section_of in zip(SOCKET_KINDS, (socket_section, realtime_section), strict=True)
    for how, breaks, refuses in (
        ("with its connection", _lose_the_connection, _refuse),
        ("on its connection", _fail_in_mid_answer, websocket_handler(_report_errors)),
    )
    for check in provider_contract(_sample(section_of, breaks, refuses))
]


@pytest.mark.parametrize("check", _CHECKS)
async def test_providers_over_sockets_keep_to_the_contract(
    check: ProviderCheck, autojump_clock: MockClock
) -> None:
    """Each promise, for each API, where the connection is lost and where it goes on."""
    await check()


async def test_the_contract_notices_a_task_that_is_left(autojump_clock: MockClock) -> None:
    """A connection that outlived its provider's block would be one."""
    async with trio.open_nursery() as nursery:

        @asynccontextmanager
        async def leaves_one() -> AsyncGenerator[Provider, None]:
            nursery.start_soon(trio.sleep_forever)
            async with _opens(socket_section, websocket_handler(_answer_all))() as provider:
                yield provider

        sample = _sample(socket_section, _lose_the_connection, _refuse)
        check = next(
            iter(
                provider_contract(
                    ProviderSample(
                        answering=leaves_one,
                        stalling=sample.stalling,
                        breaking=sample.breaking,
                        refusing=sample.refusing,
                        text="Hello",
                    )
                )
            )
        )
        with pytest.raises(AssertionError, match="left behind"):
            await check()
        nursery.cancel_scope.cancel()
