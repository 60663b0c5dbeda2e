"""What both ends of a socket do in tests of any session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from tokenwire.exchange import Events
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.session import Delivery, OpenAnswer, Session

JSON: TypeAlias = dict[str, Any]

CONFIG: Final = ProviderConfig(model="some-model")
HELLO: Final = (Message.user("Hello"),)

_written: Final[WeakKeyDictionary[Session, list[str]]] = WeakKeyDictionary()


def write(session: Session) -> None:
    """Put on the wire what waits for it."""
    messages = iter(session.message_to_send, None)
    _written.setdefault(session, []).extend(message.text for message in messages)


def sent(session: Session) -> list[JSON]:
    """Return what is on the wire since this was asked for last."""
    write(session)
    return [json.loads(text) for text in _written.pop(session)]


def received(session: Session, *texts: str | bytes) -> list[Delivery]:
    """Let messages come, each when all that waits before it is on the wire."""
    return list(_received(session, texts))


def _received(session: Session, texts: tuple[str | bytes, ...]) -> Iterator[Delivery]:
    for text in texts:
        write(session)
        yield from session.receive_message(text)


def events_of(answer: OpenAnswer, deliveries: list[Delivery]) -> Events:
    """Return what was delivered for an answer."""
    return [event for each in deliveries if each.answer is answer for event in each.events]
