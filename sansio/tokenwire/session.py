"""One connection that carries several answers: what a socket API is, without I/O.

A `Session` belongs to one connection, and an `Exchange` in it to one answer. The session says what
to send, and to whom a message that comes belongs. Everything else about an answer is the same as
over HTTP, so it is the exchange that reads it: each answer has exactly one terminal event, keeps
within `Limits`, and shows no secret.

    session = wire.session(endpoint, headers, now)
    answer = session.send(messages, config, now)       # an OpenAnswer
    while message := session.message_to_send(): ...    # put message.text on the wire
    for delivery in session.receive_message(text): ... # events for delivery.answer

No clock: whoever drives a session tells it the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, final

import attrs

from tokenwire.endpoint import Endpoint
from tokenwire.errors import ProviderError
from tokenwire.exchange import Events, Exchange
from tokenwire.messages import Message, size_only
from tokenwire.provider_config import ProviderConfig
from tokenwire.receiving_exchange import ReceivingExchange
from tokenwire.tokens import Token
from tokenwire.wire.base import Wire


class OpenAnswer(Protocol):
    """An answer that a session has been asked for."""

    @property
    def exchange(self) -> ReceivingExchange:
        """Reads the answer; another one after a request had to be made again."""
        ...

    @property
    def continues(self) -> bool:
        """Whether only the new part of the conversation was sent."""
        ...


@final
@attrs.frozen
class Delivery:
    """What a message brought for one answer.

    Attributes:
        answer: Whose it is.
        events: Tokens, and at most one error, which is the last. Empty where the answer has begun
            without a token yet.
        elsewhere: The server did nothing with the request, or never got it, because this connection
            is at its end: make it again over another one. There are no events then, and there never
            will be.
    """

    answer: OpenAnswer
    events: Events = attrs.field(factory=list[Token | ProviderError])
    elsewhere: bool = False


@final
@attrs.frozen
class OutgoingMessage:
    """A message to put on the wire.

    Attributes:
        text: All of it.
        asks_for: The answer whose request is whole with it, None for any other message.
    """

    text: str = attrs.field(repr=size_only)
    asks_for: OpenAnswer | None = attrs.field(default=None, repr=False)


@final
@attrs.frozen
class SentRequest:
    """How a request goes out over a connection.

    Attributes:
        messages: Those that ask for the answer, in order.
        continued: They bring only what is new of the conversation.
    """

    messages: tuple[str, ...] = attrs.field(repr=False)
    continued: bool


#: Puts something in front of the exchange that reads an answer, so that somebody may watch it.
#: Called with each request for the answer, before any of it is sent; it must not raise.
AnswerTap: TypeAlias = Callable[[Exchange, SentRequest], ReceivingExchange]


class Session(Protocol):
    """One connection's state."""

    @property
    def idle(self) -> bool:
        """Whether nothing that was asked for here is still open."""
        ...

    @property
    def broken(self) -> bool:
        """Whether the connection is to be closed: nothing on it can be trusted any more."""
        ...

    @property
    def wants_to_send(self) -> bool:
        """Whether `message_to_send` would return one now; most messages that come bring none."""
        ...

    def expired(self, now: float) -> bool:
        """Whether the connection takes no more requests: for its age, what came, what it holds."""
        ...

    def has_room(self, now: float) -> bool:
        """Whether it takes a request at this moment."""
        ...

    def suits(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether this conversation may be answered here, without any part of another one."""
        ...

    def continues(self, messages: Sequence[Message], config: ProviderConfig) -> bool:
        """Whether the server holds all of this conversation but its newest part."""
        ...

    def send(
        self,
        messages: Sequence[Message],
        config: ProviderConfig,
        now: float,
        tap: AnswerTap | None = None,
    ) -> OpenAnswer:
        """Ask for an answer.

        Args:
            messages: The conversation.
            config: The settings of the call.
            now: The time.
            tap: Watches how the answer comes.

        Raises:
            LocalProtocolError: If there is no room, the connection does not suit, or the API cannot
                carry what was asked.
        """
        ...

    def message_to_send(self) -> OutgoingMessage | None:
        """Return the next message to put on the wire, None if there is none now.

        Each is returned once. Ask for the next when this one is written: what still waits here can
        be withdrawn.
        """
        ...

    def receive_message(self, message: str | bytes) -> list[Delivery]:
        """Take a message.

        Args:
            message: As it came: text, or bytes if it was a binary message.

        Returns:
            Whom it concerns; see `wants_to_send` next.
        """
        ...

    def receive_failure(self, error: ProviderError) -> list[Delivery]:
        """Take the end of the connection, which every answer fails with that was asked for."""
        ...

    def abandon(self, answer: OpenAnswer) -> None:
        """Give an answer up: nothing is delivered for it any more. Call `message_to_send` next.

        A request that was not handed out is withdrawn: no more of it is, and its place is free.
        """
        ...


def in_place_of_answer(events: Events) -> Events:
    """Return the first events of an answer, an error that is all of it as what it is: a refusal."""
    match events:
        case [ProviderError() as refusal]:
            return [attrs.evolve(refusal, in_stream=False)]
        case _:
            return events


class SocketWire(Wire, Protocol):
    """A wire format that is spoken over a WebSocket.

    Its `encode` makes the message that asks for an answer, its `answer` reads messages as lines, so
    that an `Exchange` reads a recorded conversation like any other body.
    """

    def answers_at_once(self, quirks: Mapping[str, Any]) -> int:
        """Return how many answers a new connection has room for."""
        ...

    def session(
        self, endpoint: Endpoint, headers: Iterable[tuple[str, str]], now: float
    ) -> Session:
        """Begin a connection that has just been opened.

        Args:
            endpoint: Where it leads; its credential must be a `Secret` or None.
            headers: Of the response that opened it.
            now: The time on the clock that all later times are of.
        """
        ...
