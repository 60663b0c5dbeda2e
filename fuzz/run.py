"""Runs every fuzzer for its share of the time: ``python -m fuzz.run --seconds 60``.

Starts from the seeds, keeps what it learns in fuzz/corpora, prints how many inputs each harness
ran, and ends with status 1 if one broke an invariant; the input is then in fuzz/findings.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from fuzz.inputs import HARNESSES, dictionary_file
from fuzz.make_seeds import SEEDS, write_seeds

_HERE: Final = Path(__file__).parent
_EXECUTIONS: Final = re.compile(r"stat::number_of_executed_units: (\d+)")

#: One input that takes longer than this, in seconds, is a finding.
_INPUT_TIMEOUT: Final = 10


class Run(NamedTuple):
    """What came of one harness; `cpu_seconds` are what the process was given of `seconds`."""

    name: str
    seconds: float
    cpu_seconds: float
    executions: int
    finding: str

    def __str__(self) -> str:
        speed = self.executions / max(self.cpu_seconds, 0.01)
        verdict = "FAILED" if self.finding else "nothing found"
        return (
            f"{self.name:16} {self.executions:>9} executions {self.seconds:5.0f} s"
            f" {speed:7.0f} per CPU second  {verdict}"
        )


def run(name: str, seconds: int) -> Run:
    """Fuzz one harness in a process of its own."""
    corpus, findings = _HERE / "corpora" / name, _HERE / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={HARNESSES[name].max_bytes}",
        f"-timeout={_INPUT_TIMEOUT}",
        f"-dict={dictionary_file(name)}",
        f"-artifact_prefix={findings / name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    command = [sys.executable, "-m", "fuzz", name, *options, str(corpus), str(SEEDS / name)]
    start, cpu_start = time.monotonic(), _cpu_seconds_of_children()
    finished = subprocess.run(
        command, cwd=_HERE.parent, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, check=False
    )
    output = finished.stdout.decode("utf-8", "replace")
    executed = _EXECUTIONS.search(output)
    executions = int(executed[1]) if executed else 0
    failed = finished.returncode != 0 or executions == 0
    cpu_seconds = _cpu_seconds_of_children() - cpu_start
    elapsed = time.monotonic() - start
    return Run(name, elapsed, cpu_seconds, executions, output if failed else "")


def _cpu_seconds_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def main() -> int:
    """Read the command line, fuzz, and report."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all harnesses together")
    parser.add_argument("harness", nargs="*", default=list(HARNESSES), help="default: all")
    arguments = parser.parse_args()
    names: list[str] = arguments.harness
    if unknown := set(names) - set(HARNESSES):
        parser.error(f"no harness {', '.join(unknown)}; there are {', '.join(HARNESSES)}")
    write_seeds(SEEDS)
    share = arguments.seconds / sum(HARNESSES[name].share for name in names)
    runs: list[Run] = []
    for name in names:
        done = run(name, max(1, round(share * HARNESSES[name].share)))
        runs.append(done)
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
    for done in runs:
        if done.finding:
            sys.stdout.write(f"\n=== {done.name}\n{done.finding[-4000:]}\n")
    return int(any(done.finding for done in runs))


if __name__ == "__main__":
    sys.exit(main())
