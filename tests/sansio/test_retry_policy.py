"""`tokenwire.retry_policy`: what is tried again, after which pause, and how often in all."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.retry_policy import Attempt, GaveUp, RetryBudget, RetryPolicy, attempts_note

UNSENT = NetworkError(message="refused", phase="tcp", sent="nothing", retryable=True)
CUT = NetworkError(message="reset", phase="head", sent="all", retryable=True)
BUSY = RateLimitError(message="slow down", status=429, retryable=True)
OVERLOADED = OtherError(message="full", kind="overloaded", status=503, retryable=True)
BROKEN = OtherError(message="oops", kind="server", status=500, retryable=True)


def judge(
    error: ProviderError,
    policy: RetryPolicy | None = None,
    *,
    number: int = 1,
    answer_begun: bool = False,
    budget: RetryBudget | None = None,
    random: float = 0.0,
) -> Attempt:
    """Judge a failure where nothing else stands in the way."""
    return (policy or RetryPolicy()).judge(
        error,
        number=number,
        answer_begun=answer_begun,
        budget=budget or RetryBudget(),
        now=0.0,
        random=random,
    )


def test_by_default_only_what_was_not_sent_is_tried_again() -> None:
    """A refused connection is no risk; whatever reached the server may have been worked on."""
    assert judge(UNSENT).delay_s is not None
    for error in (CUT, BUSY, OVERLOADED, BROKEN):
        assert judge(error).gave_up == "not_asked"


def test_overload_is_tried_again_when_asked_for() -> None:
    """A server that turned the request away for its load has not worked on it."""
    policy = RetryPolicy(retry_overloaded=True)
    assert judge(BUSY, policy).gave_up is None
    assert judge(OVERLOADED, policy).gave_up is None
    assert judge(CUT, policy).gave_up == "not_asked"
    assert judge(BROKEN, policy).gave_up == "not_asked"


def test_everything_that_may_pass_is_tried_again_when_asked_for() -> None:
    """Whoever accepts doubled work gets what the official clients do."""
    policy = RetryPolicy(retry_sent=True)
    for error in (UNSENT, CUT, BUSY, OVERLOADED, BROKEN):
        assert judge(error, policy).gave_up is None


EAGER = RetryPolicy(retry_overloaded=True, retry_sent=True)


@pytest.mark.parametrize(
    "error",
    [
        AuthError(message="bad key", status=401),
        OtherError(message="no", kind="rejected", status=400),
        MalformedResponseError(message="html", reason="content_type"),
        NetworkError(message="no such host", phase="dns", sent="nothing"),
        RateLimitError(message="no credit", scope="quota", retryable=False),
        RateLimitError(message="no credit", scope="quota", sent="nothing", retryable=True),
    ],
)
def test_what_would_fail_again_is_never_tried_again(error: ProviderError) -> None:
    """Least of all a used-up quota, also where a gateway calls it retryable."""
    assert judge(error, EAGER).gave_up == "not_retryable"


def test_an_answer_that_has_begun_is_never_begun_anew() -> None:
    """The caller would get its tokens twice, whether the wrapper saw them or the error tells."""
    told = NetworkError(message="cut", phase="body", tokens_emitted=1, retryable=True)
    assert judge(UNSENT, EAGER, answer_begun=True).gave_up == "answer_begun"
    assert judge(told, EAGER).gave_up == "answer_begun"


def test_the_last_attempt_is_the_last() -> None:
    """`attempts` counts the first one as well."""
    policy = RetryPolicy(attempts=2)
    assert judge(UNSENT, policy, number=1).gave_up is None
    assert judge(UNSENT, policy, number=2).gave_up == "attempts"


def test_pauses_double_up_to_their_longest() -> None:
    """Half a second, then twice as long each time, never more than eight seconds."""
    policy = RetryPolicy(attempts=10_000)
    pauses = [judge(UNSENT, policy, number=number).delay_s for number in (1, 2, 3, 4, 5, 6, 9_999)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_jitter_shortens_a_pause_of_our_own() -> None:
    """The most of it that chance may take is a quarter."""
    assert judge(UNSENT, random=1.0).delay_s == 0.375


def waiting(retry_after: float) -> RateLimitError:
    """Make the error of a server that asks to wait."""
    return RateLimitError(message="wait", retry_after=retry_after, retryable=True)


def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    """It replaces ours, and jitter only ever makes it longer: nobody comes back too early."""
    assert judge(waiting(7.0), EAGER).delay_s == 7.0
    assert judge(waiting(7.0), EAGER, random=1.0).delay_s == 7.125


def test_a_pause_beyond_the_cap_surfaces_at_once() -> None:
    """Two minutes are waited for, more is the caller's decision."""
    assert judge(waiting(120.0), EAGER).delay_s == 120.0
    assert judge(waiting(120.1), EAGER).gave_up == "retry_after"
    assert judge(waiting(86_400.0), EAGER).gave_up == "retry_after"


