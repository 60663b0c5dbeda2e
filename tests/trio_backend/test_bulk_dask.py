"""`ask_bag`: a Dask bag, asked by worker processes of a real cluster on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.bag
import pytest
from distributed import Client, LocalCluster
from distributed.protocol.pickle import dumps

from tests.gguf import ANSWER
from tests.trio_backend.test_bulk_partition import config
from tokenwire_trio.bulk import WorkerSettings, ask_bag

_KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Give a cluster whose two workers alone have the key."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            env={"DASK_TEST_KEY": _KEY},
            local_directory=str(tmp_path_factory.mktemp("dask")),
        ) as local,
        Client(local) as client,
    ):
        yield client


def _settings(llama_url: str) -> WorkerSettings:
    return WorkerSettings(
        config=config(llama_url, 'credential_env = "DASK_TEST_KEY"'), concurrency=4
    )


def _with_process(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**record, "process": os.getpid()} for record in records]


def test_two_worker_processes_answer_a_bag(cluster: Client, llama_url: str, tmp_path: Path) -> None:
    """Each its partitions; the results are in order, and nothing that travels holds the key."""
    records = [{"id": number, "prompt": f"Question {number}"} for number in range(24)]
    bag = ask_bag(dask.bag.from_sequence(records, npartitions=6), _settings(llama_url))
    answered = bag.map_partitions(_with_process)
    travelling = dumps(dict(answered.__dask_graph__()))
    assert b"DASK_TEST_KEY" in travelling
    assert _KEY.encode() not in travelling
    results: list[dict[str, Any]] = cluster.compute(answered, sync=True)
    assert [result["id"] for result in results] == list(range(24))
    assert [result["text"] for result in results] == [ANSWER] * 24
    assert len({result["process"] for result in results} - {os.getpid()}) == 2
