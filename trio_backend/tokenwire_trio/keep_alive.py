"""Whether a server keeps the connections that it said it would keep.

Some do not: llama.cpp announces to keep a connection and ends it after every streamed answer. Who
uses it again at once may be faster than the news of its end, and that request is lost (measured:
1 to 8 in 1,000). So where there is reason to doubt a server, the first connection that is to be
used again is watched for a moment, and where one was ended against the server's word, none is kept
for a while.

There is reason where a server announces limits of its own in a ``Keep-Alive`` field, as llama.cpp's
does, and where a connection has ended early before. Nobody else is made to wait: nginx, Envoy,
uvicorn, Go's and Rust's servers send no such field and keep their word, and a wait would cost the
second request of every program that is quick.
"""

from __future__ import annotations

from math import inf
from typing import Final, final

import trio

from tokenwire_trio.connection import HTTPConnection

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

    __slots__ = ("_avoided_until", "_doubted", "_proven")

    def __init__(self) -> None:
        self._proven = False
        self._doubted = False
        self._avoided_until = -inf

    @property
    def worthwhile(self) -> bool:
        """Whether to keep connections."""
        return trio.current_time() >= self._avoided_until

    def trusted_from(self, connection: HTTPConnection) -> float:
        """Return from when on a connection that still stands may be used again."""
        doubtful = connection.announces_limits or self._doubted
        if self._proven or not (doubtful and connection.answered):
            return connection.idle_since
        return connection.idle_since + PROBATION_S

    def found_standing(self, connection: HTTPConnection) -> None:
        """Note that an idle connection still stands."""
        if not self._proven and trio.current_time() >= connection.idle_since + PROBATION_S:
            self._proven = True

    def found_ended(self, connection: HTTPConnection) -> None:
        """Note that a connection does not: it was idle, or a request over it got no answer."""
        if connection.answered and trio.current_time() < connection.idle_since + _SOON_S:
            self._proven = False
            self._doubted = True
            self._avoided_until = trio.current_time() + _AVOIDANCE_S
