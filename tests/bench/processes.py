"""The server's process and the clients' processes, seen from the one that runs the benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, final

import attrs
import trustme

from tests.bench.clients import Target
from tests.bench.control import control
from tests.bench.server import Stats

_ROOT: Final = Path(__file__).parents[2]

#: A process that was asked to end has that long, in seconds.
_END_TIMEOUT_S: Final = 10


class WorkerFailed(Exception):
    """A client's process could not do its job."""


def checkout_environment() -> dict[str, str]:
    """Return an environment in which what is not installed is taken from the checkout."""
    paths = [str(_ROOT), str(_ROOT / "sansio"), str(_ROOT / "trio_backend")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _start(python: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-m", *args],
        cwd=_ROOT,
        env=checkout_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@final
@attrs.frozen
class RunningServer:
    """Where the server is.

    Attributes:
        ports: By scheme.
        ca_file: What to trust.
    """

    ports: Mapping[str, int]
    ca_file: str

    def target(self, scheme: str) -> Target:
        """Return where answers are."""
        base_url = f"{scheme}://127.0.0.1:{self.ports[scheme]}/v1"
        return Target(base_url, self.ca_file, self.ports["http"])

    def take_stats(self) -> Stats:
        """Return what it noticed since the last call."""
        stats: Stats = control(self.ports["http"], "/stats")
        return stats


@contextmanager
def running_server() -> Generator[RunningServer, None, None]:
    """Run the server for as long as the block lasts."""
    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(f"{folder}/server.pem")
        process = _start(sys.executable, "tests.bench.server", folder)
        try:
            assert process.stdout is not None
            yield RunningServer(json.loads(process.stdout.readline()), str(ca_file))
        finally:
            _end(process)


@final
class Worker:
    """A client's process.

    Args:
        python: The interpreter of an environment that has the client.
    """

    def __init__(self, python: str) -> None:
        self._process = _start(python, "tests.bench.worker")

    def measure(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Have a job done and return the metrics.

        Raises:
            WorkerFailed: If it was not.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(dict(job)) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline() or '{"error": "it ended"}')
        except BrokenPipeError:
            answer = {"error": "it ended"}
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        metrics: dict[str, Any] = answer["metrics"]
        return metrics

    def close(self) -> None:
        """End the process."""
        _end(self._process)
