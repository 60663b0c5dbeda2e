"""`tokenwire doctor`: what it prints, what it advises, and how it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import trio

from tests.conftest import TLSServer
from tests.llama import running_llama
from tests.trio_backend.cli_process import (
    COMMAND,
    child_environment,
    invoke,
    invoke_beside_server,
    json_lines,
    run_on_terminal,
)
from tests.trio_backend.servers import (
    STREAM_HEAD,
    Handler,
    ServerSide,
    chunk,
    refusal,
    replies,
    sends_and_closes,
    socket_server,
    text_event,
)
from tokenwire_trio.doctor import STAGES

_KEY = "sk-0123456789abcdef"
_PAGE = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"


def _last_lines(output: str) -> str:
    table, upshot = output.split("\n\n")
    assert len(table.splitlines()) == len(STAGES)
    return upshot


def test_a_working_configuration_is_a_table_and_good_news(llama_url: str) -> None:
    """A line for each stage, and below them where the answer came from."""
    result = invoke("doctor", "--base-url", llama_url)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split()[:2] for line in result.stdout.split("\n\n")[0].splitlines()]
    assert rows[:5] == [
        ["DNS", "ok"],
        ["TCP", "ok"],
        ["proxy", "skipped"],
        ["TLS", "skipped"],
        ["HTTP", "ok"],
    ]
    upshot = _last_lines(result.stdout)
    assert upshot.startswith(f"All is well: {llama_url}/chat/completions answered, first token")


def test_json_is_an_object_a_stage_and_a_summary(llama_url: str) -> None:
    """A script reads the same as a person."""
    result = invoke("doctor", "--base-url", llama_url, "--json")
    *stages, summary = json_lines(result.stdout_bytes)
    assert [stage["stage"] for stage in stages] == list(STAGES)
    assert all(
        stage.keys() == {"type", "stage", "outcome", "seconds", "detail"} for stage in stages
    )
    assert (summary["type"], summary["ok"], summary["failed"]) == ("summary", True, None)
    assert (summary["error"], summary["likely_fix"]) == (None, None)
    assert summary["url"] == f"{llama_url}/chat/completions"
    assert (summary["status"], summary["model"]) == (200, "tiny")
    assert summary["timings"]["first_token"] > 0


def test_json_of_a_failure_has_the_error_and_the_fix() -> None:
    """The error's facts are those that `ask --json` prints."""
    result = invoke("doctor", "--base-url", "http://127.0.0.1:1/v1", "--json")
    summary = json_lines(result.stdout_bytes)[-1]
    assert result.exit_code == 10
    assert (summary["ok"], summary["failed"]) == (False, "tcp")
    assert (summary["error"]["error"], summary["error"]["phase"]) == ("network", "tcp")
    assert summary["likely_fix"] == "start the server, or correct host and port"


def test_a_configuration_file_is_examined(llama_url: str, tmp_path: Path) -> None:
    """The options are those of `ask`."""
    file = tmp_path / "config.toml"
    file.write_text(f'[provider]\nkind="openai-chat"\nendpoint={{base_url="{llama_url}"}}\n')
    assert invoke("doctor", "--config", str(file)).exit_code == 0


