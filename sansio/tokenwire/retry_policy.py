"""Whether a failed attempt is followed by another, and after which pause.

All of it is arithmetic: the time and a random number come in as arguments, so that any event loop
can follow the policy and a test sees every case. Three things keep retries from doing harm:

* **No surprise.** A request that may have reached the server may have been worked on, and billed.
  So by default only what was never sent is tried again; the rest has to be asked for. An answer
  that has begun is never begun anew, and a used-up quota does not come back by asking.
* **No haste.** Pauses grow and are spread at random, and a server's own word (``Retry-After``, read
  by `tokenwire.retry_delay`) goes before them. Where it asks for more than one is ready to wait,
  the error surfaces at once instead of at the end of a wait that nobody wanted.
* **No storm.** Where everything fails, a limit for each call still multiplies the load by that
  limit. A `RetryBudget` is shared by many calls and bounds the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.errors import OtherError, ProviderError, RateLimitError

#: Why no attempt followed a failed one.
GaveUp: TypeAlias = Literal[
    "answer_begun",  # tokens had come: another attempt would bring them twice
    "not_retryable",  # it would only fail again
    "not_asked",  # it may pass, but the request was sent, and the policy allows less
    "attempts",  # that was the last one
    "retry_after",  # the server asks for a longer pause than the policy allows
    "budget",  # too many calls fail at the moment
]

_REASONS: Final[dict[GaveUp, str]] = {
    "answer_begun": "the answer had begun",
    "not_retryable": "it would fail again",
    "not_asked": "the request was sent, and the policy's retry_overloaded and retry_sent do not"
    " cover this failure",
    "attempts": "no attempt is left",
    "retry_after": "the server asks for a longer pause than the policy's max_retry_after_s",
    "budget": "the retry budget is used up",
}

#: How many of the earlier attempts a note lists.
_MAX_LISTED_ATTEMPTS: Final = 5

#: Longest note of an attempt that was itself made of several, as part of another note.
_MAX_INNER_NOTE_LENGTH: Final = 1000

#: Doubling a pause more often than this only overflows.
_MAX_DOUBLINGS: Final = 64


def _number(default: float, **bounds: float) -> Any:
    return field(default=default, validator=check.number(**bounds))


def _flag() -> Any:
    return field(default=False, validator=check.boolean)


@final
@attrs.frozen(kw_only=True)
class Attempt:
    """An attempt that failed, and what followed from it.

    Attributes:
        number: Which one, counted from 1.
        error: How it failed.
        delay_s: The pause after which the next attempt begins, in seconds; None where none does.
        gave_up: Why none does; None where one does.
    """

    number: int
    error: ProviderError
    delay_s: float | None = None
    gave_up: GaveUp | None = None

    @property
    def provider(self) -> str:
        """What the provider that failed calls itself."""
        return self.error.provider


def attempts_note(attempts: Sequence[Attempt]) -> str:
    """Say in a few lines how a call failed: for `BaseException.add_note` on its last error.

    An attempt that was itself made of several has their note below it.

    Args:
        attempts: All of the call, at least one.
    """
    *earlier, last = attempts
    lines = [f"attempt {last.number} was the last"]
    if last.gave_up is not None:
        lines[0] += f": {_REASONS[last.gave_up]}"
    for attempt in earlier[-_MAX_LISTED_ATTEMPTS:]:
        lines.append(f"attempt {attempt.number} failed before it: {attempt.error}")
        if attempt.error is not last.error:  # which gets the note
            lines += _inner_note(attempt.error)
    return "\n".join(lines)


def _inner_note(error: ProviderError) -> Sequence[str]:
    """Return the lines in which the wrapper that raised an error last told of its attempts."""
    notes: Sequence[str] = getattr(error, "__notes__", ("",))
    return [f"  {line}" for line in notes[-1][:_MAX_INNER_NOTE_LENGTH].splitlines()]


@final
@check.names_nearest_field
@attrs.define(kw_only=True, eq=False)
class RetryBudget:
    """How many retries many calls may make together: a token bucket.

    Every call adds a part of a retry, every second adds some, every retry takes one. So over any
    time there are at most ``capacity + per_request * calls + per_second * seconds`` retries, and
    when everything fails a server gets about ``1 + per_request`` times the requests, not a multiple
    of them. Share one among all that ask the same server.

    It changes as it is used, and belongs to one clock: in trio, to one run.

    Attributes:
        capacity: The most retries that can be saved up, and what it begins with. The AWS SDKs save
            up as many: 500 at a price of 5.
        per_request: What a call adds. Finagle's budget and Envoy's let 20 % of the requests be
            retried.
        per_second: What a second adds, so that a program that calls rarely may retry as well.
            Finagle adds 10, for clients with far more and far cheaper requests than a model's.
    """

    capacity: float = _number(100, at_least=0)
    per_request: float = _number(0.2, at_least=0)
    per_second: float = _number(1, at_least=0)
    _balance: float = field(init=False)
    _counted_until: float | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._balance = self.capacity

    def deposit(self) -> None:
        """Account for a call that begins."""
        self._add(self.per_request)

    def withdraw(self, now: float) -> bool:
        """Take one retry, if there is one.

        Args:
            now: The time in seconds, on any clock that does not run backwards.
        """
        if self.balance(now) < 1:
            return False
        self._balance -= 1
        return True

    def balance(self, now: float) -> float:
        """Return how many retries may be made at this moment."""
        if self._counted_until is not None:
            self._add(self.per_second * max(0.0, now - self._counted_until))
        self._counted_until = now
        return self._balance

    def _add(self, retries: float) -> None:
        self._balance = min(self.capacity, self._balance + retries)


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When a failed attempt is followed by another.

    Pauses and their number are those of the official OpenAI and Anthropic clients; what is retried
    is less, on purpose: they also retry what was sent, and a used-up quota.

    Attributes:
        attempts: Most attempts of one call, the first included.
        retry_overloaded: Also try again where the server turned the request away because of its
            load: 429, 503, 529, and the same inside a stream. Such a request has usually cost
            nothing.
        retry_sent: Also try again after every other failure that may pass, although the server may
            have worked on the request: 500, 502, 504, a broken connection, a deadline.
        backoff_s: The first pause, in seconds; each later one is twice as long.
        max_backoff_s: The longest pause that doubling leads to, in seconds.
        jitter: How much of a pause is left to chance, from 0 to 1, so that calls that failed
            together do not come back together. A pause is shortened by it; one that the server
            asked for is lengthened by as much instead.
        max_retry_after_s: The longest pause that a server may ask for, in seconds. Beyond it the
            error surfaces at once. OpenAI's client draws the same line; without one, clients have
            slept for days.
    """

    attempts: int = field(default=3, validator=check.integer(at_least=1))
    retry_overloaded: bool = _flag()
    retry_sent: bool = _flag()
    backoff_s: float = _number(0.5, at_least=0)
    max_backoff_s: float = _number(8, at_least=0)
    jitter: float = _number(0.25, at_least=0, at_most=1)
    max_retry_after_s: float = _number(120, at_least=0)

    def judge(
        self,
        error: ProviderError,
        *,
        number: int,
        answer_begun: bool,
        budget: RetryBudget,
        now: float,
        random: float,
    ) -> Attempt:
        """Decide what follows a failed attempt.

        Args:
            error: How it failed.
            number: Which attempt of the call it was, counted from 1.
            answer_begun: Whether a token has reached the caller.
            budget: What all calls may retry together; a retry is taken from it.
            now: The budget's time, in seconds.
            random: A number from 0 to 1, another one for each decision.

        Returns:
            The attempt with either a pause or the reason why there is no other.
        """
        gave_up = self._objection(error, number, answer_begun=answer_begun)
        if gave_up is None and not budget.withdraw(now):
            gave_up = "budget"
        if gave_up is not None:
            return Attempt(number=number, error=error, gave_up=gave_up)
        return Attempt(number=number, error=error, delay_s=self._delay_s(error, number, random))

    def _objection(self, error: ProviderError, number: int, *, answer_begun: bool) -> GaveUp | None:
        if answer_begun or error.tokens_emitted:
            return "answer_begun"
        # Some gateways call a used-up quota retryable; it is not.
        if not error.retryable or _is_quota(error):
            return "not_retryable"
        if not self._covers(error):
            return "not_asked"
        if number >= self.attempts:
            return "attempts"
        # Negated, so that what is no number is too long as well.
        if error.retry_after is not None and not error.retry_after <= self.max_retry_after_s:
            return "retry_after"
        return None

    def _covers(self, error: ProviderError) -> bool:
        if error.sent == "nothing" or self.retry_sent:
            return True
        return self.retry_overloaded and _is_overload(error)

    def _delay_s(self, error: ProviderError, number: int, random: float) -> float:
        doublings = min(number - 1, _MAX_DOUBLINGS)
        pause = min(self.backoff_s * 2.0**doublings, self.max_backoff_s)
        by_chance = pause * self.jitter * random
        if error.retry_after is not None and error.retry_after > 0:
            return error.retry_after + by_chance
        return pause - by_chance


def _is_quota(error: ProviderError) -> bool:
    return isinstance(error, RateLimitError) and error.scope == "quota"


def _is_overload(error: ProviderError) -> bool:
    match error:
        case RateLimitError() | OtherError(kind="overloaded"):
            return True
        case _:
            return False
