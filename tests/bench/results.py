"""What was measured, as rows that a JSON file keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, final

import attrs

from tests.bench.figures import Spread


@final
@attrs.frozen
class Row:
    """What one client did in one case of one round.

    Attributes:
        benchmark: Name of the benchmark.
        case: Name of the case.
        client: Name of the client.
        round: Which round, from 0.
        metrics: Figures by name; the unit ends the name.
        error: Why there are none.
    """

    benchmark: str
    case: str
    client: str
    round: int
    metrics: Mapping[str, float]
    error: str = ""


@final
@attrs.frozen
class Results:
    """A run.

    Attributes:
        about: Machine, versions, options.
        skipped: Clients that did not take part, and why.
        rows: What was measured.
    """

    about: Mapping[str, Any]
    skipped: Mapping[str, str]
    rows: list[Row]

    def values(self, benchmark: str, case: str, client: str, metric: str) -> dict[int, float]:
        """Return a figure by round."""
        return {
            row.round: row.metrics[metric]
            for row in self.rows
            if (row.benchmark, row.case, row.client) == (benchmark, case, client)
            and metric in row.metrics
        }

    def spread(self, benchmark: str, case: str, client: str, metric: str) -> Spread | None:
        """Sum up a figure over the rounds; None if no round has it."""
        values = self.values(benchmark, case, client, metric)
        return Spread.of(values.values()) if values else None

    def cases(self, benchmark: str) -> list[str]:
        """Return the cases of a benchmark in the order in which they ran."""
        return _unique(row.case for row in self.rows if row.benchmark == benchmark)

    def clients(self, benchmark: str) -> list[str]:
        """Return the clients of a benchmark in the order in which they ran."""
        return _unique(row.client for row in self.rows if row.benchmark == benchmark)

    def metrics(self, benchmark: str) -> list[str]:
        """Return the names of a benchmark's figures."""
        rows = (row for row in self.rows if row.benchmark == benchmark)
        return _unique(name for row in rows for name in row.metrics)

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks in the order in which they ran."""
        return _unique(row.benchmark for row in self.rows)

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(attrs.asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, *paths: Path) -> Results:
        """Read files; of those that measured the same, the last one counts."""
        about: dict[str, Any] = {}
        skipped: dict[str, str] = {}
        rows: dict[tuple[str, str, str, int], Row] = {}
        for path in paths:
            value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            about |= value["about"]
            skipped |= value["skipped"]
            for members in value["rows"]:
                row = Row(**members)
                rows[row.benchmark, row.case, row.client, row.round] = row
        return cls(about, skipped, list(rows.values()))


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