@pytest.mark.parametrize("arguments", [(), ("--base-url", "host.example"), ("Hi",)])
def test_wrong_use_ends_with_2(arguments: tuple[str, ...]) -> None:
    """Nothing was examined then."""
    result = invoke("doctor", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_host_that_does_not_exist_says_what_to_check() -> None:
    """The failed stage is named, with the setting that leads there."""
    result = invoke("doctor", "--base-url", "http://no-such-host.invalid/v1")
    upshot = _last_lines(result.stdout)
    assert result.exit_code == 10
    assert upshot.startswith("DNS failed: ")
    assert "Likely fix: check " in upshot
    assert "The request was for http://no-such-host.invalid/v1/chat/completions" in upshot


def test_an_unknown_issuer_names_the_option(llama_tls: TLSServer) -> None:
    """Both spellings are told, the option and the setting."""
    options = ("doctor", "--base-url", llama_tls.base_url)
    distrusting = invoke(*options)
    assert distrusting.exit_code == 10
    assert "TLS failed: " in distrusting.stdout
    assert "Likely fix: --ca-file FILE" in distrusting.stdout
    assert invoke(*options, "--ca-file", str(llama_tls.ca_file)).exit_code == 0


def test_a_wrong_key_names_its_variable_and_not_the_key(tiny_model: Path) -> None:
    """A real server refuses it."""
    with running_llama(tiny_model, "--api-key", _KEY) as address:
        options = ("doctor", "--base-url", f"{address}/v1")
        wrong = invoke(*options, "--key-env", "SOME_KEY", env={"SOME_KEY": "sk-wrong-wrong"})
        right = invoke(*options, "--key-env", "SOME_KEY", env={"SOME_KEY": _KEY})
        none = invoke(*options)
    assert [wrong.exit_code, right.exit_code, none.exit_code] == [11, 0, 11]
    assert "auth failed: " in wrong.stdout
    assert "Likely fix: the key came from the variable SOME_KEY" in wrong.stdout
    assert "Likely fix: name the variable that holds your key with --key-env" in none.stdout
    assert "sk-" not in wrong.output + right.output + none.output


def _answers_slowly(head: bytes) -> Handler:
    """Make a handler that sends a head, and nothing behind it."""

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(head)
        await peer.wait_until_client_leaves()

    return handler


@pytest.mark.parametrize(
    ("handler", "code", "stage", "fix"),
    [
        (replies(refusal(403)), 11, "auth", "the key may not do this"),
        (replies(refusal(404)), 14, "HTTP", "tokenwire presets"),
        (replies(refusal(302)), 14, "HTTP", "set base_url"),
        (replies(refusal(400)), 14, "HTTP", "name a model with --model"),
        (replies(refusal(500)), 14, "HTTP", "try again later"),
        (replies(refusal(429)), 12, "HTTP", "wait a moment"),
        (replies(refusal(402)), 12, "HTTP", "check the account's credit"),
        (replies(_PAGE), 13, "first token", "it leads to a web page"),
        (replies(b"SSH-2.0-x\r\n"), 13, "HTTP", "another protocol"),
        (sends_and_closes(), 10, "HTTP", "another protocol"),
        (replies(STREAM_HEAD + b"c\r\ndata: oops\n\n\r\n"), 13, "first token", "wire format"),
        (sends_and_closes(STREAM_HEAD + b"9\r\ndata: x\r\n"), 10, "first token", "cuts the answer"),
        (replies(STREAM_HEAD + b"0\r\n\r\n"), 13, "first token", "base_url"),
        (
            replies(STREAM_HEAD + chunk(text_event("Hi")) + b"0\r\n\r\n"),
            13,
            "answer",
            "a proxy in between",
        ),
        (replies(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000), 13, "HTTP", "raise the limit only"),
        (_answers_slowly(STREAM_HEAD), 10, "first token", "raise deadlines.total"),
    ],
)
async def test_each_failure_has_a_stage_and_a_likely_fix(
    handler: Handler, code: int, stage: str, fix: str
) -> None:
    """What a person would try next stands below what went wrong."""
    async with socket_server(handler) as base_url:
        result = await invoke_beside_server("doctor", "--base-url", base_url, "--timeout", "1")
    assert result.exit_code == code
    upshot = _last_lines(result.stdout)
    assert upshot.startswith(f"{stage} failed: openai-chat")
    assert "Likely fix: " in upshot
    assert fix in upshot.split("Likely fix: ")[1]


async def test_a_bad_setting_is_looked_for_in_the_settings_where_a_model_is_named() -> None:
    """Whoever has named a model is not told to name one."""
    async with socket_server(replies(refusal(400))) as base_url:
        result = await invoke_beside_server("doctor", "--base-url", base_url, "--model", "m")
    assert "Likely fix: compare the settings" in result.stdout


def test_a_proxy_that_is_none_says_what_to_check(tmp_path: Path, llama_url: str) -> None:
    """The model's server is no proxy, so it refuses to be one."""
    file = tmp_path / "config.toml"
    proxy = llama_url.removesuffix("/v1")
    file.write_text(
        '[provider]\nkind="openai-chat"\n'
        f'endpoint={{base_url="http://127.0.0.1:2/v1", proxy="{proxy}"}}\n'
    )
    result = invoke("doctor", "--config", str(file))
    assert result.exit_code == 10
    assert "proxy failed: " in result.stdout
    assert "Likely fix: check proxy.url" in result.stdout


@pytest.mark.parametrize(
    ("scheme", "stage", "fix"),
    [("https", "TLS", "check scheme, host and port"), ("http", "HTTP", "raise deadlines.total")],
)
async def test_a_peer_that_says_nothing_is_given_up_at_the_deadline(
    scheme: str, stage: str, fix: str
) -> None:
    """The stage in which it happened decides what to try."""

    async def says_nothing(peer: ServerSide) -> None:
        await peer.wait_until_client_leaves()

    async with socket_server(says_nothing) as base_url:
        url = base_url.replace("http", scheme)
        # Enough for a busy machine to load the system's certificates, which counts.
        result = await invoke_beside_server("doctor", "--base-url", url, "--timeout", "2")
    assert result.exit_code == 10
    assert f"{stage} failed: openai-chat: the total deadline" in result.stdout
    assert fix in result.stdout


def test_a_terminal_gets_lines_that_fit_and_dimmed_what_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Words stay whole, and stages that were not reached stand back."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    options = ("--base-url", "http://127.0.0.1:1/v1")
    code, output = run_on_terminal("doctor", *options, COLUMNS="60")
    assert code == 10
    upshot = _last_lines(output)
    assert all(len(line) <= 60 for line in upshot.splitlines())
    assert "127.0.0.1: connection refused" in " ".join(upshot.split())
    assert "\x1b[2mHTTP         not reached\x1b[0m\n" in output


async def test_rows_come_while_the_call_goes_on() -> None:
    """Whoever waits sees how far it got."""
    released = trio.Event()

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await released.wait()

    async with socket_server(handler) as base_url:
        process = await trio.lowlevel.open_process(
            [*COMMAND, "doctor", "--base-url", base_url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=child_environment(),
        )
        assert process.stdout is not None
        output = b""
        while b"TLS " not in output:
            output += await process.stdout.receive_some()
        assert b"HTTP" not in output
        released.set()
        rest = b"".join([data async for data in process.stdout])
        assert b"HTTP         failed" in rest
        assert await process.wait() == 10
