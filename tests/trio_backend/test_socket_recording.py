"""Answers over sockets are recorded and played back, each with what belongs to it alone.

What servers do wrong is recorded in `test_socket_misbehaving`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.played_back import Told, told
from tests.trio_backend.servers import Handler, ServerSide
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    HELLO,
    Peer,
    SectionOf,
    answers_all,
    realtime_section,
    socket_provider,
    socket_section,
    websocket_handler,
)
from tests.trio_backend.test_canaries import canaries_in, planted
from tokenwire.connection_settings import PoolSettings
from tokenwire.endpoint import Deadlines
from tokenwire.errors import NetworkError
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import REDACTED, Secret
from tokenwire.tokens import End
from tokenwire_trio import Recording, Replaying, open_provider
from tokenwire_trio.nursery import brief_nursery
from tokenwire_trio.testing import SCENARIOS, Scenario, serve_in_memory

MORE = Message.user("More")
DEFAULTS = ProviderConfig(model="some-model")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file to record to, which is not there yet."""
    return tmp_path / "recording.jsonl"


def _lines(path: Path, event: str) -> list[dict[str, Any]]:
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return [line for line in lines if line["event"] == event]


async def _play_back(path: Path, *recorded: Told) -> None:
    """Check that a file says what was told when it was recorded, each at its time."""
    replaying = Replaying(path)
    for one in recorded:
        replayed = await told(replaying)
        assert replayed.facts == one.facts
        assert replayed.times == pytest.approx(one.times, abs=1e-5)


# Against every server


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
async def test_what_comes_in_place_of_a_socket_is_played_back(
    scenario: Scenario, path: Path, ca_file: Path, server_context: Any, autojump_clock: MockClock
) -> None:
    """Refusals, and servers that misbehave before there is a connection; no secret is shown."""
    tls = server_context if "tcp" not in scenario.over else None
    async with serve_in_memory(scenario, tls=tls) as server:
        section = planted(server, ca_file, scenario)
        endpoint = attrs.evolve(section.endpoint, deadlines=Deadlines(connect=3.5))
        section = attrs.evolve(section, kind="openai-responses-ws", endpoint=endpoint)
        async with open_provider(section, dial=server.dial) as provider:
            recorded = await told(Recording(provider, path))
    assert recorded.error is not None
    assert canaries_in(path.read_text("utf-8")) == []
    await _play_back(path, recorded)


# When it came


async def _slowly(peer: Peer) -> None:
    async with brief_nursery() as nursery:
        while True:
            nursery.start_soon(_answer_slowly, peer, await peer.receive_request())


async def _answer_slowly(peer: Peer, request: dict[str, Any]) -> None:
    response_id = f"r{len(peer.requests)}"
    await trio.sleep(1)
    await peer.begin(request, response_id)
    for letter in peer.question(request):
        await trio.sleep(0.25)
        await peer.say(request, letter)
    await trio.sleep(2)
    await peer.end(request, response_id)


