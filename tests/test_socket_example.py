"""The program that compares a socket with HTTP, and the page about sockets, tell the truth."""

from __future__ import annotations

import json
import runpy
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, Final

import attrs
import pytest
import trio

from tests.figures import Figures
from tests.guides import Block, blocks_of, execute
from tests.trio_backend.servers import Handler, ServerSide, socket_server
from tests.trio_backend.socket_servers import (
    Peer,
    answers_all,
    socket_section,
    websocket_handler,
)
from tokenwire.config import Config
from tokenwire.connection_settings import PoolSettings
from tokenwire.wire import SOCKET_KINDS
from tokenwire_trio.inbox import MAX_TOKENS
from tokenwire_trio.socket_connection import PING_INTERVAL_S, PONG_WAIT_S

_ROOT: Final = Path(__file__).parents[1]
_EXAMPLE: Final = _ROOT / "examples" / "socket_tool_loop.py"
_PAGE: Final = _ROOT / "docs" / "sockets.md"

pytestmark = pytest.mark.skipif(
    not (_EXAMPLE.is_file() and _PAGE.is_file()), reason="examples and pages are not here"
)

JSON = dict[str, Any]

_CALL: Final[JSON] = {"type": "function_call", "call_id": "c1", "name": "get_weather"}


def _events(request: JSON, number: int) -> Iterator[JSON]:
    """Answer a question with a call of the tool, and a result with text."""
    response = {"id": f"r{number}", "status": "completed"}
    yield {"type": "response.created", "response": {"id": f"r{number}"}}
    if request["input"][-1]["type"] == "function_call_output":
        yield {"type": "response.output_text.delta", "delta": "It is 21 degrees."}
    else:
        item = {**_CALL, "call_id": f"c{number}", "arguments": '{"city":"Oslo"}'}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": response}


async def _answer_messages(peer: Peer) -> None:
    while True:
        request = await peer.receive()
        for event in _events(request, len(peer.requests)):
            await peer.websocket.send_message(json.dumps(event))


async def _answer_posts(side: ServerSide) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
    number = 0
    while request := await side.receive_request():
        number += 1
        events = _events(json.loads(request.partition(b"\r\n\r\n")[2]), number)
        body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)
        await side.send(head % len(body) + body)


_SERVERS: Final[dict[str, Handler]] = {
    "openai-responses-ws": websocket_handler(_answer_messages),
    "openai-responses": _answer_posts,
}


async def _sent_bytes(kind: str, turns: int) -> int:
    hold = runpy.run_path(str(_EXAMPLE))["hold"]
    async with socket_server(_SERVERS[kind]) as base_url:
        section = attrs.evolve(socket_section(base_url), kind=kind)
        with trio.fail_after(20):
            sent_bytes: int = await hold(section, ["What is the weather like in Oslo?"] * turns)
    return sent_bytes


async def test_a_socket_sends_less_than_http(
    figures: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    """The more turns, the less; each turn of it costs the same."""
    sent = {(kind, turns): await _sent_bytes(kind, turns) for kind in _SERVERS for turns in (5, 10)}
    socket = [sent["openai-responses-ws", turns] for turns in (5, 10)]
    http = [sent["openai-responses", turns] for turns in (5, 10)]
    assert socket[1] < 2 * socket[0] < http[0]
    assert http[1] > 2.5 * http[0]
    assert "[sent only what is new] It is 21 degrees." in capsys.readouterr().out
    figures(
        f"a conversation of 10 questions with a tool each sends {socket[1]} bytes over a socket,"
        f" {http[1]} over HTTP"
    )


@contextmanager
def _running(handler: Handler) -> Generator[str, None, None]:
    """Serve in a thread, so that a program may have a trio run of its own; give the base URL."""
    urls: Queue[str] = Queue()
    scopes: list[trio.CancelScope] = []
    tokens: list[trio.lowlevel.TrioToken] = []

    async def serve() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        with trio.CancelScope() as scope:
            scopes.append(scope)
            async with socket_server(handler) as url:
                urls.put(url)
                await trio.sleep_forever()

    thread = Thread(target=trio.run, args=(serve,))
    thread.start()
    try:
        yield urls.get(timeout=20)
    finally:
        tokens[0].run_sync_soon(scopes[0].cancel)
        thread.join(20)


def _programs() -> list[Block]:
    return [block for block in blocks_of(_PAGE) if block.language == "python"]


@pytest.mark.parametrize("kind", SOCKET_KINDS)
@pytest.mark.parametrize(
    ("program", "shown"),
    [
        (0, "sent all: Who are you?\nsent what is new: And who am I?\n"),
        (1, "left at C\nnext: Never mind. Hello!\n"),
    ],
)
def test_a_program_of_the_page_runs(
    program: int,
    shown: str,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over either API, against a server that answers with the question."""
    with _running(websocket_handler(answers_all)) as base_url:
        monkeypatch.setenv("TOKENWIRE_PROVIDER_KIND", kind)
        monkeypatch.setenv("TOKENWIRE_PROVIDER_BASE_URL", base_url)
        monkeypatch.setenv("TOKENWIRE_PROVIDER_MODEL", "some-model")
        execute(_PAGE, _programs()[program])
    assert capsys.readouterr().out == shown


def test_the_page_shows_the_protocol_without_trio(capsys: pytest.CaptureFixture[str]) -> None:
    """As one request."""
    *_, program = _programs()
    execute(_PAGE, program)
    assert json.loads(capsys.readouterr().out)["type"] == "response.create"
    assert len(_programs()) == 3


def test_the_configurations_of_the_page_load() -> None:
    """One for each API, and what the page says of their numbers is so."""
    documents = [block.code for block in blocks_of(_PAGE) if block.language == "toml"]
    providers = [
        Config.from_toml(document, {"EXAMPLE_API_KEY": "k-123456789"}).provider
        for document in documents
    ]
    assert [provider.kind for provider in providers] == list(SOCKET_KINDS)
    page = _PAGE.read_text(encoding="utf-8")
    assert f"at most `pool.max_idle` of them ({PoolSettings().max_idle})" in page
    assert f"| {MAX_TOKENS} | the connection is read no further" in page
    assert f"a ping every {PING_INTERVAL_S:g} s, {PONG_WAIT_S:g} s for its answer" in page
