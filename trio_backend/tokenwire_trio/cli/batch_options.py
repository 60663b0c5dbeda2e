"""The options of `tokenwire batch` that are not about the provider."""

import re
from collections.abc import Mapping
from typing import Any, Final, Self, final

import attrs
import click

_RATE: Final = re.compile(
    r"(?P<requests>[1-9][0-9]{0,8})/(?P<spans>[0-9]+(?:\.[0-9]+)?)?\s*(?P<unit>s|min|m|h)"
)

_SECONDS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@final
@attrs.frozen(kw_only=True)
class BatchOptions:
    """What the options were given.

    Attributes:
        concurrency: Most answers under way at a time.
        rate: Most requests, and the seconds in which so many may begin; None for any number.
        attempts: Most attempts for a line.
        retry_sent: Also try again what was sent.
        keep_failed: Ask nothing again that failed in an earlier run.
        stop_after: Stop after so many failures in a row.
        quiet: Show neither progress nor a summary.
    """

    concurrency: int
    rate: tuple[int, float] | None
    attempts: int
    retry_sent: bool
    keep_failed: bool
    stop_after: int
    quiet: bool

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Take what click gives, which has the types of the options."""
        return cls(**given)


def _read_rate(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, float] | None:
    if text is None:
        return None
    match = _RATE.fullmatch(text)
    spans = float(match["spans"] or 1) if match else 0
    if match is None or spans == 0:
        raise click.BadParameter(
            "expected requests and a span of time: 5/s, 60/min, 10/30s, 1000/h"
        )
    return int(match["requests"]), spans * _SECONDS[match["unit"]]


rate_option: Final = click.option(
    "--rate",
    metavar="N/SPAN",
    callback=_read_rate,
    help="Most requests to begin in any span of time, such as 5/s, 60/min or 10/30s; each attempt"
    " is one. Where a provider counts a limit per minute by the second, give it by the second.",
)
