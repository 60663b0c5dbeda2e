"""`tokenwire ask` where the answer fails: exit codes, messages, interruption, closed pipes."""

import signal
import subprocess

import pytest
import trio

from tests.trio_backend.cli_process import (
    COMMAND,
    child_environment,
    invoke,
    invoke_beside_server,
    json_lines,
    start_process,
)
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    STREAM_HEAD,
    Handler,
    ServerSide,
    chunk,
    event,
    refusal,
    replies,
    sends_and_closes,
    socket_server,
    text_event,
)

_KEY = "sk-0123456789abcdef"
_HTML = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"
_BEGINNING = STREAM_HEAD + chunk(text_event("one"))


@pytest.mark.parametrize(
    ("handler", "code", "label"),
    [
        (replies(refusal(401)), 11, "auth"),
        (replies(refusal(403)), 11, "auth"),
        (replies(refusal(429)), 12, "rate_limit"),
        (replies(refusal(400)), 14, "other"),
        (replies(refusal(500)), 14, "other"),
        (replies(_HTML), 13, "malformed"),
        (replies(_BEGINNING + LAST_CHUNK), 13, "malformed"),
        (sends_and_closes(_BEGINNING), 10, "network"),
        (sends_and_closes(), 10, "network"),
    ],
)
async def test_each_kind_of_failure_has_its_exit_code(
    handler: Handler, code: int, label: str
) -> None:
    """The code tells scripts what happened, JSON the facts, and one line tells people."""
    async with socket_server(handler) as base_url:
        result = await invoke_beside_server("ask", "Hi", "--base-url", base_url, "--json")
    assert result.exit_code == code
    error = json_lines(result.stdout_bytes)[-1]
    assert (error["type"], error["error"]) == ("error", label)
    assert error.keys() >= {
        *("status", "code", "message", "retry_after", "request_id"),
        *("in_stream", "tokens_emitted", "retryable"),
    }
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


async def test_the_object_of_an_error_has_the_fields_of_its_kind() -> None:
    """A connection that breaks says where, and how much had come."""
    async with socket_server(sends_and_closes(_BEGINNING)) as base_url:
        result = await invoke_beside_server("ask", "Hi", "--base-url", base_url, "--json")
    first, error = json_lines(result.stdout_bytes)
    assert first == {"type": "text", "choice": 0, "text": "one"}
    assert (error["phase"], error["timeout"]) == ("body", None)
    assert (error["in_stream"], error["tokens_emitted"]) == (True, 1)


async def test_a_refused_key_is_named_by_its_variable_and_not_shown() -> None:
    """Even a server that echoes the key can't get it onto the screen."""
    handler = replies(refusal(401, f"Incorrect API key provided: {_KEY}"))
    async with socket_server(handler) as base_url:
        options = ("--base-url", base_url, "--key-env", "SOME_KEY", "--json")
        result = await invoke_beside_server("ask", "Hi", *options, env={"SOME_KEY": _KEY})
    assert "SOME_KEY" in result.stderr
    assert _KEY not in result.output


async def test_without_a_key_the_option_is_named() -> None:
    """A newcomer who forgot the key learns how to give it."""
    async with socket_server(replies(refusal(401))) as base_url:
        result = await invoke_beside_server("ask", "Hi", "--base-url", base_url)
    assert "--key-env" in result.stderr


