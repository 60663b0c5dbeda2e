"""Plays scripts to a session, and checks after each line what must hold.

A script is read a line at a time: ``ask`` asks for an answer, ``more`` goes on with the
conversation of the last one, ``leave`` abandons the oldest, ``write`` puts a message on the wire,
``lost`` ends the connection. Any other line is a message from the server, a binary one if it is no
UTF-8, and comes when all is on the wire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from fuzz.exchanges import KEY, SMALL_LIMITS
from fuzz.invariants import check_memory
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import NetworkError, ProviderError
from tokenwire.exchange import Events
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.session import Delivery, OpenAnswer, SocketWire
from tokenwire.testing.invariants import (
    check_events,
    check_hides,
    check_one_end,
    shown_by_error,
)
from tokenwire.tokens import End

_CONFIG: Final = ProviderConfig(model="some-model")
_LOST: Final = NetworkError(phase="body", message="the connection broke", retryable=True)
_ECHO: Final = b"<KEY>"


def _endpoints(peer: Peer) -> tuple[Endpoint, ...]:
    """Make endpoints once: to check their settings takes longer than a short script."""
    return tuple(
        Endpoint(
            base_url="https://host.example/v1",
            credential=Secret(KEY),
            limits=limits,
            quirks=peer.quirks,
        )
        for limits in (SMALL_LIMITS, Limits())
    )


@final
@attrs.frozen
class Peer:
    """The other side of a session.

    Attributes:
        wire: The wire format.
        sends: The types of messages that it may be sent.
        quirks: Of the endpoint.
        endpoints: Where a session leads: within small limits, and within the default ones.
    """

    wire: SocketWire
    sends: frozenset[str]
    quirks: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    endpoints: tuple[Endpoint, ...] = attrs.field(
        init=False, default=attrs.Factory(_endpoints, takes_self=True)
    )


@final
class Script:
    """A script being played."""

    def __init__(self, peer: Peer, endpoint: Endpoint) -> None:
        self._peer = peer
        self._session = peer.wire.session(endpoint, (), 0.0)
        self._limits = endpoint.limits
        self._conversation: list[Message] = [Message.user("Hello")]
        self._open: list[OpenAnswer] = []
        self.events: dict[OpenAnswer, Events] = {}

    def play(self, line: bytes) -> None:
        """Do what a line says."""
        match line:
            case b"ask":
                self._ask([Message.user("Hello")])
            case b"more":
                self._ask(self._conversation)
            case b"leave" if self._open:
                self._session.abandon(self._open.pop(0))
            case b"write":
                self._write()
            case b"lost":
                self._take(self._session.receive_failure(_LOST))
            case _:
                while self._write():
                    pass
                self._take(self._session.receive_message(_message(line)))

    def _write(self) -> bool:
        message = self._session.message_to_send()
        if message is None:
            return False
        assert json.loads(message.text)["type"] in self._peer.sends
        assert "\n" not in message.text
        if message.asks_for is not None:
            assert message.asks_for in self._open, "what nobody waits for was asked for"
        return True

    def _ask(self, messages: list[Message]) -> None:
        if self._session.has_room(0) and self._session.suits(messages, _CONFIG):
            answer = self._session.send(messages, _CONFIG, 0)
            assert answer not in self.events
            self.events[answer] = []
            self._open.append(answer)

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            answer = delivery.answer
            assert answer in self._open, "what nobody waits for was delivered"
            assert not (delivery.elsewhere and delivery.events)
            self.events[answer] += delivery.events
            if delivery.elsewhere:
                assert not self.events[answer]
            last = delivery.events[-1] if delivery.events else None
            if delivery.elsewhere or isinstance(last, End | ProviderError):
                self._open.remove(answer)
            if isinstance(last, End):
                self._go_on(answer)

    def _go_on(self, answer: OpenAnswer) -> None:
        completion = answer.exchange.partial()
        if completion.first.parts:
            self._conversation = [Message.user("Hello"), completion.message, Message.user("More")]

    def check(self) -> None:
        """Check all that came, and that the end of the connection ends every answer."""
        self._take(self._session.receive_failure(_LOST))
        assert not self._open
        assert self._session.idle
        for answer, events in self.events.items():
            check_events(events)
            check_memory(answer.exchange, self._limits)
            if events and isinstance(events[-1], End | ProviderError):
                check_one_end(events)
            for event in events:
                if isinstance(event, ProviderError):
                    check_hides(shown_by_error(event), KEY)


def _message(line: bytes) -> str | bytes:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line


def check_script(data: bytes, peer: Peer) -> None:
    """Check a session with a script, within small limits and the default ones."""
    lines = data.replace(_ECHO, KEY.encode()).split(b"\n")
    for endpoint in peer.endpoints:
        script = Script(peer, endpoint)
        for line in lines:
            script.play(line)
        script.check()
