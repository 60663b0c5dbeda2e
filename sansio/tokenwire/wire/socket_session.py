"""What the sessions of all socket APIs have in common: room, age, what waits to be sent, the end.

Whose an event is, and what an error means for a connection, is each API's own. Here stands what
follows from it for answers, whatever the API:

* A request waits here until whoever writes asks for its messages. Until the last of them, which
  asks for the answer, is handed out, nothing was asked for: an answer that is given up before is
  withdrawn, and one whose connection ends is for another connection.
* A message that is none, and the end of the connection, fail every answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from tokenwire.endpoint import Endpoint
from tokenwire.errors import LocalProtocolError, MalformedResponseError, ProviderError
from tokenwire.exchange import Events, Exchange, State
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.receiving_exchange import ReceivingExchange
from tokenwire.session import (
    AnswerTap,
    Delivery,
    OpenAnswer,
    OutgoingMessage,
    SentRequest,
    SocketWire,
    in_place_of_answer,
)
from tokenwire.wire.socket_messages import as_line, message_bytes


class SocketAnswer:
    """An answer on its way; see `OpenAnswer`.

    Attributes:
        exchange: Reads it, once the request is made.
        messages: The whole conversation.
        continues: Only the new part of the conversation was sent.
        is_asked_for: All of the request was handed out to be written.
        is_awaited: Somebody waits for it still.
    """

    __slots__ = ("_tap", "continues", "exchange", "is_asked_for", "is_awaited", "messages")

    exchange: ReceivingExchange

    def __init__(
        self, messages: tuple[Message, ...], tap: AnswerTap | None, *, continues: bool
    ) -> None:
        self._tap = tap
        self.messages: tuple[Message, ...] = messages
        self.continues: bool = continues
        self.is_asked_for: bool = False
        self.is_awaited: bool = True

    def ask(self, exchange: Exchange, texts: Sequence[str]) -> None:
        """Note what reads the answer to a request that goes out in these messages."""
        if self._tap is None:
            self.exchange = exchange
        else:
            self.exchange = self._tap(exchange, SentRequest(tuple(texts), self.continues))

    @property
    def has_begun(self) -> bool:
        """Whether anything of it was read."""
        return self.exchange.state is not State.SENT

    @property
    def is_over(self) -> bool:
        """Whether its last event was read."""
        return self.exchange.state in (State.DONE, State.FAILED)


AnswerT = TypeVar("AnswerT", bound=SocketAnswer)


class SocketQuirks(Protocol):
    """What an endpoint's settings say about every connection."""

    @property
    def answers_at_once(self) -> int:
        """How many answers it gives at a time."""
        ...

    @property
    def rotate_after(self) -> float:
        """Age in seconds from which it takes no more requests."""
        ...


