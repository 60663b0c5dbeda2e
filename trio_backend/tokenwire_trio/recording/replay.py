"""A recorded exchange read anew, by the same core that read it when it happened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never, final

import attrs

from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import LocalProtocolError, NetworkError, ProviderError
from tokenwire.exchange import Events, Exchange, State
from tokenwire.response import ResponseInfo, Timings
from tokenwire.session import in_place_of_answer
from tokenwire.wire import Wire, wire_by_kind
from tokenwire_trio.recording.file_format import (
    DataLine,
    EndLine,
    EOFLine,
    FailureLine,
    HeadLine,
    RateLimitsLine,
    RecordedExchange,
    RecordingError,
    RequestLine,
    SentLine,
    error_of,
)

_LEFT: Final = "the recording ends here, because its caller had left the answer"
_BROKEN_OFF: Final = "the recording breaks off here, because its writer was interrupted"


@final
@attrs.frozen
class _Step:
    """A thing that happened.

    Attributes:
        number: Of its line.
        t: When, in seconds since the exchange began.
        what: The line, or all bytes of one read.
    """

    number: int
    t: float
    what: SentLine | HeadLine | RateLimitsLine | bytes | EOFLine | FailureLine = attrs.field(
        repr=False
    )


@final
class Replay:
    """Feeds an exchange what was recorded of another one, one thing after the other.

    Args:
        recorded: The other one.
        wires: Wire formats of others that it may be in.

    Attributes:
        exchange: Reads the answer.
        timings: When things happened in the recording, as far as they have been fed.

    Raises:
        RecordingError: If the recording does not say how to read it.
    """

    def __init__(self, recorded: RecordedExchange, wires: Iterable[Wire] = ()) -> None:
        self.exchange: Exchange = _exchange_for(recorded, wires)
        self.timings: Timings = Timings()
        self._is_over_socket = recorded.request.method == "GET"
        self._sent: SentLine | None = None
        self._has_data = False
        self._steps = _steps_of(recorded)
        self._end = recorded.end
        self._next = 0

    @property
    def over(self) -> bool:
        """Whether the last event has come."""
        return self.exchange.state in (State.DONE, State.FAILED)

    @property
    def begun(self) -> bool:
        """Whether the answer has: its head has come, and over a socket its first message."""
        status = self.exchange.response.status
        if status is None or not 200 <= status < 300:
            return False
        return not self._is_over_socket or (self._sent is not None and self._has_data)

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head was fed, with the timings of then."""
        continued = self._sent is not None and self._sent.continued
        return attrs.evolve(self.exchange.response, timings=self.timings, continued=continued)

    @property
    def next_at(self) -> float:
        """When the next thing happened, in seconds since the exchange began."""
        if self._next < len(self._steps):
            return self._steps[self._next].t
        if self._end is not None:
            return self._end.t
        return self._steps[-1].t if self._steps else 0.0

    def step(self) -> Events:
        """Let the next thing happen.

        Returns:
            The events that it brings.

        Raises:
            RecordingError: If it could not happen there.
        """
        now = self.next_at
        may_be_refused = self._is_over_socket and not self.begun
        events = self._feed()
        if may_be_refused:
            events = in_place_of_answer(events)
        if events and isinstance(events[-1], ProviderError) and self._end is not None:
            events[-1] = attrs.evolve(events[-1], sent=self._end.sent)
        self._note_time(now, events)
        return events

    def _feed(self) -> Events:
        if self._next == len(self._steps):
            return self.exchange.receive_failure(self._missing_end())
        step = self._steps[self._next]
        self._next += 1
        try:
            return self._feed_one(step)
        except LocalProtocolError:
            pass
        raise RecordingError(f"line {step.number}: it cannot stand there, lines are missing")

    def _feed_one(self, step: _Step) -> Events:
        match step.what:
            case SentLine() as sent:
                self._sent = sent
                return []
            case RateLimitsLine(rate_limits=rate_limits):
                self.exchange.receive_rate_limits(rate_limits)
                return []
            case HeadLine(status=status, headers=headers):
                return self.exchange.receive_head(status, headers)
            case bytes() as data:
                self._has_data = True
                return self.exchange.receive_data(data)
            case EOFLine(clean=clean):
                return self.exchange.receive_eof(clean)
            case FailureLine() as line:
                return self.exchange.receive_failure(error_of(line, step.number))
            case _:
                assert_never(step.what)

    def _missing_end(self) -> NetworkError:
        return NetworkError(
            phase="head" if self.exchange.state is State.SENT else "body",
            message=_LEFT if self._end is not None else _BROKEN_OFF,
        )

    def _note_time(self, now: float, events: Events) -> None:
        """Note when this happened, for what it was."""
        known = self.timings
        self.timings = Timings(
            first_byte=now if known.first_byte is None and self._has_head else known.first_byte,
            first_token=now if known.first_token is None and events else known.first_token,
            total=now if self.over else None,
        )

    @property
    def _has_head(self) -> bool:
        return self.exchange.response.status is not None


def _exchange_for(recorded: RecordedExchange, wires: Iterable[Wire]) -> Exchange:
    request = recorded.request
    try:
        wire = wire_by_kind(request.wire, wires)
        endpoint = Endpoint(
            base_url=request.base_url,
            name=request.provider,
            limits=Limits(**request.limits),
            quirks=request.quirks,
        )
        exchange = Exchange(wire, endpoint)
    except (ValueError, TypeError) as error:
        reason = str(error)
    else:
        exchange.expect(request.url.partition("?")[0], request.method)
        return exchange
    raise RecordingError(f"line {recorded.number}: {reason}")


def _steps_of(recorded: RecordedExchange) -> list[_Step]:
    steps: list[_Step] = []
    read_at: float | None = None  # the time of a read of which more is to come
    for number, line in recorded.lines:
        match line:
            case RequestLine() | EndLine():
                pass
            case DataLine(t=t, data=data):
                # Otherwise it was redacted together with a later read.
                if t == read_at and isinstance(begun := steps[-1].what, bytes):
                    steps[-1] = _Step(number, t, begun + data)
                else:
                    steps.append(_Step(number, t, data))
                read_at = t if line.more else None
            case _:
                steps.append(_Step(number, line.t, line))
    return steps
