"""Plays scripts to a session, and checks after each line what must hold.

A script is read a line at a time: ``ask`` asks for an answer, ``more`` goes on with the
conversation of the last one, ``leave`` abandons the oldest, ``lost`` ends the connection. Any other
line is a message from the server, a binary one if it is no UTF-8.
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
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret
from tokenwire.session import Delivery, Events, OpenAnswer, SocketWire
from tokenwire.testing.invariants import (
    check_events,
    check_hides,
    check_one_end,
    check_same_events,
    shown_by_error,
)
from tokenwire.tokens import End

_CONFIG: Final = ProviderConfig(model="some-model")
_LOST: Final = NetworkError(phase="body", message="the connection broke", retryable=True)
_ECHO: Final = b"<KEY>"


@final
@attrs.frozen
class Peer:
    """The other side of a session.

    Attributes:
        wire: The wire format.
        sends: The types of messages that it may be sent.
        quirks: Of the endpoint.
    """

    wire: SocketWire
    sends: frozenset[str]
    quirks: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


@final
class Script:
    """A script being played."""

    def __init__(self, peer: Peer, limits: Limits) -> None:
        endpoint = Endpoint(
            base_url="https://host.example/v1",
            credential=Secret(KEY),
            limits=limits,
            quirks=peer.quirks,
        )
        self._peer = peer
        self._session = peer.wire.session(endpoint, (), 0.0)
        self._limits = limits
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
            case b"lost":
                self._take(self._session.receive_failure(_LOST))
            case _:
                self._take(self._session.receive_message(_message(line)))
        for text in self._session.data_to_send():
            assert json.loads(text)["type"] in self._peer.sends
            assert "\n" not in text

    def _ask(self, messages: list[Message]) -> None:
        if self._session.has_room(0):
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


def _played(lines: list[bytes], peer: Peer, limits: Limits) -> Script:
    script = Script(peer, limits)
    for line in lines:
        script.play(line)
    return script


def check_script(data: bytes, peer: Peer) -> None:
    """Check a session with a script, within small limits and the default ones."""
    lines = data.replace(_ECHO, KEY.encode()).split(b"\n")
    _played(lines, peer, SMALL_LIMITS).check()
    script, again = _played(lines, peer, Limits()), _played(lines, peer, Limits())
    for one, other in zip(script.events.values(), again.events.values(), strict=True):
        check_same_events(one, other)
    script.check()
