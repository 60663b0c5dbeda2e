"""`tokenwire doctor`: how far a small call gets with a configuration, and what stops it."""

import os
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, final

import attrs
import click

from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import EXPLANATION, ExitCode, of_error
from tokenwire_trio.cli.likely_fix import likely_fix
from tokenwire_trio.cli.outlet import Outlet, standard_outlets
from tokenwire_trio.cli.provider_options import ProviderOptions, provider_options
from tokenwire_trio.cli.provider_section import Target, load_target
from tokenwire_trio.json_lines import JSONLines, JSONObject

if TYPE_CHECKING:
    from tokenwire_trio.doctor import Finding, Report, Stage

_TITLES: Final[dict["Stage", str]] = {
    "dns": "DNS",
    "tcp": "TCP",
    "proxy": "proxy",
    "tls": "TLS",
    "http": "HTTP",
    "auth": "auth",
    "first_token": "first token",
    "answer": "answer",
}


class _Presentation(Protocol):
    """How the examination is shown."""

    def tell(self, finding: "Finding") -> None:
        """Show a finding at once."""
        ...

    def sum_up(self, report: "Report", target: Target) -> None:
        """Show what follows from all of them."""
        ...


@click.command(epilog=EXPLANATION)
@ends_with_exit_code
@provider_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each stage.")
def doctor(options: ProviderOptions, *, as_json: bool) -> ExitCode:
    """Find out what is wrong with a configuration.

    Asks the model to say hi and shows how far that gets: DNS, TCP, proxy, TLS, HTTP, auth, the
    first token, the end of the answer. Where it fails, the last lines say why and what most likely
    helps. Nothing that it prints holds the key.
    """
    target = load_target(options, os.environ)
    # Only now: trio takes longer to import than all the rest, and --help needs none of it.
    import trio

    from tokenwire_trio.doctor import examine

    presentation: _Presentation = _Objects() if as_json else _Table(standard_outlets()[0])
    report = trio.run(
        partial(
            examine,
            target.section,
            tell=presentation.tell,
            max_output_tokens=options.max_tokens,
        )
    )
    presentation.sum_up(report, target)
    return ExitCode.COMPLETE if report.error is None else of_error(report.error)


@final
class _Table:
    """A line for each stage, and the upshot below."""

    def __init__(self, stdout: Outlet) -> None:
        self._stdout = stdout

    def tell(self, finding: "Finding") -> None:
        outcome = finding.outcome.replace("_", " ")
        row = f"{_TITLES[finding.stage]:<11}  {outcome:<11}  {_duration(finding.seconds):>8}"
        row = f"{row}  {finding.detail}".rstrip()
        self._stdout.notice(row, dim=finding.outcome in ("skipped", "not_reached"), indent=4)

    def sum_up(self, report: "Report", target: Target) -> None:
        self._stdout.line("")
        if report.error is None or report.failed is None:
            first_token = _duration(report.response.timings.first_token)
            self._stdout.notice(
                f"All is well: {report.url} answered, first token after {first_token}."
            )
            return
        self._stdout.notice(f"{_TITLES[report.failed]} failed: {report.error}")
        self._stdout.notice(f"Likely fix: {likely_fix(report.error, target)}")
        self._stdout.notice(f"The request was for {report.url}")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"


@final
class _Objects:
    """A JSON object on each line: one for each stage, and a last one for the whole."""

    def __init__(self) -> None:
        self._lines = JSONLines()

    def tell(self, finding: "Finding") -> None:
        self._lines.write_objects([{"type": "stage", **attrs.asdict(finding)}])

    def sum_up(self, report: "Report", target: Target) -> None:
        error = report.error
        summary: JSONObject = {
            "type": "summary",
            "ok": error is None,
            "failed": report.failed,
            "error": None if error is None else error.facts(),
            "likely_fix": None if error is None else likely_fix(error, target),
            "url": report.url,
            "status": report.response.status,
            "request_id": report.response.request_id,
            "model": report.model,
            "timings": attrs.asdict(report.response.timings),
        }
        self._lines.write_objects([summary])
