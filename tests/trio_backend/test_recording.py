"""`tokenwire_trio.Recording` and `Replaying`: what is played back is what happened."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.played_back import told
from tests.trio_backend.playing import section_for
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import (
    STREAM_HEAD,
    MemoryNetwork,
    ServerSide,
    answer,
    chunk,
    text_event,
)
from tests.trio_backend.test_canaries import canaries_in, planted
from tests.trio_backend.test_credentials import Gate, gives
from tokenwire import (
    Deadlines,
    End,
    LocalProtocolError,
    Message,
    NetworkError,
    ProviderConfig,
    ProviderError,
    RetryPolicy,
    TextDelta,
    Token,
)
from tokenwire.secret import REDACTED, Secret
from tokenwire_trio import (
    Recording,
    RecordingError,
    Replaying,
    Retrying,
    open_provider,
)
from tokenwire_trio.recording import file_format
from tokenwire_trio.testing import SCENARIOS, Scenario, serve_in_memory

_AGAIN = RetryPolicy(attempts=2, retry_sent=True, jitter=0)
_BEGUN_ANSWER = STREAM_HEAD + chunk(text_event("Hello"))
_WELL_BEHAVED = SCENARIOS["well-behaved"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file to record to, which is not there yet."""
    return tmp_path / "recording.jsonl"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


# Against every server


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
async def test_what_happened_is_played_back(
    scenario: Scenario, path: Path, ca_file: Path, server_context: Any, autojump_clock: MockClock
) -> None:
    """The same tokens and the same error, each at its time; and the file holds no secret."""
    tls = server_context if "tcp" not in scenario.over else None
    prompt = "qprmptzx confessvjq 5544332211"
    if scenario.large_request:
        prompt *= 50_000
    async with serve_in_memory(scenario, tls=tls) as server:
        section = planted(server, ca_file, scenario)
        async with open_provider(section, dial=server.dial) as provider:
            recording = Recording(provider, path, prompts=False)
            recorded = await told(recording, [Message.user(prompt)])
    assert canaries_in(path.read_text("utf-8")) == []
    replayed = await told(Replaying(path))
    assert replayed.facts == recorded.facts
    assert replayed.times == pytest.approx(recorded.times, abs=1e-5)


@pytest.mark.parametrize("scenario", ["one-byte-segments", "dripping-tokens"])
async def test_virtual_time_waits_for_nothing(
    scenario: str, path: Path, ca_file: Path, autojump_clock: MockClock
) -> None:
    """The tokens are the same, at once, and the timings are still those of the recording."""
    async with serve_in_memory(SCENARIOS[scenario]) as server:
        section = section_for(server, ca_file, deadlines=Deadlines(total=60))
        async with open_provider(section, dial=server.dial) as provider:
            recorded = await told(Recording(provider, path))
    replayed = await told(Replaying(path, timing="virtual"))
    assert replayed.facts == recorded.facts
    assert replayed.times == [0.0] * len(recorded.times)
    async with Replaying(path, timing="virtual").complete(HELLO) as stream:
        with suppress(ProviderError):
            await stream.collect()
        assert stream.response.timings.total == pytest.approx(recorded.times[-1], abs=1e-5)


async def test_a_model_is_played_back(llama_url: str, path: Path) -> None:
    """A real server's answer: its tokens, its end, its status."""
    config = ProviderConfig(max_output_tokens=8)
    async with open_provider(provider_section(llama_url)) as provider:
        async with Recording(provider, path).complete(HELLO, config) as stream:
            tokens = [token async for token in stream]
        completion = stream.partial()
    async with Replaying(path, timing="virtual").complete(HELLO) as stream:
        assert [token async for token in stream] == tokens
    assert stream.partial() == completion
    assert stream.response.status == 200
    assert len(tokens) > 3


# What is written


