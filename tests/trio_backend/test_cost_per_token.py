"""What a token that is waited for costs in the transport and the core, counted in calls.

As `tests.sansio.test_cost_per_token`, with a whole provider, every deadline set, and a server that
sends each token when the last one was taken. Counted is what this library does: calls that begin in
its modules, and its coroutines that are gone through when a task wakes up. After a change that is
worth its calls, or that saves some, write the figures anew:
``python -m tests.trio_backend.test_cost_per_token``.
"""

from __future__ import annotations

import json
import ssl
import tempfile
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from tests.sansio.test_cost_per_token import is_no_more
from tests.trio_backend.counted_calls import CountedCalls
from tests.trio_backend.providers import provider_section, streaming
from tests.trio_backend.servers import STREAM_HEAD, ServerSide, chunk, socket_server, text_event
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.exchange import Events
from tokenwire_trio.call import Call

FIGURES: Final = Path(__file__).with_name("cost_per_token.json")
MEASURED_TOKENS: Final = 40
_DEADLINES: Final = Deadlines(**dict.fromkeys(attrs.fields_dict(Deadlines), 600))


async def _send_in_turn(peer: ServerSide) -> None:
    """Send a token whenever everybody waits for one."""
    await peer.read_request()
    await peer.send(STREAM_HEAD)
    while True:
        await wait_all_tasks_blocked()
        await peer.send(chunk(text_event("word")))


async def _calls(server: ssl.SSLContext | None, ca_file: str | None) -> float:
    """Count the calls that a token takes, without TLS where there is no context."""
    async with socket_server(_send_in_turn, server) as url:
        section = provider_section(url, deadlines=_DEADLINES, tls=TLSSettings(ca_file=ca_file))
        async with streaming(section) as stream:
            for _ in range(3):
                await stream.__anext__()
            with CountedCalls() as calls:
                for _ in range(MEASURED_TOKENS):
                    await stream.__anext__()
    return round(calls.count / MEASURED_TOKENS, 2)


async def cost_per_token(server: ssl.SSLContext, ca_file: Path) -> dict[str, float]:
    """Return the calls that a token takes over HTTP and over TLS."""
    return {"http": await _calls(None, None), "https": await _calls(server, str(ca_file))}


def _figures() -> dict[str, float]:
    figures: dict[str, float] = json.loads(FIGURES.read_text("utf-8"))
    return figures


async def test_a_token_costs_no_more_calls_than_it_did(
    server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Nor fewer: figures that are out of date would let a regression of as much pass."""
    measured, figures = await cost_per_token(server_context, ca_file), _figures()
    assert is_no_more(measured, figures)
    assert is_no_more(figures, measured)


async def test_one_call_more_is_noticed(
    server_context: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tolerance is less than what it has to find."""
    receive: Any = Call.receive

    async def wrapper(self: Call) -> Events:
        self.exchange.state  # noqa: B018  # a call
        events: Events = await receive(self)
        return events

    monkeypatch.setattr(Call, "receive", wrapper)
    assert not is_no_more(await cost_per_token(server_context, ca_file), _figures())


def _write_figures() -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)  # pyright: ignore[reportUnknownMemberType]  # names pyOpenSSL's context too
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        costs = trio.run(cost_per_token, server, ca_file)
    FIGURES.write_text(json.dumps(costs, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    _write_figures()
