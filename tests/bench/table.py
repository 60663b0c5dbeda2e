"""Results and targets as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tests.bench.clients import CLIENTS
from tests.bench.figures import Spread
from tests.bench.parsers import PARSERS
from tests.bench.results import Results
from tests.bench.targets import TARGETS, Target

#: Figures worth a column; the others are in the JSON file.
_SHOWN: Final = {
    "cpu_us_per_token": "CPU µs/token",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "kib_per_stream": "KiB/stream",
    "growth": "growth",
    "cold_ms": "cold ms",
    "warm_ms": "warm ms",
    "warm_cpu_ms": "warm CPU ms",
    "left_ms": "seen after ms",
    "left_worst_ms": "worst ms",
    "wall_ms": "wall ms",
    "cpu_ms": "CPU ms",
    "mib": "MiB",
}


def label(benchmark: str, client: str) -> str:
    """Return the name of a client for people."""
    if benchmark in ("parse", "linear") and client in PARSERS:
        return PARSERS[client].label
    return CLIENTS[client].label if client in CLIENTS and benchmark != "imports" else client


def tables(results: Results) -> Iterator[str]:
    """Write each benchmark as a Markdown table of medians (least to most in brackets)."""
    for benchmark in results.benchmarks:
        metrics = [name for name in _SHOWN if name in results.metrics(benchmark)]
        rows = [
            [case, label(benchmark, client), *_cells(results, benchmark, case, client, metrics)]
            for case in results.cases(benchmark)
            for client in results.clients(benchmark)
        ]
        head = ["case", "client", *(_SHOWN[name] for name in metrics)]
        yield f"### {benchmark}\n\n" + markdown(head, (row for row in rows if any(row[2:])))
    failures = [row for row in results.rows if row.error]
    for row in failures:
        yield f"failed: {row.benchmark}, {row.case}, {row.client}: {row.error}"
    for client, reason in results.skipped.items():
        yield f"skipped: {client}, because {reason}"


def _cells(
    results: Results, benchmark: str, case: str, client: str, metrics: Sequence[str]
) -> Iterator[str]:
    for metric in metrics:
        spread = results.spread(benchmark, case, client, metric)
        yield _with_range(spread) if spread is not None else ""


def target_table(results: Results) -> str:
    """Write every target that the run has figures for."""
    return markdown(
        ["target", "at most", "measured (least to most)", "rounds", "verdict"],
        (
            _target_row(target, spread)
            for target in TARGETS
            if (spread := target.measured(results)) is not None
        ),
    )


def _target_row(target: Target, spread: Spread) -> list[str]:
    # Ratios below one read better as parts.
    inverse = target.at_most < 0.1 or target.at_most in (1 / 3, 1 / 4, 1 / 5)
    if inverse:
        bound = f"1/{1 / target.at_most:.0f}"
        parts = (f"1/{1 / value:.3g}" for value in (spread.median, spread.low, spread.high))
        median, low, high = parts
        measured = f"{median} ({low} to {high})"
    else:
        bound, measured = f"{target.at_most:g}", _with_range(spread)
    over = spread.median / target.at_most - 1
    verdict = "met" if over <= 0 else f"missed by {over:.0%}"
    return [target.work, bound, measured, str(spread.rounds), verdict]


def _with_range(spread: Spread) -> str:
    return f"{spread.median:.3g} ({spread.low:.3g} to {spread.high:.3g})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table whose columns line up."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