async def _recorded(
    path: Path,
    nursery: trio.Nursery,
    *responses: bytes,
    key: str = "key-0123456789",
    **options: Any,
) -> None:
    """Record an answer to each of the given responses."""
    left = iter(responses)

    async def handler(peer: ServerSide) -> None:
        while await peer.receive_request():
            await peer.send(next(left))

    section = provider_section(credential=Secret(key))
    async with open_provider(section, dial=MemoryNetwork(nursery, handler)) as provider:
        for number in range(len(responses)):
            recording = Recording(provider, path, **options)
            await told(recording, [Message.user(f"Question {number}")])


async def test_the_file_says_all_but_the_key(path: Path, nursery: trio.Nursery) -> None:
    """The request, the response and how it ended, a line each."""
    await _recorded(path, nursery, answer("Hi"))
    request, head, data, eof, end = _lines(path)
    assert (request["tokenwire_recording"], request["wire"]) == (1, "openai-chat")
    assert request["url"] == "http://localhost/v1/chat/completions"
    assert ["authorization", REDACTED] in request["headers"]
    assert request["body"]["messages"] == [{"role": "user", "content": "Question 0"}]
    assert (head["event"], head["status"]) == ("head", 200)
    assert data["text"].startswith("data: {")
    assert (eof["event"], eof["clean"]) == ("eof", True)
    assert (end["event"], end["outcome"], end["error"]) == ("end", "complete", None)
    assert {line["exchange"] for line in (head, data, eof, end)} == {request["exchange"]}


async def test_a_part_of_the_key_in_a_prompt_is_redacted_too(
    path: Path, nursery: trio.Nursery
) -> None:
    """Also where what is left of the body is no JSON any more."""
    await _recorded(path, nursery, answer("Hi"), key="Question 0")
    await _recorded(path, nursery, answer("Hi"), key='"user","con')
    bodies = [line["body"] for line in _lines(path) if line["event"] == "request"]
    assert bodies[0]["messages"][0]["content"] == REDACTED
    assert f'"role":{REDACTED}tent":"Question 0"' in bodies[1]


async def test_prompts_may_stay_out(path: Path, nursery: trio.Nursery) -> None:
    """Their length stays in."""
    await _recorded(path, nursery, answer("Hi"), prompts=False)
    [request, *_] = _lines(path)
    assert request["body"] is None
    assert request["body_bytes"] > 30
    assert b"Question" not in path.read_bytes()


async def test_the_file_is_for_its_owner(path: Path, nursery: trio.Nursery) -> None:
    """It holds a conversation."""
    await _recorded(path, nursery, answer("Hi"))
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


async def test_cookies_stay_out_and_rate_limits_in(path: Path, nursery: trio.Nursery) -> None:
    """Both have names that sound like a secret's."""
    fields = b"set-cookie: session=abc\r\nx-ratelimit-remaining-tokens: 7\r\ntransfer-"
    await _recorded(path, nursery, answer("Hi").replace(b"transfer-", fields))
    headers = dict(_lines(path)[1]["headers"])
    assert headers["set-cookie"] == REDACTED
    async with Replaying(path).complete(HELLO) as stream:
        assert [limit.remaining for limit in stream.response.rate_limits] == [7]


async def test_what_comes_is_written_before_more_is_waited_for(
    path: Path, nursery: trio.Nursery
) -> None:
    """A program that crashes in mid-answer leaves a file that says so when it is played."""

    async def handler(peer: ServerSide) -> None:
        await peer.receive_request()
        await peer.send(_BEGUN_ANSWER)
        await peer.receive_request()

    network = MemoryNetwork(nursery, handler)
    async with (
        open_provider(provider_section(), dial=network) as provider,
        Recording(provider, path).complete(HELLO) as stream,
    ):
        await anext(stream)
        left_by_a_crash = path.read_bytes()
    path.write_bytes(left_by_a_crash + b'{"event":"da')
    replayed = await told(Replaying(path, timing="virtual"))
    assert replayed.tokens == [TextDelta("Hello")]
    assert isinstance(replayed.error, NetworkError)
    assert "breaks off" in replayed.error.message


