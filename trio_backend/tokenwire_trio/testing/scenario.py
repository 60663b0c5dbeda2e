"""A way for a server to misbehave, and what a client should make of it."""

from __future__ import annotations

from typing import Any, Final, Literal, Self, TypeAlias, final

import attrs

from tokenwire.endpoint import Deadlines
from tokenwire.errors import (
    DeadlineName,
    MalformedReason,
    OtherKind,
    Phase,
    ProviderError,
    RateLimitScope,
    Sent,
)
from tokenwire_trio.testing.steps import ENDING_STEPS, Step

ErrorLabel: TypeAlias = Literal["network", "auth", "rate_limit", "malformed", "other"]
Over: TypeAlias = Literal["tcp", "tls"]

BOTH: Final[frozenset[Over]] = frozenset({"tcp", "tls"})
ONLY_TCP: Final[frozenset[Over]] = frozenset({"tcp"})
ONLY_TLS: Final[frozenset[Over]] = frozenset({"tls"})


@final
@attrs.frozen(kw_only=True)
class Outcome:
    """What a client made of an answer, in the terms of `tokenwire.errors`.

    Attributes:
        text: All text that arrived, None in an expectation where it depends on the time.
        error: Label of the error's kind, None if the answer was whole. The other attributes are
            that error's, None where its kind has none.
    """

    text: str | None = ""
    error: ErrorLabel | None = None
    phase: Phase | None = None
    timeout: DeadlineName | None = None
    reason: MalformedReason | None = None
    kind: OtherKind | None = None
    scope: RateLimitScope | None = None
    status: int | None = None
    sent: Sent | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, text: str, error: ProviderError | None) -> Self:
        """Describe what happened.

        Args:
            text: The text of ``stream.partial()``, empty if no stream was entered.
            error: What was raised, None if the answer was read to its end.
        """
        facts: dict[str, Any] = error.facts() if error is not None else {}
        names = {field.name for field in attrs.fields(cls)}
        shared = {name: value for name, value in facts.items() if name in names}
        return cls(text=text, **shared)

    def differences(self, expected: Outcome) -> dict[str, tuple[object, object]]:
        """Compare with what was expected: ``assert outcome.differences(expected) == {}``.

        Returns:
            Each attribute that differs, with what it is and what it should be.
        """
        pairs = {
            field.name: (getattr(self, field.name), getattr(expected, field.name))
            for field in attrs.fields(type(self))
            if field.name != "text" or expected.text is not None
        }
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@final
@attrs.frozen(kw_only=True)
class Scenario:
    """One way to misbehave.

    Attributes:
        name: A word or a few, joined by hyphens.
        shows: What the server does, in one sentence.
        steps: The script of each connection, the last one an `EndingStep`.
        outcome: What the client should make of it.
        outcome_over_tls: The same over TLS, where that differs.
        over: What the scenario makes sense over.
        in_place_of_tls: The steps are played without TLS, in place of the handshake that an https
            client expects.
        deadline: The `Deadlines` field that must be set, because nothing else ends the call.
        large_request: The request must be larger than what systems buffer: a megabyte or more.
    """

    name: str
    shows: str
    steps: tuple[Step, ...] = attrs.field(repr=False)
    outcome: Outcome
    outcome_over_tls: Outcome | None = None
    over: frozenset[Over] = BOTH
    in_place_of_tls: bool = False
    deadline: DeadlineName | None = None
    large_request: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.steps or not isinstance(self.steps[-1], ENDING_STEPS):
            names = ", ".join(step.__name__ for step in ENDING_STEPS)
            raise ValueError(f"{self.name}: the last step must say how it ends: {names}")

    def deadlines(self, seconds: float) -> Deadlines:
        """Return deadlines with nothing set but the one that the scenario needs."""
        return Deadlines(**{self.deadline: seconds}) if self.deadline else Deadlines()

    def expected(self, over: Over) -> Outcome:
        """Return what the client should make of it over TCP or TLS."""
        return (over == "tls" and self.outcome_over_tls) or self.outcome
