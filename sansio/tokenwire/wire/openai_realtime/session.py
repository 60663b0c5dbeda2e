"""One connection of the Realtime API: a conversation, its responses, and the hour it may last.

A connection holds one conversation, and is for nothing else: what the server keeps cannot be taken
back in a way that every server obeys. An answer is asked for by the items that are new in it; what
is no continuation needs a connection that was not used yet. Once an answer broke off, nobody can
say what the server keeps of it, so that the connection is at its end. Out of band, each response
brings a conversation of its own, and several come at a time.

What a request is called goes into the metadata of its response, which the server repeats when the
response begins; only where one answer comes at a time it need not. From then on every event names
the response, so one of an unknown or an ended response reaches nobody.

What is wrong with one request is the failure of its answer. Where that cannot be told, all answers
fail and the connection is broken: an answer that waits for ever would be worse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, final

import attrs

from tokenwire.endpoint import Endpoint
from tokenwire.exchange import Events, Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit
from tokenwire.session import AnswerTap, Delivery, SocketWire
from tokenwire.tokens import End
from tokenwire.wire.encoding import refuse_set
from tokenwire.wire.malformed import schema_error
from tokenwire.wire.openai_realtime.answers import Conversation, RealtimeAnswer
from tokenwire.wire.openai_realtime.frames import (
    ANSWER,
    Envelope,
    ErrorEvent,
    envelope_of,
    read_error,
    read_rate_limits,
)
from tokenwire.wire.openai_realtime.quirks import read_quirks
from tokenwire.wire.openai_realtime.request import SET_UP, cancel, instructions_of, session_update
from tokenwire.wire.socket_session import SocketSession

#: The hour of the connection is over. Nothing was generated for what had not begun.
_AT_ITS_END: Final = "session_expired"

#: An error about what we asked for only to stop an answer that had ended by itself.
_HARMLESS: Final = "response_cancel_not_active"

#: How many responses are known by their ids when they are over. An event that is late by more
#: answers than this is none that a working server sends.
_REMEMBERED: Final = 64

_NO_METADATA: Final = (
    "the server begins a response without repeating the request's metadata, so that it may answer"
    " something else: leave the quirk out_of_band unset"
)


@final
class RealtimeSession(SocketSession[RealtimeAnswer]):
    """The state of one connection. See `SocketSession`; it finds the quirks itself."""

    def __init__(
        self, wire: SocketWire, endpoint: Endpoint, headers: Iterable[tuple[str, str]], now: float
    ) -> None:
        quirks = read_quirks(endpoint.quirks)
        super().__init__(wire, endpoint, headers, now, quirks)
        self._is_out_of_band = quirks.out_of_band
        self._conversation = Conversation()
        self._answers: dict[str, RealtimeAnswer] = {}
        self._named = 0
        self._begun_ids: deque[str] = deque(maxlen=_REMEMBERED)  # of the latest responses
        self._rate_limits: tuple[RateLimit, ...] = ()
        self._put([session_update().decode()])

    def expired(self, now: float) -> bool:
        """Whether the connection takes no more requests."""
        return super().expired(now) or (self.idle and self._conversation.is_uncertain)

    def suits(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether this conversation may be answered here."""
        return self._conversation.has_room_for(messages)

    def continues(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether the server holds all of this conversation but its newest part."""
        return self._conversation.held(messages) is not None

    def _ask(
        self, messages: tuple[Message, ...], config: ProviderConfig, tap: AnswerTap | None
    ) -> RealtimeAnswer:
        own = ("event_id", "metadata")
        refuse_set(
            {f"extra[{name!r}]": config.extra.get(name) for name in own},
            "the session tells answers apart by it",
        )
        held = self._conversation.held(messages)
        name = f"answer-{self._named}"
        named: dict[str, Any] = {"event_id": name, "metadata": {ANSWER: name}}
        exchange = Exchange(self._wire, self._endpoint)
        request = exchange.send(
            (*instructions_of(messages), *held.addition(messages)) if held else messages,
            attrs.evolve(config, extra={**config.extra, **named}),
        )
        self._named += 1
        answer = RealtimeAnswer(name, messages, tap, continues=held is not None)
        self._answers[name] = answer
        self._put_request(answer, exchange, request.body.decode().split("\n"))
        return answer

    def _busy(self) -> list[RealtimeAnswer]:
        return list(self._answers.values())

    def _release(self, answer: RealtimeAnswer) -> None:
        del self._answers[answer.name]

    def _note_sending(self, answer: RealtimeAnswer) -> None:
        if not self._is_out_of_band:
            self._conversation.go_on()

    def _stop(self, answer: RealtimeAnswer) -> None:
        """Have the server stop an answer, as soon as it has begun."""
        super()._stop(answer)
        if answer.response_id is not None:
            self._cancel(answer.response_id)

    def _cancel(self, response_id: str) -> None:
        self._put([cancel(response_id).decode()])

    # What comes

    def _route(self, data: bytes) -> list[Delivery]:
        envelope = envelope_of(data, self._limits)
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
        answer.response_id = response_id
        self._begun_ids.append(response_id)
        if answer.is_awaited:
            return [Delivery(answer, self._read(answer, data))]
        self._cancel(response_id)
        return []

    def _is_known(self, response_id: str) -> bool:
        """Tell whether a response has begun before."""
        is_busy = any(each.response_id == response_id for each in self._busy())
        return is_busy or response_id in self._begun_ids

    def _begun_by(self, envelope: Envelope, data: bytes) -> RealtimeAnswer | None:
        """Return the answer that a response is; without metadata, the only one that is awaited.

        Out of band that is not enough: a server that repeats no metadata there may know nothing of
        it at all, and answer its own conversation in place of the one that it was sent.
        """
        waiting = [each for each in self._asked() if each.response_id is None]
        if envelope.of_answer is not None:
            return next((each for each in waiting if each.name == envelope.of_answer), None)
        if waiting and self._is_out_of_band:
            raise schema_error(_NO_METADATA, data)
        return waiting[0] if waiting else None

    def _receive_event(self, envelope: Envelope, data: bytes) -> list[Delivery]:
        answer = self._answer_of(envelope)
        if answer is None:
            return []
        is_last = envelope.type == "response.done"
        if is_last:
            self._release(answer)
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
        answers = self._answers.values()
        return next((each for each in answers if each.response_id == response_id), None)

    def _read(self, answer: RealtimeAnswer, data: bytes) -> Events:
        is_first = not answer.has_begun
        events = super()._read(answer, data)
        if is_first:
            answer.exchange.receive_rate_limits(self._rate_limits)
        return events

    def _receive_rate_limits(self, rate_limits: tuple[RateLimit, ...]) -> None:
        """Take what is left of the allowances; whose request they were told for is not said."""
        self._rate_limits = rate_limits
        for answer in self._busy():
            if answer.has_begun:
                answer.exchange.receive_rate_limits(rate_limits)

    # Errors

    def _receive_error(self, error: ErrorEvent, data: bytes) -> list[Delivery]:
        if error.code == _HARMLESS:
            return []
        if error.code == _AT_ITS_END:
            self._at_its_end = True
            # What has begun may still end well.
            return self._move(each for each in self._busy() if each.response_id is None)
        answer = self._answers.get(error.event_id or "")
        if answer is not None and answer.response_id is None:
            return self._fail([answer], lambda answer: self._read(answer, data))
        if error.event_id is not None and not self._is_about_request(error.event_id):
            return []
        # An item is missing, or the set-up, or nobody knows what is.
        if not self._asked() and error.event_id != SET_UP:
            return []
        self.broken = True
        return self._fail(self._busy(), lambda answer: self._read(answer, data))

    def _is_about_request(self, event_id: str) -> bool:
        """Tell whether an event was one that the answers under way depend on."""
        request, _, _ = event_id.partition(".")
        return request in self._answers or event_id == SET_UP
