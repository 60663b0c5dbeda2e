"""A provider that asks the next one where one failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Final, final

import attrs

from tokenwire.errors import OtherError, ProviderError
from tokenwire.messages import Message, as_conversation
from tokenwire.provider import Provider, TokenStream
from tokenwire.provider_config import ProviderConfig
from tokenwire.retry_policy import Attempt, GaveUp
from tokenwire_trio.attempts import AttemptedCompletion, AttemptedStream, OnAttempt
from tokenwire_trio.wrapping import require_provider

_NOTHING_SET: Final = ProviderConfig()


def may_succeed_elsewhere(error: ProviderError) -> bool:
    """Tell whether another provider may answer where one failed: what `Fallback` goes by.

    True for all that lies with the one provider: its network, key, limits and quota, servers,
    models. False for what lies with the request: one that was rejected, is too long or was
    filtered. Asking around until somebody takes it should be a decision.
    """
    match error:
        case OtherError(kind="rejected" | "context_length" | "content_filter"):
            return False
        case _:
            return True


@final
class Fallback:
    """Wraps several providers, and asks the next one where one failed before the first token.

    A failure counts wherever it comes up, on entering or while the first token is awaited; an
    answer that has begun is never begun anew. Each attempt has left its block, and thus closed its
    connection, before the next provider is asked. A caller's own mistake (`LocalProtocolError`) is
    raised at once.

    Models have different names with different providers: set the model in each provider's defaults
    and leave it unset in the call.

    Each attempt that failed is in `AttemptedStream.attempts` and is told to `on_attempt`; the error
    that is raised in the end is the last provider's, with the others' as a note. Around `Retrying`,
    an attempt is all that this one tried: its own `on_attempt` is told of each.

    Args:
        providers: Whom to ask, in this order for every call. Who opened them closes them.
        falls_over: Whether to ask the next provider after this error.
        on_attempt: Is called with each `Attempt` that failed, before the next provider is asked.

    Raises:
        ValueError: Without any provider.
        TypeError: If something else is among them, such as a list of them.
    """

    __slots__ = ("_falls_over", "_on_attempt", "_providers")

    def __init__(
        self,
        *providers: Provider,
        falls_over: Callable[[ProviderError], bool] = may_succeed_elsewhere,
        on_attempt: OnAttempt | None = None,
    ) -> None:
        if not providers:
            raise ValueError("Fallback needs a provider to ask, better two")
        for provider in providers:
            require_provider(provider, "each argument of Fallback")
        self._providers = providers
        self._falls_over = falls_over
        self._on_attempt = on_attempt

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(map(repr, self._providers))}>"

    def complete(
        self, messages: Sequence[Message], config: ProviderConfig = _NOTHING_SET
    ) -> AbstractAsyncContextManager[AttemptedStream]:
        """Ask for an answer, one provider after the other; see `tokenwire.provider.Provider`."""
        plan = _Alternatives(
            providers=self._providers,
            messages=as_conversation(messages),
            config=config,
            falls_over=self._falls_over,
        )
        return AttemptedCompletion(plan, self._on_attempt)


@final
@attrs.frozen(kw_only=True, repr=False)  # messages are nobody's business
class _Alternatives:
    """The attempts of one call."""

    whose: ClassVar[str] = Fallback.__name__
    providers: Sequence[Provider]
    messages: Sequence[Message]
    config: ProviderConfig
    falls_over: Callable[[ProviderError], bool]

    def block(self, number: int) -> AbstractAsyncContextManager[TokenStream]:
        """Ask the next provider."""
        return self.providers[number - 1].complete(self.messages, self.config)

    def judge(self, error: ProviderError, number: int, *, answer_begun: bool) -> Attempt:
        """Go on to the next provider, without a pause, where that is of use."""
        gave_up = self._objection(error, number, answer_begun=answer_begun)
        delay_s = 0.0 if gave_up is None else None
        return Attempt(number=number, error=error, delay_s=delay_s, gave_up=gave_up)

    def _objection(self, error: ProviderError, number: int, *, answer_begun: bool) -> GaveUp | None:
        if answer_begun or error.tokens_emitted:
            return "answer_begun"
        if not self.falls_over(error):
            return "not_retryable"
        return "attempts" if number == len(self.providers) else None
