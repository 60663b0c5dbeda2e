"""A provider that tries again where another one failed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Final, final

import attrs
import trio

from tokenwire.errors import ProviderError
from tokenwire.messages import Message, as_conversation
from tokenwire.provider import Provider, TokenStream
from tokenwire.provider_config import ProviderConfig
from tokenwire.retry_policy import Attempt, RetryBudget, RetryPolicy
from tokenwire_trio.attempts import AttemptedCompletion, AttemptedStream, OnAttempt
from tokenwire_trio.wrapping import require_provider

_NOTHING_SET: Final = ProviderConfig()
_DEFAULT_POLICY: Final = RetryPolicy()


@final
class Retrying:
    """Wraps a provider, and tries again where it failed before the first token.

    A failure counts wherever it comes up, on entering or while the first token is awaited; an
    answer that has begun is never begun anew. Each attempt has left its block, and thus closed its
    connection, before the pause for the next one begins. The endpoint's deadlines hold for each
    attempt; for all of them together put `trio.fail_after` around the call, which also ends a
    pause at once.

    Each attempt that failed is in `AttemptedStream.attempts` and is told to `on_attempt`; the error
    that is raised in the end carries them as a note. One layer is enough: two of them multiply.

    Args:
        provider: Whoever answers. Who opened it closes it.
        policy: What is tried again, how often and after which pauses. By default only requests
            of which nothing was sent.
        budget: What all calls may retry together; pass the same one to share it. A fresh
            `RetryBudget` by default.
        on_attempt: Is called with each `Attempt` that failed, before the pause.
        randomness: Where the jitter comes from; for tests.

    Raises:
        TypeError: If what is to be wrapped is no provider, or the policy is none.
    """

    __slots__ = ("_budget", "_on_attempt", "_policy", "_provider", "_randomness")

    def __init__(
        self,
        provider: Provider,
        policy: RetryPolicy = _DEFAULT_POLICY,
        *,
        budget: RetryBudget | None = None,
        on_attempt: OnAttempt | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        require_provider(provider, "what Retrying wraps")
        if not isinstance(policy, RetryPolicy):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError(f"policy must be a RetryPolicy, not {type(policy).__name__}")
        self._provider = provider
        self._policy = policy
        self._budget = RetryBudget() if budget is None else budget
        self._on_attempt = on_attempt
        # The system's: processes forked from this one must not draw the same numbers.
        self._randomness = random.SystemRandom() if randomness is None else randomness

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._provider!r}>"

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[AttemptedStream]:
        """Ask for an answer, as often as the policy allows; see `tokenwire.provider.Provider`."""
        plan = _Retries(
            provider=self._provider,
            messages=as_conversation(messages),
            config=config,
            policy=self._policy,
            budget=self._budget,
            randomness=self._randomness,
        )
        return AttemptedCompletion(plan, self._on_attempt)


@final
@attrs.frozen(kw_only=True, repr=False)  # messages are nobody's business
class _Retries:
    """The attempts of one call."""

    whose: ClassVar[str] = Retrying.__name__
    provider: Provider
    messages: Sequence[Message]
    config: ProviderConfig
    policy: RetryPolicy
    budget: RetryBudget
    randomness: random.Random

    def block(self, number: int) -> AbstractAsyncContextManager[TokenStream]:
        """Ask the same provider again."""
        if number == 1:
            self.budget.deposit()
        return self.provider.complete(self.messages, self.config)

    def judge(self, error: ProviderError, number: int, *, answer_begun: bool) -> Attempt:
        """Follow the policy."""
        return self.policy.judge(
            error,
            number=number,
            answer_begun=answer_begun,
            budget=self.budget,
            now=trio.current_time(),
            random=self.randomness.random(),
        )
