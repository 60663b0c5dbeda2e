"""What clients make of servers that misbehave: `python -m tests.bench.behaviour` prints a table.

Each client asks each server in a process of its own, with a timeout of two seconds set in whatever
way it has, and says what it thinks has happened. Nothing here judges: the table shows what came.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, Final

import trio

from tests.bench import one_answer
from tests.bench.processes import checkout_environment
from tokenwire_trio.testing import SCENARIOS, serve

#: The servers, in the order of the table.
ASKED: Final = (
    "closed-in-mid-answer",
    "cut-chunked-body",
    "error-object",
    "error-then-done",
    "error-event",
    "error-field",
    "json-error",
    "html-page",
    "bad-json",
    "bad-utf-8",
    "comments-between-tokens",
    "bad-key",
)

#: When a client is taken for hanging, its import included.
PATIENCE_S: Final = 25.0
#: The same without the import.
HANGING_S: Final = 8.0


def described(found: dict[str, Any] | None) -> str:
    """Return a report as a cell of the table."""
    if found is None or found["seconds"] > HANGING_S:
        return "**waits on**"
    if "error" in found:
        return f"`{found['error']}`{', key in traceback' if found['key'] else ''}"
    return f"**success** ({found['finish']})"


async def _row(name: str, clients: dict[str, str]) -> list[str]:
    cells: list[str] = []
    for client, python in clients.items():
        async with serve(SCENARIOS[name]) as server:
            found = await trio.to_thread.run_sync(_report_of, python, client, server.base_url)
        cells.append(described(found))
    return cells


def _report_of(python: str, client: str, base_url: str) -> dict[str, Any] | None:
    """Run `one_answer` in a process of its own; return None if it takes too long."""
    command = [python, "-m", one_answer.__name__, client, base_url]
    try:
        result = subprocess.run(
            command,
            env=checkout_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


async def _print_table(clients: dict[str, str]) -> None:
    _print_row(["the server", *clients])
    _print_row(["---"] * (1 + len(clients)))
    for name in ASKED:
        _print_row([SCENARIOS[name].shows, *await _row(name, clients)])


def _print_row(cells: list[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="CLIENT=PYTHON",
        help="run a client with another interpreter: litellm=.venv/bench-litellm/bin/python",
    )
    options = parser.parse_args(arguments)
    others = dict(choice.split("=", 1) for choice in options.python)
    clients = {
        name: others.get(name, sys.executable)
        for name, (_, module) in one_answer.CLIENTS.items()
        if name in others or find_spec(module) is not None
    }
    trio.run(_print_table, clients)


if __name__ == "__main__":
    main(sys.argv[1:])
