"""One connection of the Realtime API: a conversation, its responses, and the hour it may last.

A connection holds one conversation. An answer is asked for by the items that are new in it; where
another conversation comes, the items of the last one are deleted first. Out of band, each response
brings a conversation of its own, and several come at a time.

What a request is called goes into the metadata of its response, which the server repeats when the
response begins. From then on every event names the response, so one of an unknown or an ended
response reaches nobody.

What is wrong with one request is the failure of its answer. Where that cannot be told, all answers
fail and the connection is broken: an answer that waits for ever would be worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, final

import attrs

from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError, MalformedResponseError, ProviderError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.session import Delivery, Events, OpenAnswer, SocketWire
from tokenwire.tokens import End
from tokenwire.wire.encoding import refuse_set
from tokenwire.wire.malformed import schema_error
from tokenwire.wire.openai_realtime.answers import Conversation, RealtimeAnswer
from tokenwire.wire.openai_realtime.frames import (
    ANSWER,
    Envelope,
    ErrorEvent,
    read_envelope,
    read_error,
    read_rate_limits,
)
from tokenwire.wire.openai_realtime.quirks import read_quirks
from tokenwire.wire.openai_realtime.request import (
    DELETE,
    SET_UP,
    cancel,
    delete,
    instructions_of,
    session_update,
)
from tokenwire.wire.socket_messages import as_line, message_bytes

#: The hour of the connection is over. Nothing was generated for what had not begun.
_AT_ITS_END: Final = "session_expired"

#: Errors about what we asked for only to tidy up, and that was done already.
_HARMLESS: Final = frozenset({"response_cancel_not_active", "item_delete_invalid_item_id"})

#: How events are called that tell of an item the server keeps, today and in older servers.
_NEW_ITEMS: Final = frozenset({"conversation.item.added", "conversation.item.created"})

_NO_METADATA: Final = (
    "the server begins a response without saying to which request: if it does not repeat metadata,"
    " leave the quirk out_of_band unset"
)


@final
class RealtimeSession:
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
        self._is_out_of_band = quirks.out_of_band
        self._most_busy = quirks.answers_at_once
        self._rotate_at = now + quirks.rotate_after
        self._conversation = Conversation()
        self._busy: dict[str, RealtimeAnswer] = {}  # what the server works on, by name
        self._asked = 0
        self._last_response_id: str | None = None
        self._rate_limits: tuple[RateLimit, ...] = ()
        self._outgoing = [session_update().decode()]
        self._at_its_end = False
        self.broken: bool = False

    @property
    def idle(self) -> bool:
        """Whether the server works on nothing that was asked for here."""
        return not self._busy

    def expired(self, now: float) -> bool:
        """Whether the connection takes no more requests."""
        is_over = self.broken or self._at_its_end or self._conversation.overflowed
        return is_over or now >= self._rotate_at

    def has_room(self, now: float) -> bool:
        """Whether it takes a request at this moment."""
        return not self.expired(now) and len(self._busy) < self._most_busy

    def continues(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether the server holds all of this conversation but its newest part."""
        return self._conversation.held(messages) is not None

    def send(
        self, messages: Sequence[Message], config: ProviderConfig, now: float
    ) -> RealtimeAnswer:
        """Ask for an answer, by what is new if the server holds the rest."""
        if not self.has_room(now):
            raise LocalProtocolError("this connection takes no request now: see has_room")
        own = ("event_id", "metadata")
        refuse_set(
            {f"extra[{name!r}]": config.extra.get(name) for name in own},
            "the session tells answers apart by it",
        )
        whole = tuple(messages)
        held = self._conversation.held(whole)
        name = f"answer-{self._asked}"
        named: dict[str, Any] = {"event_id": name, "metadata": {ANSWER: name}}
        exchange = Exchange(self._wire, self._endpoint)
        request = exchange.send(
            (*instructions_of(whole), *held.addition(whole)) if held else whole,
            attrs.evolve(config, extra={**config.extra, **named}),
        )
        if held is None:
            self._outgoing += [delete(item).decode() for item in self._conversation.clear()]
        self._conversation.go_on()
        self._outgoing += request.body.decode().split("\n")
        self._asked += 1
        answer = RealtimeAnswer(name, whole, exchange, continues=held is not None)
        self._busy[name] = answer
        return answer

    def data_to_send(self) -> list[str]:
        """Return the messages to put on the wire now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def abandon(self, answer: OpenAnswer) -> None:
        """Give an answer up, and have the server stop it, as soon as it has begun."""
        for each in self._busy.values():
            if each is answer:
                self._stop(each)

    def _stop(self, answer: RealtimeAnswer) -> None:
        if answer.is_awaited and answer.response_id is not None:
            self._cancel(answer.response_id)
        answer.is_awaited = False

    def _cancel(self, response_id: str) -> None:
        self._outgoing.append(cancel(response_id).decode())

    # What comes

    def receive_failure(self, error: ProviderError) -> list[Delivery]:
        """Take the end of the connection."""
        self.broken = True
        busy, self._busy = self._busy, {}
        return [
            Delivery(answer, answer.exchange.receive_failure(error))
            for answer in busy.values()
            if answer.is_awaited
        ]

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
        match envelope.type:
            case "error":
                return self._receive_error(read_error(data, self._limits), data)
            case "rate_limits.updated":
                self._receive_rate_limits(read_rate_limits(data, self._limits))
                return []
            case "response.created":
                return self._receive_beginning(envelope, data)
            case _:
                return self._receive_event(envelope, data)

    def _receive_beginning(self, envelope: Envelope, data: bytes) -> list[Delivery]:
        response_id = envelope.of_response
        if response_id is not None and self._is_known(response_id):
            return []
        answer = self._begun_by(envelope, data)
        if answer is None:
            return []
        if response_id is None:
            raise schema_error("the server begins a response without an id", data)
        answer.response_id = self._last_response_id = response_id
        if answer.is_awaited:
            return [Delivery(answer, self._read(answer, data))]
        self._cancel(response_id)
        return []

    def _is_known(self, response_id: str) -> bool:
        """Tell whether a response has begun before."""
        is_busy = any(each.response_id == response_id for each in self._busy.values())
        return is_busy or response_id == self._last_response_id

    def _begun_by(self, envelope: Envelope, data: bytes) -> RealtimeAnswer | None:
        """Return the answer that a response is; a server without metadata gives one at a time."""
        waiting = [each for each in self._busy.values() if each.response_id is None]
        if envelope.of_answer is not None:
            return next((each for each in waiting if each.name == envelope.of_answer), None)
        if len(waiting) > 1:
            raise schema_error(_NO_METADATA, data)
        return waiting[0] if waiting else None

    def _receive_event(self, envelope: Envelope, data: bytes) -> list[Delivery]:
        if envelope.type in _NEW_ITEMS and envelope.item_id and not self._is_out_of_band:
            self._conversation.add(envelope.item_id)
        answer = self._answer_of(envelope)
        if answer is None:
            return []
        is_last = envelope.type == "response.done"
        if is_last:
            del self._busy[answer.name]
        if not answer.is_awaited:
            return []
        events = self._read(answer, data)
        if is_last:
            # Where the reader found no end in it, there is none: an odd way to write its type.
            events += answer.exchange.receive_eof(clean=True)
        elif answer.is_over:
            self._stop(answer)  # it failed here, but the server does not know
        if events and isinstance(events[-1], End) and not self._is_out_of_band:
            self._conversation.hold(answer, events[-1])
        return [Delivery(answer, events)]

    def _answer_of(self, envelope: Envelope) -> RealtimeAnswer | None:
        response_id = envelope.of_response
        if response_id is None:
            return None
        busy = self._busy.values()
        return next((each for each in busy if each.response_id == response_id), None)

    def _read(self, answer: RealtimeAnswer, data: bytes) -> Events:
        """Let an answer's exchange read an event, as a line of its body."""
        exchange = answer.exchange
        events: Events = []
        if not answer.has_begun:
            events += exchange.receive_head(200, self._headers)
            exchange.receive_rate_limits(self._rate_limits)
        return events + exchange.receive_data(as_line(data))

    def _receive_rate_limits(self, rate_limits: tuple[RateLimit, ...]) -> None:
        """Take what is left of the allowances; whose request they were told for is not said."""
        self._rate_limits = rate_limits
        for answer in self._busy.values():
            if answer.has_begun:
                answer.exchange.receive_rate_limits(rate_limits)

    # Errors

    def _receive_error(self, error: ErrorEvent, data: bytes) -> list[Delivery]:
        if error.code in _HARMLESS:
            return []
        if error.code == _AT_ITS_END:
            return self._end_connection()
        answer = self._busy.get(error.event_id or "")
        if answer is not None and answer.response_id is None:
            del self._busy[answer.name]
            return self._fail(answer, data)
        if error.event_id is not None and not self._is_about_request(error.event_id):
            return []
        # An item is missing, or nobody knows what is.
        self.broken = bool(self._busy)
        busy, self._busy = self._busy, {}
        return [delivery for each in busy.values() for delivery in self._fail(each, data)]

    def _is_about_request(self, event_id: str) -> bool:
        """Tell whether an event was one that the answers under way depend on."""
        request, _, _ = event_id.partition(".")
        return request in self._busy or event_id in (SET_UP, DELETE)

    def _end_connection(self) -> list[Delivery]:
        """Let nothing begin any more; what has begun may still end well."""
        self._at_its_end = True
        unbegun = [each for each in self._busy.values() if each.response_id is None]
        for answer in unbegun:
            del self._busy[answer.name]
        return [Delivery(each, elsewhere=True) for each in unbegun if each.is_awaited]

    def _fail(self, answer: RealtimeAnswer, data: bytes) -> list[Delivery]:
        return [Delivery(answer, self._read(answer, data))] if answer.is_awaited else []
