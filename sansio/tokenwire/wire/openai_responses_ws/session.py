"""One connection of the Responses API: lanes, continuation, errors, and the hour it may last.

A response begins with an event that shows it, ``response.created``, and ends with one that shows it
again, or with an error. What comes between belongs to it only if it comes in its lane, so a message
in an unknown lane, or a late one in a lane that is free again, reaches nobody.

What is wrong with one message is the failure of whoever it was for. Where that cannot be told, all
answers fail and the connection is broken: an answer that waits for ever would be worse.

Nothing cancels a response. One that nobody waits for any more keeps its lane until it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, final

import attrs

from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError, MalformedResponseError, ProviderError
from tokenwire.exchange import Exchange, State
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.session import Delivery, Events, OpenAnswer, SocketWire
from tokenwire.tokens import End
from tokenwire.wire.encoding import refuse_set
from tokenwire.wire.malformed import schema_error
from tokenwire.wire.openai_responses_ws.continuation import held_answer
from tokenwire.wire.openai_responses_ws.frames import (
    Envelope,
    ErrorFrame,
    read_envelope,
    read_error_frame,
)
from tokenwire.wire.openai_responses_ws.lanes import Lane, LaneAnswer, Lanes
from tokenwire.wire.openai_responses_ws.quirks import read_quirks
from tokenwire.wire.socket_messages import as_line, message_bytes

#: The server no longer holds the response that a request continues. Nothing was generated.
_NOT_HELD: Final = "previous_response_not_found"

#: The connection takes no more requests: its hour is over, or it has seen too many lanes. Nothing
#: was generated, either.
_AT_ITS_END: Final = frozenset(
    {"websocket_connection_limit_reached", "websocket_stream_limit_reached"}
)

_NO_LANES: Final = (
    "the server begins an answer where none was asked for: if it keeps no lanes apart, set the"
    " quirk lanes to 1"
)

#: With any of these the caller keeps track of the conversation, and we do not.
_CALLERS_OWN: Final = ("previous_response_id", "conversation")


@final
class ResponsesSession:
    """The state of one connection. See `Session` for what the methods promise.

    Args:
        wire: The wire format.
        endpoint: Where the connection leads.
        headers: Of the response that opened it.
        now: When that was.
    """

    def __init__(
        self,
        wire: SocketWire,
        endpoint: Endpoint,
        headers: Iterable[tuple[str, str]],
        now: float,
    ) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._limits = endpoint.limits
        self._headers = tuple(headers)
        quirks = read_quirks(endpoint.quirks)
        self._most_busy = quirks.lanes
        self._rotate_at = now + quirks.rotate_after
        self._lanes = Lanes()
        self._outgoing: list[str] = []
        self._at_its_end = False
        self._names_no_lanes = False
        self.broken: bool = False

    @property
    def idle(self) -> bool:
        """Whether the server works on nothing that was asked for here."""
        return not self._lanes.busy()

    def expired(self, now: float) -> bool:
        """Whether the connection takes no more requests."""
        return self.broken or self._at_its_end or now >= self._rotate_at

    def has_room(self, now: float) -> bool:
        """Whether it takes a request at this moment."""
        return not self.expired(now) and len(self._lanes.busy()) < self._most_busy

    def continues(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether the server holds all of this conversation but its newest part."""
        return self._continuing(messages, config) is not None

    def _continuing(self, messages: Sequence[Message], config: ProviderConfig) -> Lane | None:
        if any(name in config.extra for name in _CALLERS_OWN):
            return None
        return self._lanes.continuing(messages)

    def send(self, messages: Sequence[Message], config: ProviderConfig, now: float) -> LaneAnswer:
        """Ask for an answer, in the lane that holds the conversation if one does."""
        if not self.has_room(now):
            raise LocalProtocolError("this connection takes no request now: see has_room")
        refuse_set(
            {"extra['stream_id']": config.extra.get("stream_id")}, "the session chooses the lane"
        )
        whole = tuple(messages)
        lane = self._continuing(whole, config)
        held = lane.held if lane is not None else None
        lane = lane or self._lanes.free()
        exchange, text = self._encode(
            lane,
            held.addition(whole) if held else whole,
            config,
            {"previous_response_id": held.response_id} if held else {},
        )
        answer = LaneAnswer(lane, whole, config, exchange, continues=held is not None)
        lane.begin(answer)
        self._lanes.use(lane)
        self._outgoing.append(text)
        return answer

    def _encode(
        self,
        lane: Lane,
        messages: Sequence[Message],
        config: ProviderConfig,
        members: dict[str, str],
    ) -> tuple[Exchange, str]:
        if lane.name is not None:
            members["stream_id"] = lane.name
        exchange = Exchange(self._wire, self._endpoint)
        with_members = attrs.evolve(config, extra={**config.extra, **members})
        return exchange, exchange.send(messages, with_members).body.decode()

    def data_to_send(self) -> list[str]:
        """Return the messages to put on the wire now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def abandon(self, answer: OpenAnswer) -> None:
        """Give an answer up; its lane is free again when the server has ended it."""
        for lane in self._lanes.busy():
            if lane.answer is answer:
                lane.answer = None

    # What comes

    def receive_failure(self, error: ProviderError) -> list[Delivery]:
        """Take the end of the connection."""
        self.broken = True
        deliveries = [
            Delivery(answer, answer.exchange.receive_failure(error))
            for answer in self._lanes.answers()
        ]
        for lane in self._lanes.busy():
            lane.end()
        return deliveries

    def receive_message(self, message: str | bytes) -> list[Delivery]:
        """Take a message."""
        if self.broken:
            return []
        try:
            return self._route(message)
        except MalformedResponseError as error:
            failure = error
        return self.receive_failure(failure.with_traceback(None))

    def _route(self, message: str | bytes) -> list[Delivery]:
        data = message_bytes(message, self._limits)
        envelope = read_envelope(data, self._limits)
        if envelope.type == "error":
            return self._receive_error(envelope, data)
        lane = self._lane_of(envelope, data)
        if lane is None or not self._belongs(envelope, lane):
            return []
        return self._receive_event(envelope, lane, data)

    def _lane_of(self, envelope: Envelope, data: bytes) -> Lane | None:
        """Return the lane that an event came in, None if there is none of that name.

        A server that keeps no lanes apart names none. That shows when it begins a response in the
        default lane where none was asked for, and does no harm as long as there is only one.
        """
        if envelope.stream_id is not None:
            return self._lanes.find(envelope.stream_id)
        default, busy = self._lanes.default, self._lanes.busy()
        if envelope.type == "response.created" and envelope.response_id != default.last_response_id:
            unasked = default.created if default.busy else any(not lane.created for lane in busy)
            if unasked and len(busy) > 1:
                raise schema_error(_NO_LANES, data)
            self._names_no_lanes = self._names_no_lanes or (unasked and not default.busy)
        if self._names_no_lanes:
            self._most_busy = 1
            return busy[0] if busy else None
        return default

    def _belongs(self, envelope: Envelope, lane: Lane) -> bool:
        """Tell whether an event is of the response that its lane is busy with."""
        if not lane.busy:
            return False
        if not (lane.created or envelope.may_be_first):
            return False
        if envelope.response_id is None or not envelope.shows_response:
            return True
        return (envelope.response_id == lane.last_response_id) is lane.created

    def _receive_event(self, envelope: Envelope, lane: Lane, data: bytes) -> list[Delivery]:
        if envelope.shows_response:
            lane.created = True
            lane.last_response_id = envelope.response_id or lane.last_response_id
        answer = lane.answer
        events = self._read(answer, data) if answer is not None else []
        if answer is not None and answer.exchange.state in (State.DONE, State.FAILED):
            lane.answer = None
        if envelope.ends_response:
            lane.end()
        if answer is None:
            return []
        if events and isinstance(events[-1], End):
            lane.held = held_answer(answer.messages, answer.exchange.partial(), events[-1])
        return [Delivery(answer, events)]

    def _read(self, answer: LaneAnswer, data: bytes) -> Events:
        """Let an answer's exchange read a message, as a line of its body."""
        exchange = answer.exchange
        events = exchange.receive_head(200, self._headers) if not answer.begun else []
        return events + exchange.receive_data(as_line(data))

    # Errors

    def _receive_error(self, envelope: Envelope, data: bytes) -> list[Delivery]:
        error = read_error_frame(data, self._limits)
        if error.code in _AT_ITS_END:
            self._at_its_end = True
        lanes = self._concerned(envelope, error)
        deliveries = [delivery for lane in lanes for delivery in self._fail(lane, error, data)]
        self.broken = len(lanes) > 1 and error.code not in _AT_ITS_END
        return deliveries

    def _concerned(self, envelope: Envelope, error: ErrorFrame) -> list[Lane]:
        """Return the lanes that an error ends: all of them, if nothing says which."""
        busy = self._lanes.busy()
        if envelope.stream_id is not None:
            return [lane for lane in busy if lane.name == envelope.stream_id]
        if error.code in _AT_ITS_END:
            # What has begun may still end well.
            return [lane for lane in busy if not lane.created]
        if self._lanes.default.busy and not error.flat:
            return [self._lanes.default]
        return busy

    def _fail(self, lane: Lane, error: ErrorFrame, data: bytes) -> list[Delivery]:
        answer = lane.answer
        if answer is None:
            lane.end()
            return []
        untouched = not answer.exchange.partial().choices
        if untouched and error.code == _NOT_HELD and self._send_whole(answer):
            return []
        lane.end()
        if untouched and error.code in _AT_ITS_END:
            return [Delivery(answer, elsewhere=True)]
        return [Delivery(answer, self._read(answer, data))]

    def _send_whole(self, answer: LaneAnswer) -> bool:
        """Make a request again with the whole conversation, if it went without."""
        if not answer.continues:
            return False
        try:
            exchange, text = self._encode(answer.lane, answer.messages, answer.config, {})
        except LocalProtocolError:
            return False  # the server's own part of it is one that it does not take back
        answer.exchange = exchange
        answer.continues = False
        answer.lane.begin(answer)
        self._outgoing.append(text)
        return True
