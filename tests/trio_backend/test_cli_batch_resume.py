"""`tokenwire batch` interrupted, in every way, and resumed."""

from __future__ import annotations

import re
import signal
import sys
from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import trio

from tests.trio_backend.cli_process import COMMAND, child_environment, start_process
from tests.trio_backend.providers import provider_section
from tests.trio_backend.servers import refusal
from tests.trio_backend.test_cli_batch import Batch, batch, echo_server, numbered, write_lines
from tokenwire_trio.cli import batch_run
from tokenwire_trio.cli.batch_options import BatchOptions
from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.cli.provider_section import Target

__all__ = ["batch"]  # a fixture

_CONCURRENCY = 4


async def _read_to_the_end(process: trio.Process) -> str:
    assert process.stderr is not None
    text = b"".join([bytes(data) async for data in process.stderr])
    await process.wait()
    return text.decode()


async def _wait_for_text(process: trio.Process, text: bytes) -> None:
    assert process.stderr is not None
    seen = b""
    while text not in seen:
        data = await process.stderr.receive_some()
        assert data
        seen += data


async def test_a_run_that_is_killed_goes_on_where_it_was(batch: Batch) -> None:
    """What was written is never asked again; only what was in flight at a kill is asked twice."""
    numbered(batch.folder, 200)
    in_flight = 0
    async with echo_server() as (echo, base_url):
        options = ("--concurrency", str(_CONCURRENCY))
        for kill_at in (40, 90, 91):
            process = await start_process(*batch.arguments(base_url, *options))
            await echo.wait_for_requests(kill_at)
            process.send_signal(signal.SIGKILL)
            await _read_to_the_end(process)
            assert process.returncode == -signal.SIGKILL
            await echo.wait_until_clients_left()
            # Lines that are whole: even a line may be torn by a kill.
            lost = len(echo.asked) - in_flight - batch.out.read_bytes().count(b"\n")
            assert 0 <= lost <= _CONCURRENCY
            in_flight += lost
        process = await start_process(*batch.arguments(base_url, *options))
        summary = await _read_to_the_end(process)
    assert process.returncode == 0
    assert len(echo.asked) == 200 + in_flight
    assert max(Counter(echo.asked).values()) <= 1 + 3
    assert {id_: line["text"] for id_, line in batch.results.items()} == {
        f"q{number}": f"Question {number}" for number in range(200)
    }
    assert re.search(r"earlier +\d+  by earlier runs\n", summary)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_waits_for_what_is_under_way(
    number: signal.Signals, batch: Batch
) -> None:
    """Those answers may be paid for; nothing new is asked."""
    numbered(batch.folder, 20)
    async with echo_server(held=True) as (echo, base_url):
        process = await start_process(*batch.arguments(base_url, "--concurrency", "3"))
        await echo.wait_for_requests(3)
        process.send_signal(number)
        await _wait_for_text(process, b"Waiting 30 s for 3; Ctrl-C again drops them")
        echo.hold.set()
        summary = await _read_to_the_end(process)
        assert (process.returncode, len(echo.asked), len(batch.results)) == (130, 3, 3)
        assert re.search(r"not asked +17  run again to ask\n", summary)
        await batch.run_beside(base_url)
    assert (len(echo.asked), len(batch.results)) == (20, 20)


async def test_interrupting_twice_ends_at_once(batch: Batch) -> None:
    """Also where a server would never answer."""
    numbered(batch.folder, 20)
    async with echo_server(held=True) as (echo, base_url):
        process = await start_process(*batch.arguments(base_url))
        await echo.wait_for_requests(8)
        process.send_signal(signal.SIGINT)
        await _wait_for_text(process, b"Waiting 30 s for 8")
        process.send_signal(signal.SIGINT)
        await _read_to_the_end(process)
    assert (process.returncode, batch.out.read_bytes()) == (130, b"")