@pytest.mark.parametrize("retry_after", [inf, nan])
def test_a_pause_that_is_no_number_surfaces_at_once(retry_after: float) -> None:
    """A provider of somebody else's may hand over anything."""
    assert judge(waiting(retry_after), EAGER).gave_up == "retry_after"


@pytest.mark.parametrize("retry_after", [0.0, -1.0])
def test_a_pause_that_is_none_leaves_ours(retry_after: float) -> None:
    """Zero seconds are no pause."""
    assert judge(waiting(retry_after), EAGER).delay_s == 0.5


def test_an_empty_budget_ends_retrying() -> None:
    """What would be tried again is not, once too much is."""
    budget = RetryBudget(capacity=1, per_second=0)
    assert judge(UNSENT, budget=budget).gave_up is None
    assert judge(UNSENT, budget=budget).gave_up == "budget"


def test_what_is_not_tried_again_costs_no_budget() -> None:
    """Failures that nobody retries leave the budget to others."""
    budget = RetryBudget(capacity=1, per_second=0)
    judge(CUT, budget=budget)
    assert budget.balance(0.0) == 1


def test_a_budget_is_refilled_by_calls_and_by_time() -> None:
    """Five calls make up for a retry, and so does a second."""
    budget = RetryBudget(capacity=1)
    assert budget.withdraw(0.0)
    for _ in range(5):
        assert not budget.withdraw(0.0)
        budget.deposit()
    assert budget.withdraw(0.0)
    assert not budget.withdraw(0.9)
    assert budget.withdraw(1.0)


def test_a_clock_that_jumps_back_takes_nothing() -> None:
    """A budget that is used on another clock later neither loses nor gains by it."""
    budget = RetryBudget(capacity=2)
    assert budget.withdraw(1000.0)
    assert budget.balance(0.0) == 1
    assert budget.balance(0.5) == 1.5


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        (RetryPolicy, {"attempts": 0}, ValueError),
        (RetryPolicy, {"attempts": None}, TypeError),
        (RetryPolicy, {"jitter": 1.5}, ValueError),
        (RetryPolicy, {"backoff_s": -1}, ValueError),
        (RetryPolicy, {"max_backoff_s": inf}, ValueError),
        (RetryPolicy, {"max_retry_after_s": None}, TypeError),
        (RetryPolicy, {"retry_sent": "yes"}, TypeError),
        (RetryBudget, {"capacity": None}, TypeError),
        (RetryBudget, {"per_request": -0.1}, ValueError),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    kind: type[RetryPolicy | RetryBudget], arguments: Mapping[str, Any], error: type[Exception]
) -> None:
    """The error names the setting, when it is set and not when something fails."""
    [name] = arguments
    with pytest.raises(error, match=name):
        kind(**arguments)


def test_a_note_tells_of_every_attempt() -> None:
    """The reason for the end comes first, then what happened before it."""
    attempts = [
        Attempt(number=1, error=UNSENT, delay_s=0.5),
        Attempt(number=2, error=BUSY, gave_up="not_asked"),
    ]
    first, second = attempts_note(attempts).splitlines()
    assert first.startswith("attempt 2 was the last: the request was sent")
    assert second == "attempt 1 failed before it: refused"


def test_a_note_stays_short() -> None:
    """A thousand attempts are told by the last few."""
    attempts = [Attempt(number=number, error=UNSENT, delay_s=1) for number in range(1, 1001)]
    lines = attempts_note(attempts).splitlines()
    assert lines[0] == "attempt 1000 was the last"
    assert len(lines) == 6


def test_a_note_tells_what_an_attempt_was_made_of() -> None:
    """Where one wrapper is around another, the inner one's note is below its attempt."""
    inner = OtherError(message="full", kind="overloaded")
    inner.add_note("Retrying: attempt 2 was the last\nattempt 1 failed before it: full")
    attempts = [Attempt(number=1, error=inner, delay_s=0), Attempt(number=2, error=CUT)]
    assert attempts_note(attempts).splitlines()[1:] == [
        "attempt 1 failed before it: full",
        "  Retrying: attempt 2 was the last",
        "  attempt 1 failed before it: full",
    ]


def test_notes_do_not_grow_with_each_call() -> None:
    """An error that is raised again and again collects notes, but none holds all the others."""
    same = OtherError(message="full", kind="overloaded")
    other = OtherError(message="oops", kind="server")
    for _ in range(20):
        errors = (same, other, same)
        attempts = [Attempt(number=n, error=error) for n, error in enumerate(errors, 1)]
        same.add_note(attempts_note(attempts))
        other.add_note(attempts_note(attempts[:2]))
    assert max(map(len, [*same.__notes__, *other.__notes__])) < 1500


