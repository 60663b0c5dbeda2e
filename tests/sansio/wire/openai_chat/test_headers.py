"""What response headers say besides the answer."""

import pytest

from tokenwire.response import RateLimit
from tokenwire.wire.openai_chat import OpenAIChat


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({}, None),
        ({"x-request-id": "req_1"}, "req_1"),
        ({"request-id": "req_2"}, "req_2"),
        ({"x-generation-id": "gen_3"}, "gen_3"),
        ({"x-generation-id": "c", "request-id": "b", "x-request-id": "a"}, "a"),
        ({"x-generation-id": "c", "request-id": "b"}, "b"),
        ({"id": "x"}, None),
    ],
)
def test_the_request_id_has_several_names(headers: dict[str, str], request_id: str | None) -> None:
    """The usual one goes first."""
    assert OpenAIChat().request_id(headers) == request_id


def test_allowances_are_read() -> None:
    """Of requests and of tokens, with their reset in Go's spelling."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert OpenAIChat().rate_limits(headers) == (
        RateLimit(name="requests", limit=60, remaining=59, reset_after=1.0),
        RateLimit(name="tokens", limit=150_000, remaining=149_984, reset_after=360.0),
    )


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({}, ()),
        ({"x-ratelimit-reset-tokens": "1s"}, ()),
        ({"x-ratelimit-limit-tokens": "5"}, (RateLimit(name="tokens", limit=5),)),
        ({"x-ratelimit-remaining-requests": "0"}, (RateLimit(name="requests", remaining=0),)),
        (
            {"x-ratelimit-limit-tokens": "many", "x-ratelimit-remaining-tokens": "-5"},
            (RateLimit(name="tokens"),),
        ),
        ({"x-ratelimit-limit-tokens": ""}, (RateLimit(name="tokens"),)),
        ({"x-ratelimit-limit-tokens": "²"}, (RateLimit(name="tokens"),)),
        ({"x-ratelimit-limit-tokens": "\u0661"}, (RateLimit(name="tokens"),)),
        ({"x-ratelimit-limit-tokens": "9" * 19}, (RateLimit(name="tokens", limit=int("9" * 19)),)),
        ({"x-ratelimit-limit-tokens": "9" * 20}, (RateLimit(name="tokens"),)),
        (
            {"x-ratelimit-limit-tokens": "5", "x-ratelimit-reset-tokens": "soon"},
            (RateLimit(name="tokens", limit=5),),
        ),
    ],
)
def test_an_allowance_that_is_told_in_part_is_read_in_part(
    headers: dict[str, str], limits: tuple[RateLimit, ...]
) -> None:
    """What is missing or unusable is None; a reset alone says nothing."""
    assert OpenAIChat().rate_limits(headers) == limits
