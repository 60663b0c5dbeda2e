"""The command line: ``python -m tests.bench``."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.bench.benchmarks import BENCHMARKS
from tests.bench.clients import CLIENTS
from tests.bench.parsers import PARSERS
from tests.bench.results import Results
from tests.bench.run import Options, run
from tests.bench.table import tables, target_table

_NAMES: Final = [*BENCHMARKS, "imports"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", help=f"default: all of {', '.join(_NAMES)}")
    everybody = ", ".join(dict.fromkeys([*CLIENTS, *PARSERS]))
    parser.add_argument("--clients", default="", help=f"some of {everybody}, with commas between")
    parser.add_argument("--cases", default="", help="only cases whose names hold this text")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="CLIENT=PATH",
        help="an interpreter of another environment, for clients that can't share one",
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder for results")
    parser.add_argument(
        "--show",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="run nothing: show results of earlier runs together",
    )
    arguments = parser.parse_args()
    for name in arguments.benchmarks:
        if name not in _NAMES:
            parser.error(f"no benchmark {name!r}; there are {', '.join(_NAMES)}")
    for name in filter(None, arguments.clients.split(",")):
        if name not in CLIENTS and name not in PARSERS:
            parser.error(f"no client {name!r}; there are {everybody}")
    return arguments


def main() -> int:
    """Run benchmarks, show the results, and fail if a client failed."""
    arguments = _arguments()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.show:
        results = Results.load(*arguments.show)
    else:
        results = run(
            Options(
                benchmarks=arguments.benchmarks or _NAMES,
                clients=[name for name in arguments.clients.split(",") if name],
                rounds=arguments.rounds,
                pythons=dict(item.split("=", 1) for item in arguments.python),
                cases=arguments.cases,
            )
        )
        results.save(out / "results.json")
    for text in (*tables(results), "### targets\n\n" + target_table(results)):
        sys.stdout.write(text + "\n\n")
    if find_spec("matplotlib") is not None:
        from tests.bench.plots import draw_all

        for path in draw_all(results, out):
            sys.stdout.write(f"drew {path}\n")
    return int(any(row.error for row in results.rows))


if __name__ == "__main__":
    sys.exit(main())
