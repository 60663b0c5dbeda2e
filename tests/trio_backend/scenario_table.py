"""The table of scenarios for the documentation.

Write it anew with ``python -m tests.trio_backend.scenario_table``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, assert_never

from tokenwire_trio.testing import Outcome, Scenario
from tokenwire_trio.testing.scenarios import GROUPS

PATH: Final = Path(__file__).parents[2] / "docs" / "misbehaving-servers.md"

_INTRODUCTION: Final = """\
# What the client does when the server misbehaves

Each line is a scenario of `tokenwire_trio.testing`, played over TCP, TLS and in memory by the
suite. Use them in your own tests to see what your program does:

    from tokenwire_trio.testing import SCENARIOS, serve

    async with serve(SCENARIOS["stall-in-mid-token"]) as server:
        ...  # server.base_url

"After" is what had come: it is in `stream.partial()`. Where a deadline is named, nothing else ends
the call: set it in `Deadlines`. Limits are those of `Limits`. Whatever the server does, the
connection is closed, or kept if the answer ended cleanly, before the `async with` block returns;
bytes behind the end of an answer never reach the next request.

This page is written by the suite (`python -m tests.trio_backend.scenario_table`).
"""


def table() -> str:
    """Return the page."""
    return "\n".join((_INTRODUCTION, *_lines()))


def _lines() -> Iterator[str]:
    for title, scenarios in GROUPS.items():
        yield f"## {title}\n"
        yield "| Scenario | The server | The client |"
        yield "| --- | --- | --- |"
        for scenario in scenarios:
            yield f"| `{scenario.name}` | {scenario.shows} | {_reaction(scenario)} |"
        yield ""


def _reaction(scenario: Scenario) -> str:
    reaction = _describe(scenario.outcome)
    if scenario.deadline and scenario.outcome.timeout is None:
        reaction += f", when `{scenario.deadline}` runs out"
    if scenario.outcome_over_tls is not None:
        reaction += f"; over TLS {_describe(scenario.outcome_over_tls)}"
    return reaction


def _describe(outcome: Outcome) -> str:
    parts = [_kind(outcome)]
    if outcome.sent in ("nothing", "partly"):
        parts.append(f"`sent` {outcome.sent}")
    if outcome.error is not None and outcome.text:
        parts.append(f"after “{outcome.text}”")
    return ", ".join(parts)


def _kind(outcome: Outcome) -> str:
    match outcome.error:
        case None:
            return "the whole answer"
        case "network":
            timeout = f", timeout `{outcome.timeout}`" if outcome.timeout else ""
            return f"`NetworkError`{timeout}, phase `{outcome.phase}`"
        case "auth":
            return "`AuthError`"
        case "rate_limit":
            after = f", `retry_after` {outcome.retry_after:g} s" if outcome.retry_after else ""
            return f"`RateLimitError`, scope `{outcome.scope}`{after}"
        case "malformed":
            return f"`MalformedResponseError`, reason `{outcome.reason}`"
        case "other":
            return f"`OtherError`, kind `{outcome.kind}`"
        case _:
            assert_never(outcome.error)


if __name__ == "__main__":
    PATH.write_text(table(), encoding="utf-8")
