"""`tokenwire decode`: a recorded body in, events out."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.gguf import ANSWER
from tests.trio_backend.cli_process import (
    COMMAND,
    child_environment,
    invoke,
    json_lines,
    run_process,
)
from tests.trio_backend.servers import DONE_EVENT, FINISH_EVENT, event, text_event
from tokenwire.exchange import Exchange
from tokenwire.wire import WIRE_KINDS
from tokenwire_trio.cli.print_recording import is_recording
from tokenwire_trio.recording.file_format import SIGNATURE

_DATA = Path(__file__).parents[1] / "data"
_BODY = text_event("Grüße ") + text_event("日本語 👋") + FINISH_EVENT + DONE_EVENT
_TEXTS = ["Grüße ", "日本語 👋"]


@pytest.fixture
def body(tmp_path: Path) -> str:
    """Give a file with a whole answer."""
    file = tmp_path / "body.sse"
    file.write_bytes(_BODY)
    return str(file)


def test_the_events_of_a_body_are_printed(body: str) -> None:
    """Text and end come as `ask --json` prints them."""
    result = invoke("decode", "--wire", "openai-chat", body)
    *texts, end = json_lines(result.stdout_bytes)
    assert result.exit_code == 0
    assert [text["text"] for text in texts] == _TEXTS
    assert (end["type"], end["finish"]) == ("end", "stop")


@pytest.mark.parametrize("wire", WIRE_KINDS)
def test_every_wire_format_is_read(wire: str) -> None:
    """That includes those that make no request without a model, or a bound on the answer."""
    body = _DATA / wire.replace("-", "_") / f"reference.{'ndjson' if wire == 'ollama' else 'sse'}"
    result = invoke("decode", "--wire", wire, str(body))
    assert result.exit_code == 0, result.stderr
    assert json_lines(result.stdout_bytes)[-1]["type"] == "end"


@pytest.mark.parametrize(
    "split",
    [("--split", "1"), ("--split", "7"), ("--splits", "1,2,30"), ("--splits", "9999999,1")],
)
def test_the_split_does_not_matter(split: tuple[str, ...], body: str) -> None:
    """However the body is cut, the events are equal."""
    assert invoke("decode", *split, body).stdout == invoke("decode", body).stdout


def test_splits_are_used_up_and_the_rest_comes_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces are those that were asked for."""
    pieces: list[int] = []
    receive = Exchange.receive_data

    def recording(exchange: Exchange, data: bytes) -> object:
        pieces.append(len(data))
        return receive(exchange, data)

    monkeypatch.setattr(Exchange, "receive_data", recording)
    assert invoke("decode", "--splits", "10,5", "-", stdin=_BODY).exit_code == 0
    assert pieces == [10, 5, len(_BODY) - 15]