async def test_an_answer_that_was_left_ends_there(path: Path, nursery: trio.Nursery) -> None:
    """Whoever asks for more is told why there is none."""

    async def handler(peer: ServerSide) -> None:
        await peer.receive_request()
        await peer.send(_BEGUN_ANSWER)
        await peer.receive_request()

    network = MemoryNetwork(nursery, handler)
    async with open_provider(provider_section(), dial=network) as provider:
        with trio.CancelScope() as scope:
            async with Recording(provider, path).complete(HELLO) as stream:
                await anext(stream)
                scope.cancel()
                await anext(stream)
    assert _lines(path)[-1]["outcome"] == "left"
    async with Replaying(path).complete(HELLO) as stream:
        with pytest.raises(NetworkError, match="its caller had left the answer"):
            await stream.collect()
    assert stream.partial().text == "Hello"


async def test_leaving_may_be_cancelled(path: Path, autojump_clock: MockClock) -> None:
    """While the end of the body is awaited; the exchange is written to its end all the same."""
    async with (
        serve_in_memory(SCENARIOS["done-held-open"]) as server,
        open_provider(provider_section(server.base_url), dial=server.dial) as provider,
    ):
        with trio.move_on_after(0.05) as scope:
            async with Recording(provider, path).complete(HELLO) as stream:
                async for token in stream:
                    if isinstance(token, End):
                        break
    assert scope.cancelled_caught
    assert _lines(path)[-1]["outcome"] == "complete"


async def test_many_answers_share_a_file(path: Path, ca_file: Path) -> None:
    """Their lines mix, and each exchange is whole."""
    async with (
        serve_in_memory(SCENARIOS["one-byte-segments"]) as server,
        open_provider(section_for(server, ca_file), dial=server.dial) as provider,
        trio.open_nursery() as nursery,
    ):
        recording = Recording(provider, path)
        for _ in range(4):
            nursery.start_soon(told, recording)
    names = [line["exchange"] for line in _lines(path)]
    assert names != sorted(names)
    replaying = Replaying(path, timing="virtual")
    for _ in range(4):
        assert isinstance((await told(replaying)).tokens[-1], End)


async def test_a_recording_goes_on_after_a_crash(path: Path, nursery: trio.Nursery) -> None:
    """A line that was cut off does not damage those that are added."""
    path.write_bytes(b'{"event":"request","tokenwire')
    await _recorded(path, nursery, answer("Hi"))
    assert path.read_bytes().count(b"\n") == 6
    with pytest.raises(RecordingError, match=r"^line 1: "):
        Replaying(path)


async def test_a_renewed_credential_is_one_answer(path: Path, nursery: trio.Nursery) -> None:
    """Both requests are in the file; what is played is the answer that the caller got."""
    section = provider_section(credential=gives("old-key-0123", "new-key"))
    async with open_provider(section, dial=MemoryNetwork(nursery, Gate())) as provider:
        recorded = await told(Recording(provider, path))
    outcomes = [line["outcome"] for line in _lines(path) if line["event"] == "end"]
    assert outcomes == ["renewed", "complete"]
    assert (await told(Replaying(path, timing="virtual"))).facts == recorded.facts
    assert b"old-key" not in path.read_bytes()


async def test_every_attempt_is_recorded(
    path: Path, ca_file: Path, autojump_clock: MockClock
) -> None:
    """What retries goes around the recording, and around its replaying."""
    async with (
        serve_in_memory(SCENARIOS["no-answer"], _WELL_BEHAVED) as server,
        open_provider(section_for(server, ca_file), dial=server.dial) as provider,
    ):
        recorded = await told(Retrying(Recording(provider, path), _AGAIN))
    replayed = await told(Retrying(Replaying(path), _AGAIN))
    assert replayed.facts == recorded.facts
    assert isinstance(recorded.tokens[-1], End)


