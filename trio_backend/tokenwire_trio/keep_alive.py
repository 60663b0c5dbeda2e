"""Whether a server keeps the connections that it said it would keep.

Some do not: llama.cpp announces to keep a connection and ends it after every streamed answer. Who
uses it again at once may be faster than the news of its end, and that request is lost (measured:
1 to 8 in 1,000). So the first connection that is to be used again is watched for a moment, and
where one was ended against the server's word, none is kept for a while.
"""

from __future__ import annotations

from math import inf
from typing import Final, final

import trio

#: How long the end of a connection that is not kept may take to come. It is sent within a
#: millisecond of the answer, and a busy machine or a network adds to that. Only the first use of a
#: connection again can have to wait for this.
PROBATION_S: Final = 0.05

#: An end that comes sooner after an answer is no matter of being idle: servers wait 5 s and more.
_SOON_S: Final = 1.0

#: How long connections are not kept after that. Servers get restarted, and set up otherwise.
_AVOIDANCE_S: Final = 60.0


@final
class KeepAlive:
    """What is known of one server. All times are trio's."""

    __slots__ = ("_avoided_until", "_proven")

    def __init__(self) -> None:
        self._proven = False
        self._avoided_until = -inf

    @property
    def worthwhile(self) -> bool:
        """Whether to keep connections."""
        return trio.current_time() >= self._avoided_until

    def trusted_from(self, idle_since: float) -> float:
        """Return from when on a connection that still stands may be used again."""
        return idle_since if self._proven else idle_since + PROBATION_S

    def found_standing(self, idle_since: float) -> None:
        """Note that a connection still stands."""
        self._proven |= trio.current_time() >= idle_since + PROBATION_S

    def found_ended(self, idle_since: float) -> None:
        """Note that a connection does not."""
        if trio.current_time() < idle_since + _SOON_S:
            self._proven = False
            self._avoided_until = trio.current_time() + _AVOIDANCE_S