def test_an_attempt_names_its_provider() -> None:
    """By the name that is in the error."""
    error = NetworkError(message="cut", phase="body", provider="somebody")
    assert Attempt(number=1, error=error).provider == "somebody"


Facts: TypeAlias = dict[str, Any]

common_facts = st.fixed_dictionaries(
    {
        "message": st.just("no"),
        "retry_after": st.none() | st.floats(),
        "tokens_emitted": st.integers(0, 2),
        "sent": st.sampled_from(["nothing", "partly", "all"]),
        "retryable": st.booleans(),
    }
)


def _network(facts: Facts) -> ProviderError:
    return NetworkError(phase="head", **facts)


def _auth(facts: Facts) -> ProviderError:
    return AuthError(**facts)


def _quota(facts: Facts) -> ProviderError:
    return RateLimitError(scope="quota", **facts)


def _rate_limit(facts: Facts) -> ProviderError:
    return RateLimitError(scope="tokens", **facts)


def _overloaded(facts: Facts) -> ProviderError:
    return OtherError(kind="overloaded", **facts)


def _malformed(facts: Facts) -> ProviderError:
    return MalformedResponseError(reason="empty", **facts)


def _any_error(facts: Facts) -> SearchStrategy[ProviderError]:
    return st.sampled_from([_network, _auth, _quota, _rate_limit, _overloaded, _malformed]).map(
        lambda make: make(facts)
    )


errors = common_facts.flatmap(_any_error)
seconds = st.floats(0, 1e6)
policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 100),
    retry_overloaded=st.booleans(),
    retry_sent=st.booleans(),
    backoff_s=seconds,
    max_backoff_s=seconds,
    jitter=st.floats(0, 1),
    max_retry_after_s=seconds,
)
judged = st.tuples(
    policies, errors, st.integers(1, 100), st.booleans(), st.floats(0, 1, exclude_max=True)
)


@given(judged)
def test_every_pause_is_within_its_bounds(
    case: tuple[RetryPolicy, ProviderError, int, bool, float],
) -> None:
    """An attempt is followed by a bounded pause or by a reason, never both and never neither."""
    policy, error, number, answer_begun, random = case
    attempt = judge(error, policy, number=number, answer_begun=answer_begun, random=random)
    assert (attempt.delay_s is None) != (attempt.gave_up is None)
    if attempt.delay_s is None:
        return
    if error.retry_after is None or error.retry_after <= 0:
        assert 0 <= attempt.delay_s <= policy.max_backoff_s
    else:
        longest = policy.max_retry_after_s + policy.max_backoff_s * policy.jitter
        assert error.retry_after <= attempt.delay_s <= longest


@given(judged)
def test_nothing_that_must_not_be_is_tried_again(
    case: tuple[RetryPolicy, ProviderError, int, bool, float],
) -> None:
    """After the first token, for a quota, against the provider's word or unasked: never."""
    policy, error, number, answer_begun, random = case
    attempt = judge(error, policy, number=number, answer_begun=answer_begun, random=random)
    if attempt.delay_s is None:
        return
    assert not answer_begun
    assert error.tokens_emitted == 0
    assert error.retryable
    assert not (isinstance(error, RateLimitError) and error.scope == "quota")
    assert number < policy.attempts
    assert error.sent == "nothing" or policy.retry_sent or policy.retry_overloaded


@given(
    st.builds(
        RetryBudget,
        capacity=st.floats(0, 100),
        per_request=st.floats(0, 1),
        per_second=st.floats(0, 10),
    ),
    st.lists(st.none() | st.floats(-10, 100), max_size=200),
)
def test_a_budget_keeps_what_it_promises(budget: RetryBudget, steps: list[float | None]) -> None:
    """Never negative, never above its capacity, and never more retries than it may give."""
    now = forward = 0.0
    calls = retries = 0
    for step in steps:
        if step is None:
            calls += 1
            budget.deposit()
        else:
            now += step
            forward += max(0.0, step)
            retries += budget.withdraw(now)
        assert 0 <= budget.balance(now) <= budget.capacity
    allowed = budget.capacity + budget.per_request * calls + budget.per_second * forward
    assert retries <= allowed + 1e-6


def test_a_storm_of_failures_does_not_multiply_the_requests() -> None:
    """Where everything fails at once, a server gets a fifth more, after the reserve is gone."""
    budget, policy = RetryBudget(), RetryPolicy(attempts=10)
    calls, requests = 10_000, 0
    gave_up: set[GaveUp | None] = set()
    for _ in range(calls):
        budget.deposit()
        for number in range(1, 11):
            requests += 1
            attempt = judge(UNSENT, policy, number=number, budget=budget)
            if attempt.delay_s is None:
                gave_up.add(attempt.gave_up)
                break
    assert requests <= calls * 1.2 + budget.capacity + 1
    assert "budget" in gave_up