# What cannot be recorded


async def test_what_wraps_a_provider_is_not_recorded(path: Path) -> None:
    """No bytes go through it; the error says how to wrap."""
    async with open_provider(provider_section()) as provider:
        wrapped: Any = Retrying(provider, RetryPolicy())
        assert repr(Recording(provider, path)) == f"<Recording {provider!r}>"
        with pytest.raises(TypeError, match=r"not Retrying: .* around the Recording"):
            Recording(wrapped, path)


async def test_a_file_that_cannot_be_written_is_told_before_asking(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """Nothing is sent that would not be recorded."""
    with pytest.raises(FileNotFoundError):
        await _recorded(tmp_path / "missing" / "file", nursery, answer("Hi"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
async def test_a_full_disk_is_told_before_asking(nursery: trio.Nursery) -> None:
    """As any other reason not to write."""
    with pytest.raises(OSError, match="No space left"):
        await _recorded(Path("/dev/full"), nursery, answer("Hi"))


async def test_a_disk_that_fills_up_spoils_no_answer(
    path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes whole, and the end of the block says that its recording is not."""
    written = 0
    write = os.write

    def write_once(descriptor: int, data: bytes) -> int:
        nonlocal written
        written += 1
        if written > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    async def handler(peer: ServerSide) -> None:
        await peer.receive_request()
        await peer.send(answer("Hi"))

    async with open_provider(provider_section(), dial=MemoryNetwork(nursery, handler)) as provider:
        monkeypatch.setattr("tokenwire_trio.recording.appended_file.os.write", write_once)
        tokens: list[Token] = []
        with pytest.raises(OSError, match="No space left"):
            async with Recording(provider, path).complete(HELLO) as stream:
                tokens += [token async for token in stream]
    assert isinstance(tokens[-1], End)


# Which exchange is played


async def test_exchanges_are_played_in_order(path: Path, nursery: trio.Nursery) -> None:
    """Whatever is asked; each once."""
    await _recorded(path, nursery, answer("one"), answer("two"))
    replaying = Replaying(path)
    for text in ("one", "two"):
        async with replaying.complete([Message.user("anything")]) as stream:
            assert (await stream.collect()).text == text
    with pytest.raises(LocalProtocolError, match="all 2 were played"):
        async with replaying.complete(HELLO):
            pass
    assert repr(replaying) == "<Replaying 2 exchanges>"


async def test_exchanges_are_found_by_their_request(path: Path, nursery: trio.Nursery) -> None:
    """In any order; what was never asked is told."""
    await _recorded(path, nursery, answer("one"), answer("two"))
    replaying = Replaying(path, match="request", defaults=ProviderConfig(model="tiny-chat"))
    for number, text in ((1, "two"), (0, "one")):
        async with replaying.complete([Message.user(f"Question {number}")]) as stream:
            assert (await stream.collect()).text == text
    replaying = Replaying(path, match="request", defaults=ProviderConfig(model="tiny-chat"))
    with pytest.raises(LocalProtocolError, match=r"\(2 of 2 are left\): record again"):
        async with replaying.complete([Message.user("Question 2")]):
            pass


async def test_without_prompts_no_request_is_found(path: Path, nursery: trio.Nursery) -> None:
    """The error says what else there is."""
    await _recorded(path, nursery, answer("Hi"), prompts=False)
    with pytest.raises(ValueError, match='use match="order"'):
        Replaying(path, match="request")


@pytest.mark.parametrize("option", ["timing", "match"])
async def test_an_option_that_is_none_is_told(
    option: str, path: Path, nursery: trio.Nursery
) -> None:
    """With those that there are."""
    await _recorded(path, nursery, answer("Hi"))
    options: Any = {option: "fast"}
    with pytest.raises(ValueError, match=f"^{option} must be one of "):
        Replaying(path, **options)


async def test_a_replayed_answer_may_be_closed_by_another_task(
    path: Path, ca_file: Path, autojump_clock: MockClock
) -> None:
    """A task that waits for a token is told, as it would be with a network."""
    async with serve_in_memory(SCENARIOS["stall-in-mid-token"]) as server:
        section = section_for(server, ca_file, deadlines=Deadlines(gap=60))
        async with open_provider(section, dial=server.dial) as provider:
            await told(Recording(provider, path))
    async with Replaying(path).complete(HELLO) as stream, trio.open_nursery() as nursery:

        async def close() -> None:
            await trio.sleep(30)
            await stream.aclose()

        nursery.start_soon(close)
        with pytest.raises(trio.ClosedResourceError):
            await stream.collect()
    assert trio.current_time() < 100


# Damage


_DAMAGE: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "empty": (lambda lines: [], "^the recording is empty$"),
    "no JSON": (lambda lines: [*lines[:2], b"{", *lines[3:]], "^line 3: no line of a recording"),
    "another line": (lambda lines: [lines[0], b"[1]"], "^line 2: no line of a recording"),
    "an unknown event": (lambda lines: [b'{"event":"x"}'], "^line 1: no line of a recording"),
    "no UTF-8": (lambda lines: [b"\xff\xfe"], "^line 1: no line of a recording"),
    "too deep": (lambda lines: [b"[" * 100_000], "^line 1: no line of a recording"),
    "no request": (lambda lines: lines[1:], "^line 1: .* has no request$"),
    "a request twice": (lambda lines: lines * 2, "^line 6: .* began before$"),
    "after the end": (lambda lines: [*lines, lines[2]], "^line 6: .* has ended before$"),
    "a later version": (
        lambda lines: [lines[0].replace(b'recording":1', b'recording":3')],
        "^line 1: written in version 3 .* reads versions 1 and 2",
    ),
}


@pytest.mark.parametrize("damage", _DAMAGE)
async def test_a_damaged_file_is_told(damage: str, path: Path, nursery: trio.Nursery) -> None:
    """With the number of the line, and what is wrong with it."""
    await _recorded(path, nursery, answer("Hi"))
    change, message = _DAMAGE[damage]
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))
    with pytest.raises(RecordingError, match=message) as caught:
        Replaying(path)
    assert len(str(caught.value)) < 300


_WRONG: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "no head": (lambda lines: [lines[0], *lines[2:]], "^line 2: it cannot stand there"),
    "an unknown wire": (
        lambda lines: [line.replace(b"openai-chat", b"openai-chatter") for line in lines],
        "^line 1: .*openai-chat",
    ),
    "an unknown error": (
        lambda lines: [
            lines[0],
            lines[1].replace(b'"event":"head"', b'"event":"failure","error":{"error":"x"}'),
        ],
        "^line 2: it describes no error",
    ),
    "half an error": (
        lambda lines: [
            lines[0],
            lines[1].replace(b'"event":"head"', b'"event":"failure","error":{"error":"auth"}'),
        ],
        "^line 2: it describes no error",
    ),
}


@pytest.mark.parametrize("wrong", _WRONG)
async def test_lines_that_make_no_sense_are_told(
    wrong: str, path: Path, nursery: trio.Nursery
) -> None:
    """When they are played."""
    await _recorded(path, nursery, answer("Hi"))
    change, message = _WRONG[wrong]
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))
    with pytest.raises(RecordingError, match=message):
        async with Replaying(path).complete(HELLO):
            pass


async def test_a_line_without_bounds_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is."""
    monkeypatch.setattr(file_format, "MAX_LINE_BYTES", 100)
    path.write_bytes(b'{"event":"request"' + b" " * 200)
    with pytest.raises(RecordingError, match=r"^line 1: longer than 100 bytes$"):
        Replaying(path)