async def test_the_key_is_sent() -> None:
    """The variable's value goes out as the credential."""
    requests: list[bytes] = []

    async def handler(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        await peer.send(refusal(400))

    async with socket_server(handler) as base_url:
        options = ("--base-url", base_url, "--key-env", "SOME_KEY", "--header", "X-Team: blue")
        await invoke_beside_server("ask", "Hi", *options, env={"SOME_KEY": _KEY})
    assert f"authorization: Bearer {_KEY}\r\n".encode() in requests[0]
    assert b"x-team: blue\r\n" in requests[0]


@pytest.mark.parametrize(
    ("refused", "advice"),
    [
        (b"429 No\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}", "try again in 7 s"),
        (b"402 No\r\ncontent-length: 2\r\n\r\n{}", "check the account's credit"),
    ],
)
async def test_a_limit_says_whether_waiting_helps(refused: bytes, advice: str) -> None:
    """Too fast and out of credit have one exit code, but not one remedy."""
    async with socket_server(replies(b"HTTP/1.1 " + refused)) as base_url:
        result = await invoke_beside_server("ask", "Hi", "--base-url", base_url)
    assert result.exit_code == 12
    assert advice in result.stderr


async def test_a_refusal_is_no_text() -> None:
    """What the model says in place of an answer does not get into a file that is to hold one."""
    refusing = event({"choices": [{"index": 0, "delta": {"refusal": "I won't."}}]})
    response = STREAM_HEAD + chunk(refusing + FINISH_EVENT + DONE_EVENT) + LAST_CHUNK
    async with socket_server(replies(response)) as base_url:
        options = ("ask", "Hi", "--base-url", base_url)
        text = await invoke_beside_server(*options)
        objects = await invoke_beside_server(*options, "--json")
    assert (text.stdout, text.stderr) == ("", "refusal: I won't.\n")
    refusal_object = {"type": "refusal", "choice": 0, "text": "I won't."}
    assert json_lines(objects.stdout_bytes)[0] == refusal_object


async def test_a_wrong_path_shows_the_url_and_a_hint() -> None:
    """The most common mistake in a base URL is told with what was asked for."""
    async with socket_server(replies(refusal(404))) as base_url:
        root = base_url.removesuffix("/v1")
        result = await invoke_beside_server("ask", "Hi", "--base-url", root)
    assert result.exit_code == 14
    assert f"{root}/chat/completions" in result.stderr
    assert "/v1" in result.stderr


def test_an_unreachable_server_is_one_line() -> None:
    """A refused connection names the address."""
    result = invoke("ask", "Hi", "--base-url", "http://localhost:1/v1")
    assert result.exit_code == 10
    assert "localhost:1" in result.stderr
    assert result.stderr.count("\n") == 1


async def test_the_timeout_ends_a_silent_answer() -> None:
    """`--timeout` bounds the whole call, and the error says which deadline it was."""
    async with socket_server(replies(_BEGINNING)) as base_url:
        options = ("--base-url", base_url, "--timeout", "0.2", "--json")
        result = await invoke_beside_server("ask", "Hi", *options)
    assert result.exit_code == 10
    assert json_lines(result.stdout_bytes)[-1]["timeout"] == "total"
    assert "--timeout" in result.stderr


async def test_a_failure_in_mid_answer_begins_a_line_of_its_own() -> None:
    """Where both streams lead to one place, the message does not stick to the text."""
    async with socket_server(sends_and_closes(_BEGINNING)) as base_url:
        process = await trio.run_process(
            [*COMMAND, "ask", "Hi", "--base-url", base_url],
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            env=child_environment(),
        )
    text, message, rest = process.stdout.decode().split("\n")
    assert text == "one"
    assert message.startswith("Error: ")
    assert not rest


async def test_every_token_is_shown_before_the_next_one_is_made() -> None:
    """The server goes on only when the client has shown what came before."""
    shown = trio.Event()

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(_BEGINNING)
        await shown.wait()
        await peer.send(chunk(text_event("two") + FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    async with socket_server(handler) as base_url:
        process = await start_process("ask", "Hi", "--base-url", base_url)
        assert process.stdout is not None
        assert await process.stdout.receive_some() == b"one"
        shown.set()
        assert b"".join([data async for data in process.stdout]) == b"two"
        assert await process.wait() == 0


async def test_an_interrupt_closes_the_connection_and_ends_with_130() -> None:
    """Ctrl-C in mid-answer leaves neither a connection nor a traceback."""
    left = trio.Event()

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(_BEGINNING)
        await peer.wait_until_client_leaves()
        left.set()

    async with socket_server(handler) as base_url:
        process = await start_process("ask", "Hi", "--base-url", base_url)
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.receive_some() == b"one"
        process.send_signal(signal.SIGINT)
        await left.wait()
        assert await process.wait() == 130
        assert await process.stderr.receive_some() == b""


async def test_a_closed_pipe_ends_quietly() -> None:
    """When the reader goes, as `head` does, so does the connection, without a word."""
    pipe_closed, left = trio.Event(), trio.Event()

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(_BEGINNING)
        await pipe_closed.wait()
        await peer.send(chunk(text_event("two")))
        await peer.wait_until_client_leaves()
        left.set()

    async with socket_server(handler) as base_url:
        process = await start_process("ask", "Hi", "--base-url", base_url)
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.receive_some() == b"one"
        await process.stdout.aclose()
        pipe_closed.set()
        await left.wait()
        assert await process.wait() == 141
        assert await process.stderr.receive_some() == b""
