"""What response headers say besides the answer."""

from __future__ import annotations

import pytest

from tokenwire.response import RateLimit
from tokenwire.wire.anthropic.headers import rate_limits, request_id

DATE = {"date": "Tue, 16 Sep 2025 21:40:24 GMT"}


def test_the_request_id_is_the_api_s_own() -> None:
    """Or that of a server that speaks it as well."""
    assert request_id({"request-id": "req_1", "x-request-id": "x"}) == "req_1"
    assert request_id({"x-request-id": "x"}) == "x"
    assert request_id({}) is None


def test_every_allowance_is_reported() -> None:
    """Those of priority capacity under names of their own."""
    headers = {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-requests-remaining": "999",
        "anthropic-ratelimit-requests-reset": "2025-09-16T21:40:54Z",
        "anthropic-ratelimit-output-tokens-remaining": "16000",
        "anthropic-priority-input-tokens-limit": "5",
    }
    assert rate_limits(DATE | headers) == (
        RateLimit(name="requests", limit=1000, remaining=999, reset_after=30.0),
        RateLimit(name="output-tokens", remaining=16000),
        RateLimit(name="priority-input-tokens", limit=5),
    )


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("2025-09-16T21:40:24Z", 0.0),
        ("2025-09-16T21:40:20Z", 0.0),
        ("2025-09-16T23:40:25.500+02:00", 1.5),
        ("2025-09-16T21:40:54", None),
        ("1758058824", None),
        ("soon", None),
    ],
)
def test_a_reset_is_measured_against_the_response_s_date(reset: str, seconds: float | None) -> None:
    """The core has no clock; what lies in the past is over."""
    headers = {
        "anthropic-ratelimit-tokens-limit": "9",
        "anthropic-ratelimit-tokens-reset": reset,
    }
    assert rate_limits(DATE | headers)[0].reset_after == seconds
    assert rate_limits(headers)[0].reset_after is None
