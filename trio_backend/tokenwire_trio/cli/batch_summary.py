"""What a run came to, in a few lines that fit into any terminal."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Final, final

import attrs

from tokenwire.errors import ProviderError
from tokenwire_trio.bulk.result import Failure
from tokenwire_trio.cli.advice import with_advice
from tokenwire_trio.cli.batch_plan import Plan
from tokenwire_trio.cli.batch_progress import clock
from tokenwire_trio.cli.batch_tally import Tally

_LABEL_WIDTH: Final = 12
_NUMBER_WIDTH: Final = 9

#: What stands before an error.
_INDENT: Final = "    "
_MAX_ERROR_LINES: Final = 4

#: Of a line in a file.
_MAX_WIDTH: Final = 200


@final
@attrs.frozen(kw_only=True)
class Summary:
    """What a run came to.

    Attributes:
        plan: What there was to do.
        tally: What was done.
        seconds: How long it took.
        key_variable: Where the key came from.
    """

    plan: Plan
    tally: Tally
    seconds: float
    key_variable: str | None

    def lines(self, width: int | None) -> Iterator[str]:
        """Say it.

        Args:
            width: How many characters there are in a line; None for any number.
        """
        plan, tally = self.plan, self.tally
        if plan.empty_file is not None:
            yield f"{plan.empty_file} has no questions: each line is one, see --help"
            return
        yield _row("answered", tally.answered)
        if plan.answered:
            yield _row("earlier", plan.answered, "by earlier runs")
        if tally.failed:
            yield _row("failed", tally.failed.total())
            yield from self._failures(_MAX_WIDTH if width is None else width)
        if plan.failed:
            yield _row("kept", plan.failed.total(), "failed earlier")
        not_asked = plan.to_ask - tally.done
        if not_asked:
            yield _row("not asked", not_asked, "run again to ask")
        if tally.retries:
            yield _row("retries", tally.retries)
        if tally.tokens:
            about = "" if tally.exact else "~"
            speed = f"{about}{tally.tokens / self.seconds:,.1f}/s" if self.seconds else ""
            yield _row("tokens", f"{about}{tally.tokens:,}", speed)
        yield _row("time", clock(self.seconds))
        if not_asked and tally.must_stop:
            yield "Stopped: too many failures in a row"

    def _failures(self, width: int) -> Iterator[str]:
        for kind, count in self.tally.failed.most_common():
            yield _row(f"  {kind}", count)
            yield from textwrap.wrap(
                self._error(self.tally.examples[kind]),
                width,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT,
                max_lines=_MAX_ERROR_LINES,
                placeholder="…",
            )

    def _error(self, error: Failure) -> str:
        if isinstance(error, ProviderError):
            return with_advice(error, self.key_variable)
        return str(error)


def _row(label: str, value: int | str, remark: str = "") -> str:
    number = f"{value:,}" if isinstance(value, int) else value
    return f"{label:<{_LABEL_WIDTH}}{number:>{_NUMBER_WIDTH}}  {remark}".rstrip()


def terminal_width() -> int:
    """Return how many characters a line of the terminal holds, but for the last column."""
    return shutil.get_terminal_size().columns - 1