@BOTH_WIRES
async def test_every_message_is_played_back_at_its_time(
    section_of: SectionOf, path: Path, autojump_clock: MockClock
) -> None:
    """Of answers that came side by side, too."""
    async with (
        socket_provider(websocket_handler(_slowly), section_of=section_of) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        for question in ("one", "two", "three"):
            nursery.start_soon(told, Recording(provider, path), [Message.user(question)])
    replaying = Replaying(path, match="request", defaults=DEFAULTS)
    for question in ("three", "one", "two"):
        replayed = await told(replaying, [Message.user(question)])
        assert replayed.text == question
        letters = [1.25 + 0.25 * number for number in range(len(question))]
        assert replayed.times == pytest.approx([1, *letters, letters[-1] + 2], abs=1e-5)


async def _never_ends(peer: Peer) -> None:
    request = await peer.receive_request()
    await peer.begin(request, "r1")
    await peer.say(request, "Hi")
    await peer.wait_until_client_leaves()


async def _agrees_to_nothing(side: ServerSide) -> None:
    await side.wait_until_client_leaves()


@pytest.mark.parametrize(
    ("handler", "deadlines"),
    [
        (websocket_handler(_never_ends), Deadlines(gap=3)),
        (websocket_handler(Peer.wait_until_client_leaves), Deadlines(first_byte=2)),
        (_agrees_to_nothing, Deadlines(connect=4)),
    ],
    ids=["gap", "first_byte", "connect"],
)
@BOTH_WIRES
async def test_a_deadline_runs_out_again(
    section_of: SectionOf,
    handler: Handler,
    deadlines: Deadlines,
    path: Path,
    autojump_clock: MockClock,
) -> None:
    """With what had come before."""
    async with socket_provider(handler, section_of=section_of, deadlines=deadlines) as (
        provider,
        _,
    ):
        recorded = await told(Recording(provider, path))
    assert isinstance(recorded.error, NetworkError)
    assert recorded.error.timeout is not None
    await _play_back(path, recorded)


async def test_an_answer_that_was_left_ends_there(path: Path, autojump_clock: MockClock) -> None:
    """Nothing more of it is written, whatever the server still says on the connection."""

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        await peer.begin(request, "r1")
        await peer.say(request, "Hi")
        await trio.sleep(1)
        limit = {"name": "requests", "limit": 9, "remaining": 8, "reset_seconds": 1}
        await peer.send("rate_limits.updated", rate_limits=[limit])
        await peer.say(request, "late")
        await peer.wait_until_client_leaves()

    handler = websocket_handler(script)
    async with socket_provider(handler, section_of=realtime_section) as (provider, _):
        async with Recording(provider, path).complete(HELLO) as stream:
            await anext(stream)
        written = path.read_bytes()
        await trio.sleep(2)
        assert path.read_bytes() == written
    assert [line["outcome"] for line in _lines(path, "end")] == ["left"]
    replayed = await told(Replaying(path))
    assert isinstance(replayed.error, NetworkError)
    assert "its caller had left the answer" in replayed.error.message


# What is written


@BOTH_WIRES
async def test_a_recording_tells_what_was_asked_and_what_was_sent(
    section_of: SectionOf, path: Path
) -> None:
    """All of a conversation, and the new part of it that went out."""
    messages = [*HELLO]
    recorded: list[Told] = []
    async with socket_provider(websocket_handler(answers_all), section_of=section_of) as (
        provider,
        _,
    ):
        recording = Recording(provider, path)
        for _ in range(2):
            recorded.append(await told(recording, messages))
            messages += [Message.assistant(recorded[-1].text), MORE]
    requests, sent = _lines(path, "request"), _lines(path, "sent")
    assert [line["tokenwire_recording"] for line in requests] == [2, 2]
    assert [line["method"] for line in requests] == ["GET", "GET"]
    assert [line["continued"] for line in sent] == [False, True]
    assert "Hello" in str(requests[1]["body"])
    assert "Hello" not in str(sent[1]["messages"])
    assert "More" in str(sent[1]["messages"])
    replaying = Replaying(path, match="request", timing="virtual", defaults=DEFAULTS)
    for one, asked in ((recorded[1], messages[:-2]), (recorded[0], HELLO)):
        assert (await told(replaying, asked)).facts == one.facts


@BOTH_WIRES
async def test_prompts_may_stay_out(section_of: SectionOf, path: Path) -> None:
    """Neither what was asked nor what was sent is in the file."""
    prompt = [Message.user("A confession")]

    async def answers_nothing_of_it(peer: Peer) -> None:
        await peer.answer(await peer.receive_request(), "r1", "Hi")
        await peer.wait_until_client_leaves()

    handler = websocket_handler(answers_nothing_of_it)
    async with socket_provider(handler, section_of=section_of) as (provider, _):
        recorded = await told(Recording(provider, path, prompts=False), prompt)
    assert b"confession" not in path.read_bytes()
    assert [line["messages"] for line in _lines(path, "sent")] == [None]
    assert (await told(Replaying(path, timing="virtual"))).facts == recorded.facts


async def test_allowances_are_played_back(path: Path, autojump_clock: MockClock) -> None:
    """Though they come in no message of the answer; a key in their names is redacted."""
    key = "sk-canary-0123456789"

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        await peer.begin(request, "r1")
        for remaining in (8, 7):
            limit = {"name": f"requests of {key}", "remaining": remaining}
            await peer.send("rate_limits.updated", rate_limits=[limit])
        await peer.say(request, "Hi")
        await peer.end(request, "r1")
        await peer.wait_until_client_leaves()

    handler = websocket_handler(script)
    async with socket_provider(handler, section_of=realtime_section, credential=key) as (
        provider,
        _,
    ):
        await told(Recording(provider, path))
    async with Replaying(path).complete(HELLO) as stream:
        await stream.collect()
    (limit,) = stream.response.rate_limits
    assert (limit.name, limit.remaining) == (f"requests of {REDACTED}", 7)


async def test_no_key_of_a_connection_is_written(path: Path) -> None:
    """It may have been opened with an older one than the call has, and a server may repeat both."""
    keys = [Secret("old-key-0123456789"), Secret("new-key-9876543210")]
    left = iter(keys)

    async def credential() -> Secret:
        return next(left)

    async def repeats_the_keys(peer: Peer) -> None:
        while True:
            request = await peer.receive_request()
            for key in keys:
                await peer.answer(request, f"r{len(peer.requests)}", key.reveal())
                request = await peer.receive_request()

    handler = websocket_handler(repeats_the_keys)
    async with socket_provider(handler, credential=credential) as (provider, network):
        for _ in keys:
            await told(Recording(provider, path), [Message.user(keys[1].reveal())])
        assert len(network.connections) == 1
    written = path.read_text("utf-8")
    assert written.count(REDACTED) >= 4
    first, second = written.split('{"event":"request"')[1:]
    assert "old-key" not in first + second
    assert "new-key" not in second


# Requests that are made again


async def test_what_the_server_lost_is_one_exchange(path: Path) -> None:
    """Nothing had come of the first request, so the second one belongs to it."""

    async def forgets(peer: Peer) -> None:
        await peer.answer(await peer.receive_request(), "r1", "Hi.")
        error = {"code": "previous_response_not_found", "message": "Gone."}
        await peer.send("error", await peer.receive_request(), status=400, error=error)
        await answers_all(peer)

    async with socket_provider(websocket_handler(forgets)) as (provider, _):
        recording = Recording(provider, path)
        first = await told(recording)
        again = await told(recording, [*HELLO, Message.assistant(first.text), MORE])
    assert again.text == "More"
    assert [line["continued"] for line in _lines(path, "sent")] == [False, True, False]
    assert [line["outcome"] for line in _lines(path, "end")] == ["complete", "complete"]
    replaying = Replaying(path, timing="virtual")
    assert [(await told(replaying)).facts for _ in range(2)] == [first.facts, again.facts]


async def test_what_the_server_lost_after_it_began_is_another_exchange(path: Path) -> None:
    """The one that is played back is the one that its caller got."""

    async def forgets(peer: Peer) -> None:
        await peer.answer(await peer.receive_request(), "r1", "Hi.")
        request = await peer.receive_request()
        await peer.begin(request, "r2")
        error = {"code": "previous_response_not_found", "message": "Gone."}
        await peer.send("error", request, status=400, error=error)
        await answers_all(peer)

    async with socket_provider(websocket_handler(forgets)) as (provider, _):
        recording = Recording(provider, path)
        first = await told(recording)
        again = await told(recording, [*HELLO, Message.assistant(first.text), MORE])
    outcomes = [line["outcome"] for line in _lines(path, "end")]
    assert outcomes == ["complete", "renewed", "complete"]
    replaying = Replaying(path, timing="virtual")
    await told(replaying)
    replayed = await told(replaying)
    assert (replayed.tokens, replayed.error) == (again.tokens, None)


@pytest.mark.parametrize("then", ["answers", "refuses"])
async def test_a_request_that_moves_is_one_exchange(then: str, path: Path) -> None:
    """Whether the next connection takes it or is refused itself."""
    connections = 0

    async def at_its_end(peer: Peer) -> None:
        request = await peer.receive_request()
        error = {"code": "websocket_connection_limit_reached", "message": "60 minutes."}
        await peer.send("error", request, status=400, error=error)
        await peer.wait_until_client_leaves()

    async def refuses(side: ServerSide) -> None:
        await side.stream.receive_some()
        await side.send(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
        await side.wait_until_client_leaves()

    async def handler(side: ServerSide) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await websocket_handler(at_its_end)(side)
        else:
            await (refuses if then == "refuses" else websocket_handler(answers_all))(side)

    async with socket_provider(handler) as (provider, _):
        recorded = await told(Recording(provider, path))
    assert (recorded.error is None) is (then == "answers")
    assert len(_lines(path, "request")) == 1
    assert len(_lines(path, "sent")) == connections - (then == "refuses")
    assert (await told(Replaying(path, timing="virtual"))).facts == recorded.facts


async def test_a_renewed_credential_is_one_answer(path: Path) -> None:
    """What was refused on an open connection is in the file, and is no answer of its own."""
    keys = iter(["old", "new"])

    async def credential() -> Secret:
        return Secret(next(keys) + "-key-0123456789")

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        if not refused:
            refused.append(request)
            error = {"code": "invalid_api_key", "message": "expired"}
            await peer.send("error", request, status=401, error=error)
        else:
            await peer.answer(request, "r1", "Hi")
        await peer.wait_until_client_leaves()

    refused: list[Any] = []
    async with socket_provider(websocket_handler(script), credential=credential) as (provider, _):
        recorded = await told(Recording(provider, path))
    assert isinstance(recorded.tokens[-1], End)
    assert [line["outcome"] for line in _lines(path, "end")] == ["renewed", "complete"]
    assert (await told(Replaying(path, timing="virtual"))).facts == recorded.facts


@BOTH_WIRES
async def test_waiting_for_a_connection_is_part_of_the_recording(
    section_of: SectionOf, path: Path, autojump_clock: MockClock
) -> None:
    """A call that waited for its turn has it at the same time again."""
    settings: dict[str, Any] = {"pool": PoolSettings(max_connections=1)}
    if section_of is socket_section:
        settings["quirks"] = {"lanes": 1}
    handler = websocket_handler(_slowly)
    async with (
        socket_provider(handler, section_of=partial(section_of, **settings)) as (provider, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(told, provider, [Message.user("abc")])
        await trio.testing.wait_all_tasks_blocked()
        waited = await told(Recording(provider, path))
    assert waited.times[0] == pytest.approx(3.75 + 1, abs=1e-5)
    await _play_back(path, waited)
