"""Exchanges brought to where a test begins, and what came out of them."""

from collections.abc import Sequence
from typing import Any

from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import ProviderError
from tokenwire.exchange import Events, Exchange
from tokenwire.messages import Message
from tokenwire.tokens import Token
from tokenwire.wire.openai_chat import OpenAIChat

URL = "https://host.example/v1"


def exchange(**settings: Any) -> Exchange:
    """Return an exchange whose endpoint has these settings."""
    given: dict[str, Any] = {"base_url": URL, **settings}
    return Exchange(OpenAIChat(), Endpoint(**given))


def sent(**settings: Any) -> Exchange:
    """Return one whose request is on its way."""
    made = exchange(**settings)
    made.send([Message.user("Hi")])
    return made


def streaming(**settings: Any) -> Exchange:
    """Return one whose response has begun with success."""
    made = sent(**settings)
    assert made.receive_head(200, [("content-type", "text/event-stream")]) == []
    return made


def read(body: bytes, *, limits: Limits | None = None) -> Events:
    """Return the events of a whole body, having checked that single bytes give the same."""
    at_once = _events(limits, [body])
    by_bytes = _events(limits, [body[n : n + 1] for n in range(len(body))])
    assert comparable(by_bytes) == comparable(at_once)
    return at_once


def _events(limits: Limits | None, pieces: Sequence[bytes]) -> Events:
    made = streaming(limits=limits or Limits())
    events = [event for piece in pieces for event in made.receive_data(piece)]
    return events + made.receive_eof(clean=True)


def comparable(events: Sequence[Token | ProviderError]) -> list[object]:
    """Return events with facts in place of errors, which compare by identity."""
    return [event.facts() if isinstance(event, ProviderError) else event for event in events]


def failure_of(events: Sequence[Token | ProviderError]) -> ProviderError:
    """Return the error at the end of events, which must be the only one."""
    *tokens, error = events
    assert isinstance(error, ProviderError)
    assert not any(isinstance(token, ProviderError) for token in tokens)
    return error