def test_standard_input_is_read_while_it_comes() -> None:
    """A live stream is decoded as it arrives."""
    with subprocess.Popen(
        [*COMMAND, "decode", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text_event("first"))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == "first"
        process.stdin.write(FINISH_EVENT + DONE_EVENT)
        process.stdin.close()
        assert json.loads(process.stdout.readline())["type"] == "end"
    assert process.returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_the_output_is_utf8_whatever_the_locale(encoding: str, body: str) -> None:
    """JSON is UTF-8, and nothing else has a say in it."""
    process = run_process("decode", body, PYTHONIOENCODING=encoding)
    assert [line["text"] for line in json_lines(process.stdout)[:-1]] == _TEXTS


def test_a_cut_connection_is_no_clean_end() -> None:
    """The same bytes are truncated where the body ended, and a network error where it broke."""
    clean = invoke("decode", "-", stdin=text_event("one"))
    cut = invoke("decode", "--cut", "-", stdin=text_event("one"))
    assert (clean.exit_code, cut.exit_code) == (13, 10)
    assert json_lines(clean.stdout_bytes)[-1]["reason"] == "truncated"
    assert json_lines(cut.stdout_bytes)[-1]["phase"] == "body"
    assert cut.stderr.startswith("Error: ")


@pytest.mark.parametrize(("status", "code"), [(401, 11), (429, 12), (500, 14), (302, 14)])
def test_a_failed_response_has_the_exit_code_of_its_kind(status: int, code: int) -> None:
    """The status decides as it does on the network."""
    result = invoke("decode", "--status", str(status), "-", stdin=b'{"error":{"message":"no"}}')
    assert result.exit_code == code
    assert json_lines(result.stdout_bytes)[-1]["status"] == status


def test_what_is_no_response_is_asked_about(tmp_path: Path, body: str) -> None:
    """A whole answer that is damaged later on is one all the same."""
    file = tmp_path / "config.toml"
    file.write_text("[provider]\n")
    result = invoke("decode", str(file))
    assert result.exit_code == 13
    assert "is FILE the body of a response" in result.stderr
    file.write_bytes(Path(body).read_bytes()[:-40])
    result = invoke("decode", str(file))
    assert result.exit_code == 13
    assert "is FILE" not in result.stderr


def test_headers_come_from_a_file_and_from_options(tmp_path: Path) -> None:
    """Both are taken, and a value may hold a colon."""
    file = tmp_path / "headers.json"
    file.write_text('[["x-request-id", "req:1"]]')
    options = ("--status", "429", "--headers", str(file), "--header", "Retry-After: 7")
    error = json_lines(invoke("decode", *options, "-", stdin=b"{}").stdout_bytes)[-1]
    assert (error["request_id"], error["retry_after"]) == ("req:1", 7)


def test_tool_calls_have_the_fields_that_are_promised() -> None:
    """Id and name are null where a piece has none, and the signature is left out."""
    calls = [{"index": 0, "id": "call_1", "function": {"name": "look_up", "arguments": "{"}}]
    more = [{"index": 0, "function": {"arguments": "}"}}]
    deltas = b"".join(
        event({"choices": [{"index": 0, "delta": {"tool_calls": delta}}]})
        for delta in (calls, more)
    )
    first, second, _ = json_lines(
        invoke("decode", "-", stdin=deltas + FINISH_EVENT + DONE_EVENT).stdout_bytes
    )
    common = {"type": "tool_call", "choice": 0, "index": 0}
    assert first == {**common, "id": "call_1", "name": "look_up", "arguments": "{"}
    assert second == {**common, "id": None, "name": None, "arguments": "}"}


def test_the_servers_own_durations_are_told() -> None:
    """As far as it says any."""
    line = b'{"model":"m","done":true,"done_reason":"stop","eval_duration":1500000000}\n'
    [end] = json_lines(invoke("decode", "--wire", "ollama", "-", stdin=line).stdout_bytes)
    assert end["durations"] == {"output_s": 1.5}


def test_log_probabilities_and_several_choices_are_kept() -> None:
    """What an answer has beyond the usual appears under keys of its own."""
    logprob = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.5}]}
    body = b"".join(
        event(
            {
                "choices": [
                    {
                        "index": index,
                        "delta": {"content": "a"},
                        "logprobs": {"content": [logprob]},
                        "finish_reason": "stop",
                    }
                ]
            }
        )
        for index in range(2)
    )
    first, second, end = json_lines(invoke("decode", "-", stdin=body + DONE_EVENT).stdout_bytes)
    assert first["logprobs"] == [{"text": "a", "logprob": -0.5, "top": [["b", -1.5]]}]
    assert second["choice"] == 1
    assert end["finishes"]["1"] == {"finish": "stop", "raw_finish": "stop"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--split", "0", "-"),
        ("--splits", "1,x", "-"),
        ("--splits", "0", "-"),
        ("--split", "1", "--splits", "1", "-"),
        ("--status", "100", "-"),
        ("--header", "nothing", "-"),
        ("--quirk", "nothing=1", "-"),
        ("/no/such/file",),
        (),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...]) -> None:
    """A bad option ends with 2 before anything is decoded."""
    result = invoke("decode", *arguments, stdin=_BODY)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr


