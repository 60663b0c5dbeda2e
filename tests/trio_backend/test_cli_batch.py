"""`tokenwire batch`: a file of questions in, a file of results out."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from click.testing import Result

from tests.gguf import ANSWER
from tests.patience import HANGS_S
from tests.trio_backend.cli_process import invoke, invoke_beside_server, json_lines, run_on_terminal
from tests.trio_backend.servers import ServerSide, answer, refusal, socket_server

_KEY = "sk-0123456789abcdef"
_NOWHERE = "http://localhost:1/v1"


@attrs.define
class Echo:
    """A server that answers a question with the question, and remembers what it was asked.

    Attributes:
        asked: The prompts, in order.
        bodies: The bodies of the requests.
        refusals: What to refuse, by the prompt, with which response.
        hold: Answer nothing while this is not set.
        open: How many requests are open now.
        most_open: How many were open at a time.
        clients: How many connections there are now.
        changed: Set, and replaced, with each request and each end of a connection.
    """

    asked: list[str] = attrs.field(factory=list[str])
    bodies: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    refusals: Mapping[str, bytes] = attrs.field(factory=dict[str, bytes])
    hold: trio.Event = attrs.field(factory=trio.Event)
    open: int = 0
    most_open: int = 0
    clients: int = 0
    changed: trio.Event = attrs.field(factory=trio.Event)

    async def __call__(self, peer: ServerSide) -> None:
        """Play the server's side of a connection."""
        self.clients += 1
        try:
            await self._answer_requests(peer)
        finally:
            self.clients -= 1
            self._tell()

    async def _answer_requests(self, peer: ServerSide) -> None:
        while request := await peer.receive_request():
            body = json.loads(request.partition(b"\r\n\r\n")[2])
            content = body["messages"][-1]["content"]
            prompt = content if isinstance(content, str) else "parts"
            self.bodies.append(body)
            self.asked.append(prompt)
            self.open += 1
            self.most_open = max(self.open, self.most_open)
            self._tell()
            await self.hold.wait()
            self.open -= 1
            await peer.send(self.refusals.get(prompt) or answer(prompt[:1], prompt[1:]))

    def _tell(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many have come in all, unless whoever should ask has failed."""
        while len(self.asked) < count:
            with trio.fail_after(HANGS_S):
                await self.changed.wait()

    async def wait_until_clients_left(self) -> None:
        """Wait until all that they sent was read, and the end behind it."""
        while self.clients:
            with trio.fail_after(HANGS_S):
                await self.changed.wait()


@asynccontextmanager
async def echo_server(
    refusals: Mapping[str, bytes] | None = None, *, held: bool = False
) -> AsyncGenerator[tuple[Echo, str], None]:
    """Serve an echo for as long as the block lasts.

    Args:
        refusals: See `Echo`.
        held: Answer nothing until `Echo.hold` is set.
    """
    echo = Echo(refusals=refusals or {})
    if not held:
        echo.hold.set()
    async with socket_server(echo) as base_url:
        yield echo, base_url


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """Write JSON Lines."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def numbered(folder: Path, count: int) -> Path:
    """Write so many questions, each with an id and a prompt that tells which one it is."""
    lines = [{"id": f"q{number}", "prompt": f"Question {number}"} for number in range(count)]
    return write_lines(folder / "in.jsonl", lines)


def results_in(path: Path) -> dict[Any, dict[str, Any]]:
    """Read the results by their ids, none of which may be there twice."""
    lines = json_lines(path.read_bytes())
    results = {line["id"]: line for line in lines}
    assert len(results) == len(lines)
    return results


@attrs.frozen
class Batch:
    """Runs the command with its files in a folder."""

    folder: Path

    @property
    def out(self) -> Path:
        """The file of results."""
        return self.folder / "out.jsonl"

    @property
    def results(self) -> dict[Any, dict[str, Any]]:
        """What is in it."""
        return results_in(self.out)

    def arguments(self, base_url: str, *options: str) -> tuple[str, ...]:
        """Return the command line."""
        questions = str(self.folder / "in.jsonl")
        return ("batch", questions, str(self.out), "--base-url", base_url, *options)

    def run(self, base_url: str, *options: str, **more: Any) -> Result:
        """Run it in this process."""
        return invoke(*self.arguments(base_url, *options), **more)

    async def run_beside(self, base_url: str, *options: str, **more: Any) -> Result:
        """Run it beside a server of this event loop."""
        return await invoke_beside_server(*self.arguments(base_url, *options), **more)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """Give a folder with files of its own."""
    return Batch(tmp_path)


def test_every_line_is_answered_under_its_id(llama_url: str, batch: Batch) -> None:
    """By a real model's server, and a summary says so."""
    numbered(batch.folder, 20)
    result = batch.run(llama_url, "--quirk", "include_usage=true")
    assert (result.exit_code, result.stdout) == (0, "")
    results = batch.results
    assert results.keys() == {f"q{number}" for number in range(20)}
    for line in results.values():
        assert (line["text"], line["finish"]) == (ANSWER, "stop")
        assert line["usage"]["output_tokens"] > 1
        assert 0 < line["first_token_s"] <= line["total_s"]
    assert re.search(r"answered +20\n", result.stderr)
    assert re.search(r"tokens +\d+  [\d.,]+/s\n", result.stderr)


async def test_each_answer_is_its_questions(batch: Batch) -> None:
    """However the answers overtake each other."""
    numbered(batch.folder, 50)
    async with echo_server() as (_, base_url):
        await batch.run_beside(base_url)
    for id_, line in batch.results.items():
        assert line["text"] == f"Question {id_[1:]}"


async def test_a_line_without_an_id_is_known_by_its_number(batch: Batch) -> None:
    """Empty lines count, and a byte order mark does not."""
    batch.folder.joinpath("in.jsonl").write_bytes(
        b'\xef\xbb\xbf{"prompt": "a"}\r\n\r\n{"prompt": "b"}'
    )
    async with echo_server() as (_, base_url):
        await batch.run_beside(base_url)
    assert {id_: line["text"] for id_, line in batch.results.items()} == {1: "a", 3: "b"}


async def test_a_line_may_have_messages_and_settings_of_its_own(batch: Batch) -> None:
    """The options hold for what it leaves open."""
    line = {
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
        "settings": {"temperature": 0.5},
    }
    write_lines(batch.folder / "in.jsonl", [line])
    async with echo_server() as (echo, base_url):
        await batch.run_beside(base_url, "--model", "m", "--temperature", "1")
    [body] = echo.bodies
    assert (body["model"], body["temperature"]) == ("m", 0.5)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


async def test_no_more_are_asked_at_a_time_than_told(batch: Batch) -> None:
    """And as many as told."""
    numbered(batch.folder, 30)
    async with echo_server(held=True) as (echo, base_url), trio.open_nursery() as nursery:
        nursery.start_soon(partial(batch.run_beside, base_url, "--concurrency", "3"))
        await echo.wait_for_requests(3)
        echo.hold.set()
    assert (echo.most_open, len(echo.asked)) == (3, 30)


async def test_the_rate_is_kept(batch: Batch) -> None:
    """Three at once, and the fourth when the span is over."""
    numbered(batch.folder, 4)
    async with echo_server() as (_, base_url):
        began = trio.current_time()
        await batch.run_beside(base_url, "--rate", "3/0.3s")
    assert trio.current_time() - began >= 0.3
    assert len(batch.results) == 4


async def test_a_failure_is_a_line_as_well(batch: Batch) -> None:
    """With the facts of its error; the exit code tells its kind, and the summary what it was."""
    numbered(batch.folder, 5)
    async with echo_server({"Question 2": refusal(400, "too naughty")}) as (_, base_url):
        result = await batch.run_beside(base_url)
    assert result.exit_code == 14
    failed = batch.results["q2"]
    assert (failed["error"], failed["status"], failed["message"]) == ("other", 400, "too naughty")
    assert (failed["kind"], failed["retryable"]) == ("rejected", False)
    assert re.search(r"answered +4\nfailed +1\n  other +1\n    .*too naughty", result.stderr)


async def test_the_exit_code_is_that_of_most_failures(batch: Batch) -> None:
    """One for all of them, as a command has but one."""
    numbered(batch.folder, 5)
    refusals = {
        "Question 0": refusal(400),
        "Question 2": refusal(429),
        "Question 4": refusal(429),
    }
    async with echo_server(refusals) as (_, base_url):
        result = await batch.run_beside(base_url, "--attempts", "1")
    assert result.exit_code == 12


async def test_what_was_turned_away_is_tried_again(batch: Batch) -> None:
    """As the policy of the options says."""
    numbered(batch.folder, 1)
    too_fast = b"HTTP/1.1 429 No\r\nretry-after-ms: 1\r\ncontent-length: 2\r\n\r\n{}"
    async with echo_server({"Question 0": too_fast}) as (echo, base_url):
        result = await batch.run_beside(base_url, "--attempts", "3")
    assert len(echo.asked) == 3
    assert re.search(r"retries +2\n", result.stderr)


@pytest.mark.parametrize(("option", "requests"), [((), 1), (("--retry-sent",), 2)])
async def test_what_was_sent_is_tried_again_on_demand(
    option: tuple[str, ...], requests: int, batch: Batch
) -> None:
    """It may have been worked on, and billed."""
    numbered(batch.folder, 1)
    broken = b"HTTP/1.1 500 No\r\nretry-after-ms: 1\r\ncontent-length: 2\r\n\r\n{}"
    async with echo_server({"Question 0": broken}) as (echo, base_url):
        await batch.run_beside(base_url, "--attempts", "2", *option)
    assert len(echo.asked) == requests


async def test_the_first_failure_of_a_kind_is_told_at_once(batch: Batch) -> None:
    """Once, however many follow: a run may try for long before it sums up."""
    numbered(batch.folder, 3)
    too_fast = b"HTTP/1.1 429 No\r\nretry-after-ms: 1\r\ncontent-length: 2\r\n\r\n{}"
    refusals = {f"Question {number}": too_fast for number in range(3)}
    async with echo_server(refusals) as (_, base_url):
        result = await batch.run_beside(base_url, "--attempts", "2")
        quiet = await batch.run_beside(base_url, "--quiet", "--attempts", "1")
    told = "First failure (rate_limit), trying again: openai-chat HTTP 429: "
    assert result.stderr.startswith(told)
    assert result.stderr.count("First failure") == 1
    assert quiet.stderr == ""


def test_what_no_request_can_be_made_of_is_a_failure(batch: Batch) -> None:
    """Of our own, as wrong use is; what to set is said."""
    numbered(batch.folder, 2)
    result = batch.run(_NOWHERE, "--wire", "anthropic", "--model", "m")
    assert result.exit_code == 2
    assert [line["error"] for line in batch.results.values()] == ["local", "local"]
    assert "max_output_tokens" in result.stderr


async def test_a_refused_key_stops_the_run(batch: Batch) -> None:
    """After a few lines, not after a thousand; the summary says what to do."""
    numbered(batch.folder, 1000)
    refusals = {f"Question {number}": refusal(401) for number in range(1000)}
    async with echo_server(refusals) as (echo, base_url):
        result = await batch.run_beside(base_url, "--concurrency", "2")
    assert result.exit_code == 11
    assert len(echo.asked) < 10
    assert "--key-env" in result.stderr
    assert "run again to ask" in result.stderr
    assert "Stopped: too many failures in a row\n" in result.stderr


async def test_a_run_that_fails_to_its_end_was_not_stopped(batch: Batch) -> None:
    """There was nothing left to ask."""
    numbered(batch.folder, 3)
    refusals = {f"Question {number}": refusal(401) for number in range(3)}
    async with echo_server(refusals) as (_, base_url):
        result = await batch.run_beside(base_url)
    assert result.exit_code == 11
    assert "Stopped" not in result.stderr


async def test_failures_in_a_row_stop_the_run(batch: Batch) -> None:
    """Whatever they are; an answer in between begins the count anew."""
    numbered(batch.folder, 100)
    refusals = {f"Question {number}": refusal(400) for number in range(100) if number % 10}
    async with echo_server(refusals) as (echo, base_url):
        options = ("--concurrency", "1", "--stop-after")
        await batch.run_beside(base_url, *options, "10")
        assert len(batch.results) == 100
        batch.out.unlink()
        await batch.run_beside(base_url, *options, "9")
        assert len(batch.results) in {10, 11}
    assert len(echo.asked) in {110, 111}


async def test_nothing_shows_a_key_or_a_prompt(batch: Batch) -> None:
    """Neither the screen nor, of the key, the results, even where the server echoes it."""
    numbered(batch.folder, 3)
    refusals = {"Question 1": refusal(400, f"bad key {_KEY}")}
    async with echo_server(refusals) as (_, base_url):
        result = await batch.run_beside(base_url, "--key-env", "A_KEY", env={"A_KEY": _KEY})
    assert _KEY not in result.output + batch.out.read_text()
    assert "Question" not in result.output


async def test_a_quiet_run_says_nothing(batch: Batch) -> None:
    """The exit code and the results say all."""
    numbered(batch.folder, 3)
    async with echo_server() as (_, base_url):
        result = await batch.run_beside(base_url, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


async def test_questions_may_come_from_a_pipe(batch: Batch) -> None:
    """Standard input, or a file that can be read only once."""
    questions = b'{"prompt": "a"}\n{"prompt": "b"}\n'
    reading, writing = os.pipe()
    os.write(writing, questions)
    os.close(writing)
    async with echo_server() as (_, base_url):
        out = batch.folder / "2.jsonl"
        arguments = ("batch", "-", str(out), "--base-url", base_url)
        await trio.to_thread.run_sync(partial(invoke, *arguments, stdin=questions))
        arguments = ("batch", f"/dev/fd/{reading}", str(batch.out), "--base-url", base_url)
        await trio.to_thread.run_sync(partial(invoke, *arguments))
    os.close(reading)
    assert results_in(out).keys() == batch.results.keys() == {1, 2}


async def test_pictures_are_looked_up_beside_the_questions(batch: Batch) -> None:
    """A path in a file is relative to that file."""
    (batch.folder / "cat.png").write_bytes(b"png")
    parts = [{"type": "image", "file": "cat.png"}]
    write_lines(batch.folder / "in.jsonl", [{"messages": [{"role": "user", "content": parts}]}])
    async with echo_server() as (echo, base_url):
        await batch.run_beside(base_url)
    assert "image_url" in json.dumps(echo.bodies)


BAD_LINES = [
    (
        b'{"prompt": "a"}\n{"promt": "b"}\n',
        r"line 2: .*unknown field `promt` \(did you mean 'prompt'\?\)",
    ),
    (
        b'{"messages": [{"role": "user", "contnt": "a"}]}',
        r"line 1: .*unknown field `contnt` - at `\$\[0\]` \(did you mean 'content'\?\)",
    ),
    (b'{"prompt": "a"}\n\nnope\n', r'line 3: .*; a question is an object such as {"prompt": "Hi"}'),
    (b'[{"prompt": "a"}]', r'line 1: .*got `array`; a question is an object such as {"prompt"'),
    (b"5", r'line 1: .*got `int`; a question is an object such as {"prompt"'),
    (b"{}", r'line 1: .*neither prompt nor messages: .*such as {"prompt": "Hi"}'),
    (b'{"id": "a", "prompt": "a"}\n{"id": "a", "prompt": "b"}\n', r"line 2: .*'a'.*line 1, too"),
    (b'{"id": 2, "prompt": "a"}\n{"prompt": "b"}\n', r"line 2: its id 2 is .* known by its number"),
    (
        b'{"messages": [{"role": "user", "content": [{"type": "image", "file": "x.png"}]}]}',
        r"/x\.png: No such file",
    ),
    (b'{"prompt": "\xff"}', r"line 1: "),
]


@pytest.mark.parametrize(("lines", "complaint"), BAD_LINES)
async def test_a_line_that_is_no_question_is_told_before_anything_is_asked(
    lines: bytes, complaint: str, batch: Batch
) -> None:
    """By its number, also where it is the last of a thousand."""
    batch.folder.joinpath("in.jsonl").write_bytes(lines)
    async with echo_server() as (echo, base_url):
        result = await batch.run_beside(base_url)
    assert result.exit_code == 2
    assert re.search(complaint, result.stderr)
    assert echo.asked == []
    assert not batch.out.exists()


def test_a_refused_line_leaves_earlier_results_alone(batch: Batch) -> None:
    """Only a file that the run itself has made is removed."""
    batch.folder.joinpath("in.jsonl").write_text("nope")
    batch.out.touch()
    assert batch.run(_NOWHERE).exit_code == 2
    assert batch.out.exists()


def test_a_wrong_configuration_leaves_no_file_of_results(batch: Batch) -> None:
    """As a wrong line leaves none."""
    numbered(batch.folder, 1)
    assert batch.run("nonsense").exit_code == 2
    assert not batch.out.exists()


def test_a_file_without_questions_is_told(batch: Batch) -> None:
    """No failure, as a program may have none to ask; but mostly a mistake."""
    batch.folder.joinpath("in.jsonl").write_text("\n")
    result = batch.run(_NOWHERE)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("in.jsonl has no questions: each line is one, see --help\n")


def test_a_missing_folder_is_wrong_use(batch: Batch) -> None:
    """The message names it."""
    questions = str(numbered(batch.folder, 1))
    out = str(batch.folder / "missing" / "out.jsonl")
    result = invoke("batch", questions, out, "--base-url", _NOWHERE)
    assert result.exit_code == 2
    assert f"there is no folder {batch.folder / 'missing'}: make it" in result.stderr


def test_a_line_without_end_is_refused(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no JSON Lines may be one line of gigabytes."""
    monkeypatch.setattr("tokenwire_trio.cli.batch_questions._MAX_LINE_BYTES", 100)
    batch.folder.joinpath("in.jsonl").write_bytes(b'{"prompt": "a"}\n' + b"x" * 1000)
    result = batch.run(_NOWHERE)
    assert result.exit_code == 2
    assert "line 2: it is longer than 100 bytes" in result.stderr


@pytest.mark.parametrize("text", ["5", "0/s", "5/0s", "5/day", "-1/s", "5/s/s", "1e3/s"])
def test_a_rate_that_makes_no_sense_is_refused(text: str, batch: Batch) -> None:
    """The message shows how to write one."""
    numbered(batch.folder, 1)
    result = batch.run(_NOWHERE, "--rate", text)
    assert result.exit_code == 2
    assert "60/min" in result.stderr


def test_a_local_model_is_a_provider_of_its_own(batch: Batch) -> None:
    """As for `ask`."""
    numbered(batch.folder, 1)
    result = batch.run(_NOWHERE, "--local")
    assert result.exit_code == 2
    assert "--local is a provider of its own" in result.stderr


def test_a_local_model_that_is_missing_is_told(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to install."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    questions = str(numbered(batch.folder, 1))
    result = invoke("batch", questions, str(batch.out), "--local")
    assert result.exit_code == 2
    assert "pip install" in result.stderr


def test_results_need_a_file(batch: Batch) -> None:
    """Nothing else can be read again to resume; nor can the file of questions hold them."""
    questions = str(numbered(batch.folder, 1))
    for out, complaint in ((os.devnull, "no file"), (questions, "is the file of questions")):
        result = invoke("batch", questions, out, "--base-url", _NOWHERE)
        assert result.exit_code == 2
        assert complaint in result.stderr


async def test_a_narrow_terminal_shows_a_bar_that_never_wraps(batch: Batch) -> None:
    """And when it is done, the summary alone."""
    numbered(batch.folder, 3)
    async with echo_server() as (_, base_url):
        # Slow enough for some of it to be seen.
        arguments = batch.arguments(base_url, "--rate", "1/0.25s")
        run = partial(run_on_terminal, *arguments, COLUMNS="40", NO_COLOR="1")
        code, output = await trio.to_thread.run_sync(run)
    assert code == 0
    bars, summary = output.rsplit("\r\x1b[K", 1)
    shown = [bar.removesuffix("\x1b[K") for bar in re.split(r"\r(?!\x1b)", bars) if bar]
    assert any(re.match(r"\d/3 .*━", bar) for bar in shown)
    for line in [*shown, *summary.splitlines()]:
        assert len(re.sub(r"\x1b\[[\d;]*[mK]", "", line)) < 40
    assert re.match(r"answered +3\n", summary)


async def test_a_plain_terminal_gets_no_bar(batch: Batch) -> None:
    """Lines now and then, as a file gets them."""
    numbered(batch.folder, 3)
    async with echo_server() as (_, base_url):
        run = partial(run_on_terminal, *batch.arguments(base_url), TERM="dumb")
        _, output = await trio.to_thread.run_sync(run)
    assert "\x1b" not in output
    assert "\r" not in output
    assert "answered" in output
