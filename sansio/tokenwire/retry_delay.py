"""What a server says about trying again: whether to, and how long to wait before."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)

#: The three date forms of RFC 9110 section 5.6.7, the obsolete ones included, weekday left out.
_DATES: Final = (
    re.compile(r"(?P<day>\d{2}) (?P<month>\w{3}) (?P<year>\d{4}) (?P<time>[\d:]{8}) GMT"),
    re.compile(r"(?P<day>\d{2})-(?P<month>\w{3})-(?P<year>\d{2}) (?P<time>[\d:]{8}) GMT"),
    re.compile(r"(?P<month>\w{3}) (?P<day>[ \d]\d) (?P<time>[\d:]{8}) (?P<year>\d{4})"),
)

#: One number and unit of a duration such as "6m0s", "1.5s" or "120ms".
_DURATION_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|us|µs|ns|h|m|s)")
_UNIT_SECONDS: Final = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}


def retry_delay(headers: Mapping[str, str]) -> float | None:
    """Return the delay that response headers ask for, in seconds.

    ``retry-after-ms`` goes before ``retry-after`` in seconds or as a date. A date is measured
    against the response's own ``date``: the core has no clock, and the server's is the right one.
    Delays that are not positive, finite numbers count as not given.

    Args:
        headers: By lower-case name.
    """
    if (milliseconds := _positive(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if (seconds := _positive(value)) is not None:
        return seconds
    at, now = http_date(value), http_date(headers.get("date"))
    if at is None or now is None or at <= now:
        return None
    return (at - now).total_seconds()


def retry_advice(headers: Mapping[str, str]) -> bool | None:
    """Return whether response headers ask to try again, None where they leave it to the status.

    The servers that send ``x-should-retry``, of several companies, know better than their status.

    Args:
        headers: By lower-case name.
    """
    match headers.get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return None


def parse_duration(text: str) -> float | None:
    """Read a duration in seconds: a bare number, or numbers with units as Go writes them."""
    if (seconds := _positive(text)) is not None:
        return seconds
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _positive(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def http_date(text: str | None) -> datetime | None:
    """Read a date as headers write it, None where it is none."""
    if text is None:
        return None
    match = next((found for form in _DATES if (found := form.search(text))), None)
    if match is None:
        return None
    try:
        hour, minute, second = (int(part) for part in match["time"].split(":"))
        year = int(match["year"])
        if year < 100:  # RFC 9110: two digits mean the nearest such year
            year += 2000 if year < 70 else 1900
        month = _MONTHS.index(match["month"]) + 1
        return datetime(year, month, int(match["day"]), hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