def test_headers_of_another_form_are_told(tmp_path: Path) -> None:
    """An object in place of the list of pairs is named as such."""
    file = tmp_path / "headers.json"
    file.write_text('{"retry-after": "7"}')
    result = invoke("decode", "--headers", str(file), "-", stdin=_BODY)
    assert result.exit_code == 2
    assert "list of [name, value] pairs" in result.stderr


# Recordings


@pytest.fixture
def recording(llama_url: str, tmp_path: Path) -> Path:
    """Give a recording of an answer and of a refusal."""
    file = tmp_path / "recording.jsonl"
    for base_url in (llama_url, f"{llama_url}/none"):
        invoke(
            "ask", "Hi", "--base-url", base_url, "--record", str(file), "--key-env", "K", env=_KEY
        )
    return file


_KEY = {"K": "sk-canary-0123456789"}


def test_what_was_recorded_is_printed_with_its_times(recording: Path) -> None:
    """Each exchange has a line before its events; the exit code is that of the failed one."""
    result = invoke("decode", str(recording))
    first, *events, second, error = json_lines(result.stdout_bytes)
    assert [first["type"], first["status"], first["outcome"]] == ["exchange", 200, "complete"]
    assert "".join(event.get("text", "") for event in events) == ANSWER
    assert events[-1]["type"] == "end"
    times = [event["t"] for event in events]
    assert times == sorted(times)
    assert [second["type"], second["status"], second["outcome"]] == ["exchange", 404, "failed"]
    assert (error["type"], error["kind"]) == ("error", "not_found")
    assert result.exit_code == 14
    assert "HTTP 404" in result.stderr
    assert "canary" not in recording.read_text("utf-8")


def test_a_recording_may_come_through_a_pipe(recording: Path) -> None:
    """Where nobody can go back to its beginning."""
    receiver, sender = os.pipe()
    os.write(sender, recording.read_bytes()[:4096])
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        assert is_recording(pipe)
        assert pipe.read(len(SIGNATURE)) == SIGNATURE
    process = run_process("decode", "-", stdin=recording.read_bytes())
    assert process.stdout == invoke("decode", str(recording)).stdout_bytes


@pytest.mark.parametrize("option", [("--wire", "gemini"), ("--cut",), ("--header", "a: b")])
def test_a_recording_says_itself_how_to_read_it(option: tuple[str, ...], recording: Path) -> None:
    """What contradicts it is refused."""
    result = invoke("decode", *option, str(recording))
    assert result.exit_code == 2
    assert f"leave out {option[0]}" in result.stderr


def test_a_damaged_recording_is_one_line_that_names_the_place(recording: Path) -> None:
    """And shows nothing of what stands there."""
    recording.write_bytes(recording.read_bytes().replace(b'"event":"head"', b'"event":"hand"', 1))
    result = invoke("decode", str(recording))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: line 2: no line of a recording")


def test_what_cannot_be_recorded_is_not_asked(llama_url: str) -> None:
    """The file comes first."""
    process = run_process("ask", "Hi", "--base-url", llama_url, "--record", "/no/such/file")
    assert (process.returncode, process.stdout) == (1, b"")
    assert b"/no/such/file" in process.stderr


def test_closed_streams_are_no_reason_to_fail(body: str) -> None:
    """Output to `>&-` goes nowhere, as to `/dev/null`."""
    command = " ".join(map(shlex.quote, [*COMMAND, "decode", body]))
    process = subprocess.run(
        ["/bin/sh", "-c", f"{command} >&- 2>&-"],
        env=child_environment(),
        check=False,
    )
    assert process.returncode == 0


def test_a_full_disk_is_told_in_one_line(body: str) -> None:
    """Output that can't be written is no traceback."""
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [*COMMAND, "decode", body],
            stdout=full,
            stderr=subprocess.PIPE,
            env=child_environment(),
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr.startswith(b"Error: ")
    assert process.stderr.count(b"\n") == 1
