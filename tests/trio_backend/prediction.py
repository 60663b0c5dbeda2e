"""What a call must come to, worked out from its plan alone: no transport, no clock, no bytes.

The rules are those that `tokenwire.endpoint.Deadlines` and the errors' documentation promise.
"""

from __future__ import annotations

from math import inf
from typing import Final, Literal, NamedTuple, TypeAlias, final

import attrs

from tests.trio_backend.simulated_network import Plan
from tokenwire.errors import DeadlineName, Phase

#: How long the rest of a refusal is waited for, and an early answer after sending failed.
_REFUSAL_S: Final = 5.0
_EARLY_ANSWER_S: Final = 1.0

Ending: TypeAlias = Literal["whole", "network", "malformed", "refused", "cancelled"]

_NO_NAME: Final = "total"  # of a deadline that is never reached


@final
@attrs.frozen(kw_only=True)
class Prediction:
    """How a call ends.

    Attributes:
        ending: With the whole answer, a kind of error, or the caller's cancellation.
        at: When, in seconds from its start.
        tokens: How many texts the caller was given.
        phase: Of a network error.
        timeout: Of a network error: the deadline that ran out.
        reason: Of a malformed answer; None where the core's own tests say which.
    """

    ending: Ending
    at: float
    tokens: int = 0
    phase: Phase | None = None
    timeout: DeadlineName | None = None
    reason: str | None = None


class _Limit(NamedTuple):
    at: float
    name: DeadlineName


def predict(plan: Plan) -> Prediction:
    """Work out how a call ends."""
    uninterrupted = _Foresight(plan).call()
    if plan.cancelled_at < uninterrupted.at:
        return Prediction(ending="cancelled", at=plan.cancelled_at)
    return uninterrupted


class _Foresight:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._total = _limit(plan, "total", 0)
        self._sent_at = inf

    def call(self) -> Prediction:
        plan = self._plan
        limit = min(_limit(plan, "connect", 0), self._total)
        if limit.at < plan.connect_s:
            return _late(limit, "tcp")
        if plan.refused:
            return _broken(plan.connect_s, "tcp")
        limit = min(_limit(plan, "send", plan.connect_s), self._total)
        self._sent_at = plan.connect_s + plan.send_s
        if limit.at < self._sent_at:
            return _late(limit, "send")
        return self._head()

    def _head(self) -> Prediction:
        plan = self._plan
        limit = min(
            _limit(plan, "first_byte", self._sent_at),
            _limit(plan, "first_token", self._sent_at),
            self._total,
        )
        if plan.send_fails:
            limit = min(limit, _Limit(self._sent_at + _EARLY_ANSWER_S, limit.name))
        head, end = self._arrival(plan.response.head), self._connection_end()
        if head < limit.at:
            return self._refusal(head) if plan.response.status != 200 else self._answer(head)
        if plan.send_fails:
            return _broken(max(min(end, limit.at), self._sent_at), "send")
        return _broken(end, "head") if end < limit.at else _late(limit, "head")

    def _refusal(self, head: float) -> Prediction:
        body = min(self._arrival(self._plan.response.body), self._connection_end())
        # A body without bytes is complete as soon as its head is.
        at = min(max(body, head), head + _REFUSAL_S, max(self._total.at, head))
        return Prediction(ending="refused", at=at)

    def _answer(self, now: float) -> Prediction:
        """Follow the caller from token to token."""
        plan, given = self._plan, 0
        read_at = now
        while True:
            limit = self._limit_for_token(now, first=given == 0)
            if now >= limit.at:  # a caller that comes too late reads nothing more
                return self._timeout(now, limit, given, read_at)
            token = self._token(given)
            stop = min(token, self._done(), self._body_end(), self._connection_end())
            if stop > limit.at:
                return self._timeout(limit.at, limit, given, limit.at)
            now = read_at = max(now, stop)
            given_before = given
            while self._token(given) <= now:
                given += 1
            handled = now + plan.think_s * (given - given_before)
            if self._done() <= now:
                return Prediction(ending="whole", at=handled + plan.think_s, tokens=given)
            # The end of the connection takes a read of its own, for which the caller may be late.
            ends_apart = plan.response.framing == "close" and given > given_before
            if self._body_end() <= now and not ends_apart:
                return self._at_body_end(handled, given)
            if given == given_before:
                return self._at_connection_end(now, given)
            now = handled

    def _limit_for_token(self, now: float, *, first: bool) -> _Limit:
        if first:
            return min(_limit(self._plan, "first_token", self._sent_at), self._total)
        return min(_limit(self._plan, "gap", now), self._total)

    def _timeout(self, at: float, limit: _Limit, given: int, read_at: float) -> Prediction:
        if self._is_complete(read_at):
            return Prediction(ending="whole", at=at + self._plan.think_s, tokens=given)
        return attrs.evolve(_late(limit, "body"), at=at, tokens=given)

    def _at_body_end(self, at: float, given: int) -> Prediction:
        if self._is_complete(at):
            return Prediction(ending="whole", at=at + self._plan.think_s, tokens=given)
        # Half an event, a comment or nothing at all: which words fit is the core's affair.
        reason = "truncated" if self._plan.response.first_event < inf else None
        return Prediction(ending="malformed", at=at, tokens=given, reason=reason)

    def _at_connection_end(self, at: float, given: int) -> Prediction:
        if self._is_complete(at):
            return Prediction(ending="whole", at=at + self._plan.think_s, tokens=given)
        return attrs.evolve(_broken(at, "body"), tokens=given)

    def _is_complete(self, at: float) -> bool:
        return self._arrival(self._plan.response.finish) <= at

    def _token(self, number: int) -> float:
        tokens = self._plan.response.tokens
        return self._arrival(tokens[number]) if number < len(tokens) else inf

    def _done(self) -> float:
        return self._arrival(self._plan.response.done)

    def _body_end(self) -> float:
        """When the body is whole by its framing: one that ends with the connection, with that."""
        if self._plan.response.framing == "close" and self._plan.end == "eof":
            return self._connection_end()
        return self._arrival(self._plan.response.body)

    def _arrival(self, mark: float) -> float:
        return self._sent_at + self._plan.arrival(mark)

    def _connection_end(self) -> float:
        return inf if self._plan.end == "silence" else self._sent_at + self._plan.ends_at


def _limit(plan: Plan, name: DeadlineName, begins: float) -> _Limit:
    span: float | None = getattr(plan.deadlines, name)
    return _Limit(inf if span is None else begins + span, name)


def _late(limit: _Limit, phase: Phase) -> Prediction:
    return Prediction(ending="network", at=limit.at, phase=phase, timeout=limit.name)


def _broken(at: float, phase: Phase) -> Prediction:
    return Prediction(ending="network", at=at, phase=phase)
