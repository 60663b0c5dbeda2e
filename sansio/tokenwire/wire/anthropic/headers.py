"""What response headers of this API say besides the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tokenwire.response import RateLimit
from tokenwire.retry_delay import http_date
from tokenwire.wire.header_values import count, first_of

#: The first is the API's own, the second that of servers that speak it as well.
_REQUEST_ID: Final = ("request-id", "x-request-id")

_COUNTED: Final = ("requests", "tokens", "input-tokens", "output-tokens")

#: Prefixes of the headers, and of the names that the allowances get here.
_TIERS: Final = (("anthropic-ratelimit-", ""), ("anthropic-priority-", "priority-"))


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of the request."""
    return first_of(headers, _REQUEST_ID)


def rate_limits(headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """Read ``anthropic-ratelimit-{requests,tokens,…}-{limit,remaining,reset}``, and priority's."""
    limits = (
        _rate_limit(name + counted, header + counted, headers)
        for header, name in _TIERS
        for counted in _COUNTED
    )
    return tuple(limit for limit in limits if limit is not None)


def _rate_limit(name: str, header: str, headers: Mapping[str, str]) -> RateLimit | None:
    limit = count(headers.get(f"{header}-limit"))
    remaining = count(headers.get(f"{header}-remaining"))
    if limit is None and remaining is None:
        return None
    reset_after = _seconds_until(headers.get(f"{header}-reset"), headers.get("date"))
    return RateLimit(name=name, limit=limit, remaining=remaining, reset_after=reset_after)


def _seconds_until(reset: str | None, date: str | None) -> float | None:
    """Measure an RFC 3339 time against the response's date: the core has no clock."""
    at, now = _rfc3339(reset or ""), http_date(date)
    return max(0.0, (at - now).total_seconds()) if at and now else None


def _rfc3339(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
