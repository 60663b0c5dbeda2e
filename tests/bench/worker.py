"""The process around a client: jobs come in as lines of JSON, metrics go out.

Run as ``python -m tests.bench.worker``, by `Worker` in `processes`. It ends with its standard
input.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from tests.bench import jobs
from tests.bench.clients import CLIENTS, Client, Target
from tests.bench.jobs import Metrics
from tests.bench.script import Script


def measure(job: Mapping[str, Any]) -> Metrics:
    """Do one job; its members are those that `benchmarks` writes, and where the server is."""
    if job["measure"] in ("parse", "small feeds", "long line"):
        return _measure_parser(job)
    client = CLIENTS[job["client"]]
    target = Target(job["base_url"], job["ca_file"], job["control_port"])
    return _measure_client(job, client, target)


def _measure_client(job: Mapping[str, Any], client: Client, target: Target) -> Metrics:
    match job["measure"]:
        case "stream":
            return jobs.stream(client, target, Script.of_model(job["model"]))
        case "crowd":
            script = Script.of_model(job["model"])
            return jobs.crowd(client, target, script, firehose=job["firehose"])
        case "first token":
            return jobs.first_token(client, target, samples=job["samples"])
        case "leave":
            return jobs.leave(client, target, samples=job["samples"])
        case other:
            raise ValueError(f"nothing measures {other!r}")


def _measure_parser(job: Mapping[str, Any]) -> Metrics:
    # Not every environment has what this imports: clients may have one of their own.
    from tests.bench import parsers

    parser = parsers.PARSERS[job["client"]]
    match job["measure"]:
        case "small feeds":
            return parsers.small_feeds_growth(parser)
        case "long line":
            return parsers.long_line_growth(parser)
        case _:
            return parsers.parse(parser, job["kind"], job["feed"], job["tokens"])


def main() -> None:
    """Do jobs until standard input ends."""
    warnings.simplefilter("ignore")  # other people's, on every other line
    answers, sys.stdout = sys.stdout, sys.stderr  # some clients print
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"metrics": measure(json.loads(line))}
        except Exception as error:  # noqa: BLE001  # the next job may do better
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
