"""Runs benchmarks in rounds, so that what is compared ran side by side."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from importlib import metadata
from typing import Any, Final, final

import attrs

from tests.bench.benchmarks import BENCHMARKS, IMPORTS, Benchmark, Case
from tests.bench.clients import CLIENTS
from tests.bench.figures import percentile
from tests.bench.imports import measure_import
from tests.bench.parsers import PARSERS
from tests.bench.processes import RunningServer, Worker, WorkerFailed, running_server
from tests.bench.results import Results, Row
from tests.bench.server import Stats

_PACKAGES: Final = (
    "tokenwire", "trio", "h11", "msgspec", "openai", "httpx", "httpx2", "httpx-sse", "aiohttp",
)  # fmt: skip


@final
@attrs.frozen
class Options:
    """What to run.

    Attributes:
        benchmarks: Names of benchmarks, ``imports`` among them.
        clients: Who takes part; empty for each benchmark's usual ones.
        rounds: How often.
        pythons: By client, the interpreter of an environment that has it, if not this one.
        cases: Only cases whose names hold this.
    """

    benchmarks: Sequence[str]
    clients: Sequence[str] = ()
    rounds: int = 5
    pythons: Mapping[str, str] = attrs.field(factory=dict[str, str])
    cases: str = ""

    def python(self, client: str) -> str:
        """Return the interpreter for a client."""
        return self.pythons.get(client, sys.executable)


def run(options: Options) -> Results:
    """Run the benchmarks."""
    skipped: dict[str, str] = {}
    rows: list[Row] = []
    with running_server() as server:
        for name in options.benchmarks:
            if name == "imports":
                rows += _imports(options)
                continue
            benchmark = BENCHMARKS[name]
            taking_part = _taking_part(benchmark, options, skipped)
            if taking_part:
                rows += _Runner(name, benchmark, taking_part, options, server).rows()
    return Results(about(options), skipped, rows)


def about(options: Options) -> dict[str, Any]:
    """Describe the machine and the versions."""
    versions = {name: _version(name) for name in _PACKAGES}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "rounds": options.rounds,
        "versions": {name: version for name, version in versions.items() if version},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _taking_part(benchmark: Benchmark, options: Options, skipped: dict[str, str]) -> list[str]:
    able = {name for case in benchmark.cases for name in case.clients}
    wanted = options.clients or benchmark.usual or [*CLIENTS, *PARSERS]
    taking_part: list[str] = []
    for name in dict.fromkeys(wanted):
        if name not in able:
            continue
        missing = None
        if options.python(name) == sys.executable:
            missing = (CLIENTS.get(name) or PARSERS[name]).missing
        if missing is None:
            taking_part.append(name)
        else:
            skipped[name] = f"{missing} is not installed"
    return taking_part


@final
@attrs.frozen
class _Runner:
    """One benchmark."""

    name: str
    benchmark: Benchmark
    clients: Sequence[str]
    options: Options
    server: RunningServer

    def rows(self) -> Iterator[Row]:
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            if not self.benchmark.fresh:
                for client in self.clients:
                    worker = closing(Worker(self.options.python(client)))
                    workers[client] = stack.enter_context(worker)
            for number in range(self.options.rounds):
                for case in self.benchmark.cases:
                    if self.options.cases in case.name:
                        yield from self._case(case, number, workers)

    def _case(self, case: Case, number: int, workers: Mapping[str, Worker]) -> Iterator[Row]:
        first = number % len(self.clients)  # nobody always comes first
        for client in (*self.clients[first:], *self.clients[:first]):
            if client not in case.clients:
                continue
            _say(f"{self.name}: {case.name}, {client}, round {number + 1}")
            try:
                metrics = self._measure(case, client, workers.get(client))
            except WorkerFailed as error:
                _say(f"  failed: {error}")
                yield Row(self.name, case.name, client, number, {}, str(error))
            else:
                yield Row(self.name, case.name, client, number, metrics)

    def _measure(self, case: Case, client: str, worker: Worker | None) -> dict[str, float]:
        job = {"client": client, **case.job}
        if case.scheme is not None:
            job |= attrs.asdict(self.server.target(case.scheme))
        before = self.server.take_stats()
        if worker is not None:
            metrics = worker.measure(job)
        else:
            with closing(Worker(self.options.python(client))) as fresh:
                metrics = fresh.measure(job)
        after = self.server.take_stats()
        return _with_servers_view(metrics, before, after)


def _with_servers_view(metrics: dict[str, Any], before: Stats, after: Stats) -> dict[str, float]:
    if "left_ns" in metrics:
        pairs = list(zip(metrics.pop("left_ns"), after["left_ns"], strict=False))
        noticed = [(server - client) / 1e6 for client, server in pairs]
        metrics["unnoticed"] = 0 if noticed else 1
        if noticed:
            metrics["left_ms"] = percentile(noticed, 50)
            metrics["left_worst_ms"] = max(noticed)
    metrics["server_cpu_ms"] = (after["cpu_ns"] - before["cpu_ns"]) / 1e6
    metrics["server_late_ms"] = after["late_ms"]
    return metrics


def _imports(options: Options) -> Iterator[Row]:
    for number in range(options.rounds):
        for name, (before, statement) in IMPORTS.items():
            _say(f"imports: {name}, round {number + 1}")
            metrics = measure_import(options.python(name), before, statement)
            if metrics is not None:
                yield Row("imports", "import", name, number, metrics)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
