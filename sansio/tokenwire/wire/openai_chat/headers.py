"""What response headers of this API say besides the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokenwire.response import RateLimit
from tokenwire.retry_delay import parse_duration
from tokenwire.wire.header_values import count, first_of

_REQUEST_ID: Final = ("x-request-id", "request-id", "x-generation-id")


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of the request."""
    return first_of(headers, _REQUEST_ID)


def rate_limits(headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """Read ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``."""
    return tuple(
        RateLimit(
            name=name,
            limit=count(headers.get(f"x-ratelimit-limit-{name}")),
            remaining=count(headers.get(f"x-ratelimit-remaining-{name}")),
            reset_after=parse_duration(headers.get(f"x-ratelimit-reset-{name}", "")),
        )
        for name in ("requests", "tokens")
        if f"x-ratelimit-limit-{name}" in headers or f"x-ratelimit-remaining-{name}" in headers
    )
