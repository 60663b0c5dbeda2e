"""What a response says about itself."""

from tokenwire.response import RateLimit, ResponseInfo, Timings


def test_nothing_is_known_before_the_head() -> None:
    """No status, no id, no allowances, no times."""
    info = ResponseInfo()
    assert (info.status, info.request_id, info.rate_limits) == (None, None, ())
    assert info.timings == Timings(connect=None, first_byte=None, first_token=None, total=None)


def test_an_allowance_may_be_told_in_part() -> None:
    """Providers leave out what they like."""
    limit = RateLimit(name="tokens", remaining=5)
    assert (limit.limit, limit.remaining, limit.reset_after) == (None, 5, None)
