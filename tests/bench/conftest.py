"""Fixtures of the benchmarks' own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.processes import RunningServer, running_server


@pytest.fixture(scope="package")
def bench_server() -> Iterator[RunningServer]:
    """Give the benchmarks' server, in its process."""
    with running_server() as server:
        yield server