async def test_an_interrupted_run_waits_for_so_long(
    batch: Batch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor sends one signal, and a server may never answer; the rest is asked later."""
    monkeypatch.setattr(batch_run, "_LAST_ANSWERS_S", 0.1)
    questions = numbered(batch.folder, 20)
    settings = BatchOptions(
        concurrency=3,
        rate=None,
        attempts=1,
        retry_sent=False,
        keep_failed=False,
        stop_after=100,
        quiet=False,
    )
    async with echo_server(held=True) as (echo, base_url), trio.open_nursery() as nursery:
        target = Target(section=provider_section(base_url), key_variable=None)
        with batch_run.opened(questions, batch.out, keep_failed=False) as job:
            run = batch_run.run(nullcontext(target), job, settings, Outlet(sys.stderr))

            async def interrupt() -> None:
                await echo.wait_for_requests(3)
                signal.raise_signal(signal.SIGTERM)

            nursery.start_soon(interrupt)
            with trio.fail_after(20):
                assert await run == 130
    assert batch.out.read_bytes() == b""
    told = capsys.readouterr().err
    assert told.startswith("Waiting 0.1 s for 3; Ctrl-C again drops them\n")
    assert re.search(r"not asked +20  run again to ask\n", told)


async def test_nothing_is_asked_where_all_is_answered(batch: Batch) -> None:
    """The same command once more costs nothing, and leaves the file alone."""
    numbered(batch.folder, 5)
    async with echo_server() as (echo, base_url):
        await batch.run_beside(base_url)
        before = batch.out.read_bytes()
        result = await batch.run_beside(base_url)
    assert (result.exit_code, len(echo.asked), batch.out.read_bytes()) == (0, 5, before)


async def test_lines_may_be_added(batch: Batch) -> None:
    """Only they are asked."""
    numbered(batch.folder, 5)
    async with echo_server() as (echo, base_url):
        await batch.run_beside(base_url)
        numbered(batch.folder, 8)
        await batch.run_beside(base_url)
    assert (len(echo.asked), len(batch.results)) == (8, 8)


async def test_what_failed_is_asked_again(batch: Batch) -> None:
    """Its line is replaced: no id is there twice. The rest stays byte for byte."""
    numbered(batch.folder, 5)
    async with echo_server({"Question 3": refusal(400)}) as (_, base_url):
        await batch.run_beside(base_url)
    assert "error" in batch.results["q3"]
    kept = [line for line in batch.out.read_bytes().splitlines() if b'"q3"' not in line]
    async with echo_server() as (echo, base_url):
        result = await batch.run_beside(base_url)
    assert (result.exit_code, echo.asked) == (0, ["Question 3"])
    assert batch.results["q3"]["text"] == "Question 3"
    assert batch.out.read_bytes().splitlines()[:-1] == kept


async def test_what_failed_may_be_left_alone(batch: Batch) -> None:
    """The exit code tells of it all the same; a question that was changed is asked."""
    lines = [{"id": "a", "prompt": "one"}, {"id": "b", "prompt": "two"}]
    write_lines(batch.folder / "in.jsonl", lines)
    refusals = {"one": refusal(400), "two": refusal(400)}
    async with echo_server(refusals) as (echo, base_url):
        await batch.run_beside(base_url)
        result = await batch.run_beside(base_url, "--keep-failed")
        assert (result.exit_code, len(echo.asked)) == (14, 2)
        assert re.search(r"kept +2  failed earlier\n", result.stderr)
        write_lines(batch.folder / "in.jsonl", [lines[0], {"id": "b", "prompt": "better"}])
        result = await batch.run_beside(base_url, "--keep-failed")
    assert (result.exit_code, echo.asked[2:]) == (14, ["better"])
    assert batch.results["b"]["text"] == "better"


@pytest.mark.parametrize("cut", [1, 3, 40, -1])
async def test_a_torn_last_line_is_mended(cut: int, batch: Batch) -> None:
    """A machine that lost its power may leave one. What is torn is asked again, what is whole not.

    A line that lacks its end alone is whole.
    """
    numbered(batch.folder, 3)
    async with echo_server() as (echo, base_url):
        await batch.run_beside(base_url)
        *others, last = batch.out.read_bytes().splitlines(keepends=True)
        batch.out.write_bytes(b"".join(others) + last[:cut])
        await batch.run_beside(base_url)
    assert len(echo.asked) == 3 + (cut != -1)
    assert len(batch.results) == 3


async def test_a_file_that_is_written_anew_stays_the_file_that_it_was(batch: Batch) -> None:
    """A link stays a link, and who may read it stays the same."""
    numbered(batch.folder, 2)
    real = batch.folder / "elsewhere.jsonl"
    batch.out.symlink_to(real)
    async with echo_server({"Question 1": refusal(400)}) as (_, base_url):
        await batch.run_beside(base_url)
        real.chmod(0o600)
        await batch.run_beside(base_url)
    assert batch.out.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    names = sorted(path.name for path in batch.folder.iterdir())
    assert names == ["elsewhere.jsonl", "in.jsonl", "out.jsonl"]


async def test_results_of_other_questions_are_not_added_to(batch: Batch) -> None:
    """Whether an id is unknown or means something else now; nothing is asked, nothing changed."""
    numbered(batch.folder, 3)
    async with echo_server() as (echo, base_url):
        await batch.run_beside(base_url)
        before = batch.out.read_bytes()
        others: list[tuple[list[dict[str, Any]], str]] = [
            ([{"id": "q0", "prompt": "Question 0"}], r"'q[12]', which is not in"),
            ([{"id": f"q{n}", "prompt": "?"} for n in range(3)], r"line 1: .*another question"),
        ]
        for lines, complaint in others:
            write_lines(batch.folder / "in.jsonl", lines)
            result = await batch.run_beside(base_url)
            assert result.exit_code == 2
            assert re.search(complaint, result.stderr)
            assert "name another file" in result.stderr
    assert (len(echo.asked), batch.out.read_bytes()) == (3, before)


@pytest.mark.parametrize(
    "content",
    [
        *(b"my notes", b"my notes\n", b'{"id": 1}\n', b'{"id": 1, "name": "mine"}'),
        b'{"id":1,"digest":"a","error":"?"}\n',
        b"[" * 10_000,
    ],
)
def test_a_file_of_something_else_is_left_alone(content: bytes, batch: Batch) -> None:
    """A mistyped name must cost nobody their notes."""
    numbered(batch.folder, 3)
    batch.out.write_bytes(content)
    result = batch.run("http://localhost:1/v1")
    assert result.exit_code == 2
    assert "line 1 is no result" in result.stderr
    assert batch.out.read_bytes() == content


async def test_two_runs_do_not_share_their_results(batch: Batch) -> None:
    """They would ask everything twice."""
    numbered(batch.folder, 3)
    async with echo_server(held=True) as (echo, base_url), trio.open_nursery() as nursery:
        nursery.start_soon(batch.run_beside, base_url)
        await echo.wait_for_requests(3)
        result = await batch.run_beside(base_url)
        echo.hold.set()
    assert result.exit_code == 2
    assert "another run is writing" in result.stderr
    assert len(echo.asked) == 3


async def test_a_full_disk_ends_the_run(batch: Batch) -> None:
    """With its own exit code; what was written stays, and the next run mends the rest."""
    numbered(batch.folder, 10)
    async with echo_server() as (echo, base_url):
        command = (*COMMAND, *batch.arguments(base_url, "--concurrency", "1"))
        process = await trio.run_process(
            ["bash", "-c", 'ulimit -f 1; exec "$@"', "-", *command],  # a kibibyte
            env=child_environment(),
            capture_stderr=True,
            check=False,
        )
        assert (process.returncode, batch.out.stat().st_size) == (1, 1024)
        assert process.stderr is not None
        assert b"Error: " in process.stderr
        whole = batch.out.read_bytes().count(b"\n")
        await echo.wait_until_clients_left()
        asked = len(echo.asked)
        await batch.run_beside(base_url)
    assert (len(batch.results), len(echo.asked)) == (10, asked + 10 - whole)
