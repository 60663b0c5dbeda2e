"""`tokenwire_trio.log`: what the one logger says of a call, and what it keeps to itself."""

from __future__ import annotations

import logging
import subprocess
import sys
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from tests.trio_backend.cli_process import child_environment
from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    MemoryNetwork,
    answer,
    keeps_alive,
    refusal,
    replies,
    socket_server,
)
from tests.trio_backend.socket_servers import answers_all, socket_provider, websocket_handler
from tests.trio_backend.test_canaries import CANARIES, canaries_in
from tokenwire.errors import AuthError, NetworkError, OtherError, ProviderError
from tokenwire.messages import Message
from tokenwire.provider import Provider
from tokenwire.secret import Secret
from tokenwire_trio import Retrying, open_provider
from tokenwire_trio.testing.scripted import ScriptedAnswer, ScriptedProvider

_REFUSED = NetworkError(phase="tcp", message="no", sent="nothing", retryable=True)


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:  # pyright: ignore[reportUnusedFunction]  # pytest finds it
    caplog.set_level(logging.DEBUG)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged, by us and nobody else."""
    assert {record.name for record in caplog.records} == {"tokenwire_trio"}
    return [record.getMessage() for record in caplog.records]


async def _ask(provider: Provider) -> None:
    async with provider.complete(HELLO) as stream:
        await stream.collect()


async def test_the_course_of_two_calls(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Their connection, which is opened once; request, response and end of each."""
    section = provider_section("http://localhost/v1", query={"code": Secret("s-1234567890")})
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, keeps_alive(answer("Hel", "lo")))
        async with open_provider(section, dial=network) as provider:
            await _ask(provider)
            await _ask(provider)
        nursery.cancel_scope.cancel()
    assert _lines(caplog) == [
        "request: POST http://localhost/v1/chat/completions, 82 bytes",
        "connection to localhost:80: opened",
        "response: status 200, request id req-1",
        "answer: stop, output tokens None, total 0.000 s",
        "request: POST http://localhost/v1/chat/completions, 82 bytes",
        "connection to localhost:80: reused",
        "response: status 200, request id req-1",
        "answer: stop, output tokens None, total 0.000 s",
        "connection to localhost:80: closed",
    ]


async def test_an_answer_that_is_left_is_incomplete(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Its connection is closed once."""
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, replies(answer("Hel", "lo")[:-60]))
        async with streaming(provider_section(), network) as stream:
            await anext(stream)
        nursery.cancel_scope.cancel()
    *_, closed, left = _lines(caplog)
    assert closed == "connection to localhost:80: closed"
    assert left == "answer: incomplete, total 0.000 s"


async def test_a_failure_is_told_by_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    """Not in the server's words, which may be anything."""
    async with socket_server(replies(refusal(400, "You said Hello"))) as base_url:
        with pytest.raises(OtherError):
            async with streaming(provider_section(base_url)):
                pass
    assert "failed: rejected, status 400, request id None, sent all" in _lines(caplog)
    assert "You said" not in caplog.text


async def test_a_call_over_a_socket(caplog: pytest.LogCaptureFixture) -> None:
    """Says the same; its connection is opened once."""
    async with socket_provider(websocket_handler(answers_all)) as (provider, _):
        await _ask(provider)
        await _ask(provider)
    # The test's own server logs as trio-websocket.
    lines = [one.getMessage() for one in caplog.records if one.name == "tokenwire_trio"]
    assert [line for line in lines if line.startswith("connection")] == [
        "connection to localhost:80: opened",
        "connection to localhost:80: closed",
    ]
    asked = [line for line in lines if line.startswith("request")]
    assert len(asked) == 2
    assert asked[0].startswith("request: GET http://localhost/v1/responses, ")
    assert lines.count("response: status 200, request id req-1") == 2
    assert sum(line.startswith("answer: stop, ") for line in lines) == 2


@pytest.mark.parametrize(
    ("error", "level", "told"),
    [
        (_REFUSED, logging.INFO, "network in tcp, status None, request id None, sent nothing"),
        (
            NetworkError(phase="head", message="late", timeout="first_byte"),
            logging.WARNING,
            "network in head, deadline first_byte, status None",
        ),
        (
            AuthError(message="no", status=401, request_id="r-1"),
            logging.WARNING,
            "auth, status 401",
        ),
    ],
)
async def test_attempts_are_told_and_what_follows(
    error: ProviderError,
    level: int,
    told: str,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    """A pause, or the reason why there is none."""
    provider = ScriptedProvider(ScriptedAnswer.failing(error), ScriptedAnswer.of("Hello"))
    with suppress(ProviderError):
        await _ask(Retrying(provider))
    [record] = caplog.records
    assert record.levelno == level
    [line] = _lines(caplog)
    assert line.startswith(f"Retrying: attempt 1 failed: {told}")
    assert ("the next one in " in line) == (level == logging.INFO)


async def test_nothing_of_a_call_is_in_the_root_loggers_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the key nor other secrets, the prompt or the answer, at any level, over HTTP."""
    handler = keeps_alive(answer(CANARIES["proxy"], CANARIES["proxy"]))
    async with socket_server(handler) as base_url:
        section = provider_section(
            base_url,
            credential=Secret(CANARIES["key"]),
            headers={"x-more": Secret(CANARIES["header"])},
            query={"code": Secret(CANARIES["query"])},
        )
        async with open_provider(section) as provider:
            question = [Message.user(CANARIES["prompt"])]
            async with Retrying(provider).complete(question) as stream:
                assert (await stream.collect()).text == CANARIES["proxy"] * 2
    assert len(caplog.records) >= 5
    shown = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert canaries_in(shown) == []


_WARNS = """
import trio
from tokenwire.errors import AuthError, ProviderError
from tokenwire.messages import Message
from tokenwire_trio import Retrying
from tokenwire_trio.testing.scripted import ScriptedAnswer, ScriptedProvider

async def main():
    provider = ScriptedProvider(ScriptedAnswer.failing(AuthError(message="no")))
    try:
        async with Retrying(provider).complete([Message.user("Hi")]):
            pass
    except ProviderError:
        print("raised")

trio.run(main)
"""


def test_a_program_without_logging_sees_nothing() -> None:
    """Python would print a library's warnings for it."""
    ran = subprocess.run(
        [sys.executable, "-c", _WARNS],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("raised\n", "")
