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
from tokenwire.errors import LocalProtocolError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.session import AnswerTap, Delivery, SocketWire
from tokenwire.tokens import End
from tokenwire.wire.encoding import refuse_set
from tokenwire.wire.malformed import schema_error
from tokenwire.wire.openai_responses_ws.continuation import held_answer
from tokenwire.wire.openai_responses_ws.frames import (
    Envelope,
    ErrorFrame,
    envelope_of,
    read_error_frame,
)
from tokenwire.wire.openai_responses_ws.lanes import Lane, LaneAnswer, Lanes
from tokenwire.wire.openai_responses_ws.quirks import read_quirks
from tokenwire.wire.socket_session import SocketSession

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
class ResponsesSession(SocketSession[LaneAnswer]):
    """The state of one connection. See `SocketSession`; it finds the quirks itself."""

    def __init__(
        self, wire: SocketWire, endpoint: Endpoint, headers: Iterable[tuple[str, str]], now: float
    ) -> None:
        super().__init__(wire, endpoint, headers, now, read_quirks(endpoint.quirks))
        self._lanes = Lanes()
        self._names_no_lanes = False

    def suits(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether this conversation may be answered here: any may, in a lane of its own."""
        return True

    def continues(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether the server holds all of this conversation but its newest part."""
        return self._continuing(messages, config) is not None

    def _continuing(self, messages: Sequence[Message], config: ProviderConfig) -> Lane | None:
        if any(name in config.extra for name in _CALLERS_OWN):
            return None
        return self._lanes.continuing(messages)

    def _ask(
        self, messages: tuple[Message, ...], config: ProviderConfig, tap: AnswerTap | None
    ) -> LaneAnswer:
        refuse_set(
            {"extra['stream_id']": config.extra.get("stream_id")}, "the session chooses the lane"
        )
        lane = self._continuing(messages, config)
        held = lane.held if lane is not None else None
        lane = lane or self._lanes.free()
        exchange, text = self._encode(
            lane,
            held.addition(messages) if held else messages,
            config,
            {"previous_response_id": held.response_id} if held else {},
        )
        answer = LaneAnswer(lane, messages, config, tap, continues=held is not None)
        self._lanes.take(answer)
        self._put_request(answer, exchange, [text])
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

    def _busy(self) -> list[LaneAnswer]:
        return self._lanes.answers()

    def _release(self, answer: LaneAnswer) -> None:
        answer.lane.answer = None

    def _note_sending(self, answer: LaneAnswer) -> None:
        answer.lane.held = None  # not to be relied on until the answer is whole

    # What comes

    def _route(self, data: bytes) -> list[Delivery]:
        envelope = envelope_of(data, self._limits)
        if envelope.type == "error":
            return self._receive_error(envelope, data)
        answer = self._answer_in_lane(envelope, data)
        if answer is None or not _belongs(envelope, answer):
            return []
        return self._receive_event(envelope, answer, data)

    def _answer_in_lane(self, envelope: Envelope, data: bytes) -> LaneAnswer | None:
        """Return the answer in the lane that an event came in, None if there is none.

        A server that keeps no lanes apart names none. That shows when it begins a response in the
        default lane where none was asked for, and does no harm as long as there is only one.
        """
        if envelope.lane is not None:
            lane = self._lanes.find(envelope.lane)
            return lane.answer if lane is not None else None
        default = self._lanes.default.answer
        if self._begins_unasked(envelope):
            if len(self._busy()) > 1:
                raise schema_error(_NO_LANES, data)
            self._names_no_lanes |= default is None
        if self._names_no_lanes:
            self._most_busy = 1
            return next(iter(self._busy()), None)
        return default

    def _begins_unasked(self, envelope: Envelope) -> bool:
        """Tell whether a response begins in the default lane that must be another lane's."""
        default = self._lanes.default
        begins = envelope.type == "response.created"
        if not begins or envelope.response_id == default.last_response_id:
            return False
        asked = self._asked()
        if default.answer in asked:
            return default.answer.is_created
        return any(not each.is_created for each in asked)

    def _receive_event(self, envelope: Envelope, answer: LaneAnswer, data: bytes) -> list[Delivery]:
        lane = answer.lane
        if envelope.shows_response:
            answer.is_created = True
            lane.last_response_id = envelope.response_id or lane.last_response_id
        if envelope.ends_response:
            self._release(answer)
        if not answer.is_awaited:
            return []
        events = self._read(answer, data)
        if answer.is_over:
            self._stop(answer)  # perhaps it failed here, but the server does not know
        if events and isinstance(events[-1], End):
            lane.held = held_answer(answer.messages, answer.exchange.partial(), events[-1])
        return [Delivery(answer, events)]

    # Errors

    def _receive_error(self, envelope: Envelope, data: bytes) -> list[Delivery]:
        error = read_error_frame(data, self._limits)
        concerned = self._concerned(envelope, error)
        if error.code in _AT_ITS_END:
            return self._end_connection(concerned, data)
        if error.code == _NOT_HELD:
            concerned = [each for each in concerned if _may_be_sent_whole(each)] or concerned
        if len(concerned) > 1:
            self.broken = True
            concerned = self._busy()
        elif error.code == _NOT_HELD and concerned and self._send_whole(concerned[0]):
            return []
        return self._fail(concerned, lambda answer: self._read(answer, data))

    def _concerned(self, envelope: Envelope, error: ErrorFrame) -> list[LaneAnswer]:
        """Return the answers that an error may be about: all of them, if nothing says which."""
        asked = self._asked()
        if envelope.lane is not None:
            return [each for each in asked if each.lane.name == envelope.lane]
        if error.code in _AT_ITS_END:
            return [each for each in asked if not each.is_created]  # the others may end well
        default = [each for each in asked if each.lane is self._lanes.default]
        return asked if error.flat else default or asked

    def _end_connection(self, concerned: list[LaneAnswer], data: bytes) -> list[Delivery]:
        """Let nothing begin any more."""
        self._at_its_end = True
        unasked = [each for each in self._busy() if not each.is_asked_for]
        untouched = [each for each in concerned if not each.is_created]
        begun = [each for each in concerned if each.is_created]
        return [
            *self._move([*untouched, *unasked]),
            *self._fail(begun, lambda answer: self._read(answer, data)),
        ]

    def _send_whole(self, answer: LaneAnswer) -> bool:
        """Make a request again with the whole conversation, if it went without."""
        if not _may_be_sent_whole(answer):
            return False
        try:
            exchange, text = self._encode(answer.lane, answer.messages, answer.config, {})
        except LocalProtocolError:
            return False  # the server's own part of it is one that it does not take back
        answer.begin_again()
        self._put_request(answer, exchange, [text])
        return True


def _belongs(envelope: Envelope, answer: LaneAnswer) -> bool:
    """Tell whether an event is of the response that its lane is busy with."""
    if not (answer.is_created or (answer.is_asked_for and envelope.may_be_first)):
        return False
    if envelope.response_id is None or not envelope.shows_response:
        return True
    return (envelope.response_id == answer.lane.last_response_id) is answer.is_created


def _may_be_sent_whole(answer: LaneAnswer) -> bool:
    return answer.continues and answer.is_awaited and not answer.has_parts
