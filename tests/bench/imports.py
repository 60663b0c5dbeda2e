"""How long an import takes, and how much memory, in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
from typing import Final

_PROGRAM: Final = """
import time, resource, json, sys
import {before}
def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize()
memory, cpu, wall = resident(), time.process_time_ns(), time.perf_counter_ns()
{statement}
wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
memory = resident() - memory
print(json.dumps(dict(wall_ms=wall / 1e6, cpu_ms=cpu / 1e6, mib=memory / 1048576)))
"""


def measure_import(python: str, before: str, statement: str) -> dict[str, float] | None:
    """Run an import.

    Args:
        python: The interpreter.
        before: What is imported before, and does not count.
        statement: What counts.

    Returns:
        Milliseconds of wall and CPU time, MiB of memory; None if it is not installed.
    """
    program = _PROGRAM.format(before=before, statement=statement)
    finished = subprocess.run(
        [python, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    if finished.returncode:
        return None
    metrics: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return metrics