class SocketSession(ABC, Generic[AnswerT]):
    """The state of one connection. See `Session` for what the public methods promise.

    Args:
        wire: The wire format.
        endpoint: Where the connection leads.
        headers: Of the response that opened it.
        now: When that was.
        quirks: Those of the endpoint, checked.
    """

    def __init__(
        self,
        wire: SocketWire,
        endpoint: Endpoint,
        headers: Iterable[tuple[str, str]],
        now: float,
        quirks: SocketQuirks,
    ) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._limits = endpoint.limits
        self._headers = tuple(headers)
        self._rotate_at = now + quirks.rotate_after
        self._most_busy = quirks.answers_at_once
        self._outbox: deque[tuple[AnswerT | None, OutgoingMessage]] = deque()
        self._at_its_end = False
        self.broken: bool = False

    # What each API has of its own

    @abstractmethod
    def suits(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether this conversation may be answered here."""

    @abstractmethod
    def continues(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether the server holds all of this conversation but its newest part."""

    @abstractmethod
    def _ask(
        self, messages: tuple[Message, ...], config: ProviderConfig, tap: AnswerTap | None
    ) -> AnswerT:
        """Make the request for an answer, and put its messages in the outbox."""

    @abstractmethod
    def _busy(self) -> list[AnswerT]:
        """Return the answers that have a place here, also those that nobody waits for any more."""

    @abstractmethod
    def _release(self, answer: AnswerT) -> None:
        """Give the place of an answer back."""

    @abstractmethod
    def _note_sending(self, answer: AnswerT) -> None:
        """Note that the server is about to learn something of a request."""

    @abstractmethod
    def _route(self, data: bytes) -> list[Delivery]:
        """Take a message.

        Raises:
            MalformedResponseError: If it is none that this API has.
        """

    def _asked(self) -> list[AnswerT]:
        """Return the answers that the server was asked for."""
        return [answer for answer in self._busy() if answer.is_asked_for]

    # Requests

    @property
    def idle(self) -> bool:
        """Whether nothing that was asked for here is still open."""
        return not self._busy()

    def expired(self, now: float) -> bool:
        """Whether the connection takes no more requests."""
        return self.broken or self._at_its_end or now >= self._rotate_at

    def has_room(self, now: float) -> bool:
        """Whether it takes a request at this moment."""
        return not self.expired(now) and len(self._busy()) < self._most_busy

    def send(
        self,
        messages: Sequence[Message],
        config: ProviderConfig,
        now: float,
        tap: AnswerTap | None = None,
    ) -> AnswerT:
        """Ask for an answer, by what is new if the server holds the rest."""
        if not self.has_room(now):
            raise LocalProtocolError("this connection takes no request now: see has_room")
        if not self.suits(messages, config):
            raise LocalProtocolError("this connection holds another conversation: see suits")
        return self._ask(tuple(messages), config, tap)

    def _put_request(self, answer: AnswerT, exchange: Exchange, texts: Sequence[str]) -> None:
        """Have the request for an answer sent, whose last message asks for it."""
        answer.ask(exchange, texts)
        self._put(texts, answer)

    def _put(self, texts: Sequence[str], answer: AnswerT | None = None) -> None:
        """Have messages sent; the last of them asks for the answer, if it is one's request."""
        *before, last = texts
        self._outbox.extend((answer, OutgoingMessage(text)) for text in before)
        self._outbox.append((answer, OutgoingMessage(last, asks_for=answer)))

    @property
    def wants_to_send(self) -> bool:
        """Whether there is a message to send."""
        return bool(self._outbox)

    def message_to_send(self) -> OutgoingMessage | None:
        """Return the next message to put on the wire."""
        if not self._outbox:
            return None
        answer, message = self._outbox.popleft()
        if answer is not None:
            self._note_sending(answer)
            answer.is_asked_for = message.asks_for is answer
        return message

    def abandon(self, answer: OpenAnswer) -> None:
        """Give an answer up, unasked if the server has not been asked for it yet."""
        for each in self._busy():
            if each is answer and each.is_awaited:
                if each.is_asked_for:
                    self._stop(each)
                else:
                    self._withdraw(each)

    def _withdraw(self, answer: AnswerT) -> None:
        """Forget an answer, and what was not handed out of its request."""
        self._outbox = deque(each for each in self._outbox if each[0] is not answer)
        self._release(answer)

    def _stop(self, answer: AnswerT) -> None:
        """Deliver nothing more for an answer that the server works on."""
        answer.is_awaited = False

    # What comes

    def receive_message(self, message: str | bytes) -> list[Delivery]:
        """Take a message."""
        if self.broken:
            return []
        try:
            return self._route(message_bytes(message, self._limits))
        except MalformedResponseError as error:
            failure = error
        return self.receive_failure(failure.with_traceback(None))

    def receive_failure(self, error: ProviderError) -> list[Delivery]:
        """Take the end of the connection."""
        self.broken = True
        return self._fail(self._busy(), lambda answer: answer.exchange.receive_failure(error))

    def _fail(
        self, answers: Iterable[AnswerT], read: Callable[[AnswerT], Events]
    ) -> list[Delivery]:
        """End answers with what is read for each; what was not asked for can be elsewhere."""
        deliveries: list[Delivery] = []
        for answer in answers:
            if not answer.is_asked_for:
                deliveries += self._move([answer])
                continue
            self._release(answer)
            if answer.is_awaited:
                deliveries.append(Delivery(answer, read(answer)))
        return deliveries

    def _move(self, answers: Iterable[AnswerT]) -> list[Delivery]:
        """Leave answers that the server has done nothing for to another connection."""
        moved = list(answers)
        for answer in moved:
            self._withdraw(answer)
        return [Delivery(answer, elsewhere=True) for answer in moved if answer.is_awaited]

    def _read(self, answer: AnswerT, data: bytes) -> Events:
        """Let an answer's exchange read a message, as a line of its body."""
        exchange = answer.exchange
        if answer.has_begun:
            return exchange.receive_data(as_line(data))
        events = exchange.receive_head(200, self._headers)
        return in_place_of_answer(events + exchange.receive_data(as_line(data)))
