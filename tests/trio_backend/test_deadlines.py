"""`tokenwire_trio.deadlines`: which deadline runs out next, and when."""

from __future__ import annotations

from math import inf

import trio
from trio.testing import MockClock

from tokenwire.endpoint import Deadlines
from tokenwire.response import Timings
from tokenwire_trio.deadlines import CallClock, Limit


async def test_without_deadlines_nothing_ever_runs_out(mock_clock: MockClock) -> None:
    """Unset means no deadline."""
    clock = CallClock(Deadlines())
    limits = (clock.call_limit(), clock.connect_limit(), clock.send_limit(), clock.head_limit())
    assert {limit.at for limit in limits} == {inf}
    assert clock.begin_wait().at == inf


async def test_the_soonest_deadline_counts(mock_clock: MockClock) -> None:
    """The total deadline runs from the start of the call and cuts every other one short."""
    start = trio.current_time()
    clock = CallClock(Deadlines(connect=2, send=2, total=3))
    assert clock.connect_limit() == Limit("connect", start + 2)
    mock_clock.jump(2)
    assert clock.send_limit() == Limit("total", start + 3)


async def test_the_answer_is_waited_for_from_the_last_byte_of_the_request(
    mock_clock: MockClock,
) -> None:
    """The first byte and the first token have the same beginning."""
    clock = CallClock(Deadlines(first_byte=1, first_token=2))
    mock_clock.jump(10)
    clock.request_sent()
    sent = trio.current_time()
    mock_clock.jump(0.5)
    assert clock.head_limit() == Limit("first_byte", sent + 1)
    assert clock.begin_wait() == Limit("first_token", sent + 2)


async def test_a_short_first_token_deadline_also_bounds_the_head(mock_clock: MockClock) -> None:
    """No token can come before the head."""
    clock = CallClock(Deadlines(first_byte=5, first_token=2))
    assert clock.head_limit().name == "first_token"


async def test_a_gap_begins_with_the_wait_for_the_second_token(mock_clock: MockClock) -> None:
    """The time that the caller spends on a token is not the server's."""
    clock = CallClock(Deadlines(gap=1))
    clock.begin_wait()
    clock.end_wait(with_token=True)
    mock_clock.jump(100)
    assert clock.begin_wait() == Limit("gap", trio.current_time() + 1)


async def test_a_gap_goes_on_after_a_wait_that_was_given_up(mock_clock: MockClock) -> None:
    """Whoever waits in small portions meets the same deadline as who waits at once."""
    clock = CallClock(Deadlines(gap=1))
    clock.begin_wait()
    clock.end_wait(with_token=True)
    clock.begin_wait()
    mock_clock.jump(0.75)
    clock.end_wait(with_token=False)
    mock_clock.jump(100)
    assert clock.begin_wait() == Limit("gap", trio.current_time() + 0.25)


async def test_times_are_kept_from_the_start_of_the_call(mock_clock: MockClock) -> None:
    """Connecting has a duration, everything else a distance from the start."""
    clock = CallClock(Deadlines())
    mock_clock.jump(1)
    clock.connected(0.75)
    clock.head_received()
    mock_clock.jump(1)
    clock.begin_wait()
    clock.end_wait(with_token=True)
    mock_clock.jump(1)
    clock.begin_wait()
    clock.end_wait(with_token=True)
    clock.ended()
    mock_clock.jump(1)
    clock.ended()
    assert clock.timings == Timings(connect=0.75, first_byte=1, first_token=2, total=3)
