"""The clock of one call: which deadline runs out next, and when things happened.

Every `Deadlines` field becomes a moment on trio's clock when its span begins, never a pause between
reads, so a peer that drips bytes gains nothing by it. The clock only computes: scopes are opened
and closed by the one call that waits (see `tokenwire_trio.call`), so none is ever held across a
yield, and cancel scopes of the caller nest around them as around any trio function.
"""

from __future__ import annotations

from math import inf
from typing import final

import attrs
import trio

from tokenwire.endpoint import Deadlines
from tokenwire.errors import DeadlineName
from tokenwire.response import Timings


@final
@attrs.frozen
class Limit:
    """A deadline that is running.

    Attributes:
        name: The `Deadlines` field that it comes from.
        at: When it runs out, on trio's clock; infinity where the field is unset.
    """

    name: DeadlineName
    at: float

    def within(self, seconds: float) -> Limit:
        """Return the same deadline, but at most so many seconds from now."""
        return attrs.evolve(self, at=min(self.at, trio.current_time() + seconds))


@final
class CallClock:
    """Keeps the time of one call, from the moment of its construction."""

    __slots__ = (
        "_connect",
        "_ends_at",
        "_first_byte",
        "_first_token",
        "_gap_used",
        "_request_sent",
        "_spans",
        "_started",
        "_total",
        "_waiting_since",
    )
    _connect: float | None
    _first_byte: float | None
    _first_token: float | None
    _total: float | None

    def __init__(self, deadlines: Deadlines) -> None:
        self._spans = deadlines
        self.begin_request()
        self._started = self._request_sent
        total = inf if deadlines.total is None else deadlines.total
        self._ends_at = Limit("total", self._started + total)

    def begin_request(self) -> None:
        """Note that nothing has happened of the request that is about to be made.

        A call may take a second one, after its credential was refused. All its time counts.
        """
        self._request_sent = self._waiting_since = trio.current_time()
        self._gap_used = 0.0  # how much of the running gap has been waited for
        self._connect = self._first_byte = self._first_token = self._total = None

    @property
    def timings(self) -> Timings:
        """When things happened, as far as they have."""
        return Timings(
            connect=self._connect,
            first_byte=self._first_byte,
            first_token=self._first_token,
            total=self._total,
        )

    def _limit(self, name: DeadlineName, span: float | None, begins: float) -> Limit:
        """Return a deadline, unless the whole call's is sooner."""
        if span is None or begins + span > self._ends_at.at:
            return self._ends_at
        return Limit(name, begins + span)

    def call_limit(self) -> Limit:
        """Return the deadline for what no other is about."""
        return self._ends_at

    def pool_limit(self) -> Limit:
        """Return the deadline for the waiting for a free connection, which begins now."""
        return self._limit("pool", self._spans.pool, trio.current_time())

    def connect_limit(self) -> Limit:
        """Return the deadline for connecting, which begins now."""
        return self._limit("connect", self._spans.connect, trio.current_time())

    def send_limit(self) -> Limit:
        """Return the deadline for writing the request, which begins now."""
        return self._limit("send", self._spans.send, trio.current_time())

    def head_limit(self) -> Limit:
        """Return the deadline for the response head."""
        first_byte = self._limit("first_byte", self._spans.first_byte, self._request_sent)
        first_token = self._first_token_limit()
        return first_byte if first_byte.at <= first_token.at else first_token

    def _first_token_limit(self) -> Limit:
        return self._limit("first_token", self._spans.first_token, self._request_sent)

    def begin_wait(self) -> Limit:
        """Note that somebody waits for a token from now on, and return the deadline for it.

        The gap between two tokens counts only while somebody waits for the second one: the time
        that the caller spends on the first is not the peer's.
        """
        self._waiting_since = trio.current_time()
        if self._first_token is None:
            return self._first_token_limit()
        return self._limit("gap", self._spans.gap, self._waiting_since - self._gap_used)

    def end_wait(self, *, with_token: bool) -> None:
        """Note that nobody waits any more, because a token came or for another reason."""
        if not with_token:
            self._gap_used += trio.current_time() - self._waiting_since
            return
        self._gap_used = 0.0
        if self._first_token is None:
            self._first_token = self._elapsed()

    def connected(self, seconds: float) -> None:
        """Note that a new connection is open, and how long that took."""
        self._connect = seconds

    def request_sent(self) -> None:
        """Note the request's last byte, from which the waiting for an answer counts."""
        self._request_sent = trio.current_time()

    def head_received(self) -> None:
        """Note the response head."""
        self._first_byte = self._elapsed()

    def ended(self) -> None:
        """Note the end of the call; only the first one counts."""
        if self._total is None:
            self._total = self._elapsed()

    def _elapsed(self) -> float:
        return trio.current_time() - self._started
