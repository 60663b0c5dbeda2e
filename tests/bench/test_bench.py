"""The benchmarks themselves: they run, they check what they measure, and their sums are right.

Small and without other people's clients, so that the suite can't rot between two times that
somebody wants figures.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.benchmarks import BENCHMARKS, IMPORTS
from tests.bench.clients import CLIENTS, Take, floor_socket
from tests.bench.figures import Spread, percentile, ratio
from tests.bench.floor import FloorResponse
from tests.bench.formats import FORMATS
from tests.bench.imports import measure_import
from tests.bench.jobs import WrongText, crowd, first_token, leave, stream
from tests.bench.parsers import PARSERS, parse
from tests.bench.processes import RunningServer, Worker, WorkerFailed
from tests.bench.results import Results, Row
from tests.bench.run import Options, run
from tests.bench.script import Script
from tests.bench.table import tables, target_table
from tests.bench.targets import TARGETS

every_scheme = pytest.mark.parametrize("scheme", ["http", "https"])
every_own_client = pytest.mark.parametrize(
    "name", ["floor", "floor-asyncio", "floor-trio", "tokenwire"]
)

ROOT = Path(__file__).parents[2]


@every_own_client
@every_scheme
@pytest.mark.parametrize(
    "script",
    [Script("firehose", 3000), Script("write", 50), Script("paced", 5, interval_us=1000)],
    ids=["firehose", "write", "paced"],
)
def test_a_client_reads_what_the_server_sends(
    name: str, scheme: str, script: Script, bench_server: RunningServer
) -> None:
    """Every mode brings every text, over TCP and TLS, and costs something."""
    metrics = stream(CLIENTS[name], bench_server.target(scheme), script)
    assert metrics["cpu_us_per_token"]
    assert ("p99_ms" in metrics) == (script.mode == "paced")


@pytest.mark.parametrize("name", ["floor-asyncio", "tokenwire"])
@pytest.mark.parametrize("firehose", [False, True], ids=["alone", "beside a firehose"])
def test_a_crowd_reads_at_the_same_time(
    name: str, firehose: bool, bench_server: RunningServer
) -> None:
    """Paced answers all come whole, also while another one takes all the time that is left."""
    script = Script("paced", 3, interval_us=2000, group=5)
    metrics = crowd(CLIENTS[name], bench_server.target("http"), script, firehose=firehose)
    assert metrics["p50_ms"]
    assert metrics["cpu_us_per_token"]


@every_own_client
def test_the_first_token_is_timed(name: str, bench_server: RunningServer) -> None:
    """On a new connection and on one that is open."""
    metrics = first_token(CLIENTS[name], bench_server.target("https"), samples=2)
    assert metrics["cold_ms"]
    assert metrics["warm_ms"]


@every_own_client
def test_the_server_sees_a_client_leave(name: str, bench_server: RunningServer) -> None:
    """Each time that a client leaves an answer, by an error in its middle."""
    bench_server.take_stats()
    metrics = leave(CLIENTS[name], bench_server.target("http"), samples=2)
    assert metrics["left_ns"]
    assert len(bench_server.take_stats()["left_ns"]) == 2


def test_a_wrong_text_is_no_result(
    bench_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that swallows a text is caught."""

    def forgetful(take: Take) -> FloorResponse:
        return FloorResponse(lambda text: None if text == " sea" else take(text))

    monkeypatch.setattr(floor_socket, "FloorResponse", forgetful)
    with pytest.raises(WrongText, match="19 texts are not the 20 that were sent"):
        stream(CLIENTS["floor"], bench_server.target("http"), Script("write", 20))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ["floor", "tokenwire"])
def test_a_parser_finds_the_texts_of_every_format(name: str, kind: str) -> None:
    """Of all that the core speaks; `parse` compares the texts."""
    assert parse(PARSERS[name], kind, "16 KiB", 100)["cpu_us_per_token"]


def test_a_worker_names_what_went_wrong() -> None:
    """An error in a client's process fails that job, and the next one still runs."""
    job = {"measure": "parse", "client": "floor", "kind": "ollama", "feed": "event", "tokens": 10}
    with closing(Worker(sys.executable)) as worker:
        with pytest.raises(WorkerFailed, match="KeyError: 'nobody'"):
            worker.measure({**job, "client": "nobody"})
        assert worker.measure(job)["cpu_us_per_token"]


def test_a_run_keeps_what_it_measured(tmp_path: Path) -> None:
    """Its rows come back from the file, and make a table with a ratio for a target."""
    case = "openai-chat, event"
    results = run(Options(["parse"], ["floor", "tokenwire"], rounds=2, cases=case))
    assert not any(row.error for row in results.rows)
    results.save(tmp_path / "results.json")
    loaded = Results.load(tmp_path / "results.json")
    assert loaded == results
    assert loaded.clients("parse") == ["floor", "tokenwire"]
    assert len(loaded.values("parse", case, "tokenwire", "cpu_us_per_token")) == 2
    assert case in "".join(tables(loaded))


def test_an_import_is_measured_or_missing() -> None:
    """What is not installed has no figures."""
    metrics = measure_import(sys.executable, *IMPORTS["trio"])
    assert metrics is not None
    assert metrics["wall_ms"] > 0
    assert measure_import(sys.executable, "sys", "import no_such_module") is None


def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is skipped, and the run says so."""

    def find_nothing(_: str) -> None:
        return None

    monkeypatch.setattr("tests.bench.clients.find_spec", find_nothing)
    results = run(Options(["parse"], ["openai"], rounds=1))
    assert results.skipped == {"openai": "openai is not installed"}
    assert "skipped: openai, because openai is not installed" in list(tables(results))


def test_every_target_names_a_case_that_runs() -> None:
    """And a client that takes part in it, so that no target goes unmeasured unseen."""
    for target in TARGETS:
        if target.benchmark == "imports":
            assert target.client in IMPORTS
            continue
        cases = {case.name: case for case in BENCHMARKS[target.benchmark].cases}
        taking_part = BENCHMARKS[target.benchmark].usual or cases[target.case].clients
        assert target.client in taking_part
        assert target.reference is None or target.reference in taking_part
        assert not target.reference_case or target.reference_case in cases


def test_a_ratio_compares_within_rounds() -> None:
    """A round that was slow for both does not move it, and a round of one alone does not count."""
    ours, theirs = {0: 1.0, 1: 3.0, 2: 5.0, 3: 9.0}, {0: 10.0, 1: 30.0, 2: 100.0}
    assert ratio(ours, theirs) == Spread(0.1, 0.05, 0.1, 3)
    assert ratio(ours, {7: 1.0}) is None


def test_a_target_is_missed_by_the_median() -> None:
    """The table says by how much."""
    case = "http, firehose"
    rows = [
        Row("stream", case, client, number, {"cpu_us_per_token": figure})
        for client, figures in {"floor": (1.0, 1.0, 1.0), "tokenwire": (1.0, 3.0, 4.0)}.items()
        for number, figure in enumerate(figures)
    ]
    assert "3 (1 to 4)" in target_table(Results({}, {}, rows))
    assert "missed by 50%" in target_table(Results({}, {}, rows))


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (99, 4.0), (0, 1.0)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    """The least that so many percent do not exceed."""
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value


def test_the_command_line_names_what_there_is() -> None:
    """A mistyped benchmark is an error that lists the real ones."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.bench", "parze"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert "no benchmark 'parze'; there are parse, linear, stream" in finished.stderr
