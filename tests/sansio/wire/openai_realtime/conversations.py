"""Speaks the server's part over a socket, and the caller's."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.sansio.wire.socket_peers import CONFIG, HELLO, JSON, received
from tests.sansio.wire.socket_peers import sent as written
from tokenwire.endpoint import Endpoint
from tokenwire.messages import Message
from tokenwire.wire.openai_realtime import OpenAIRealtime, RealtimeSession
from tokenwire.wire.openai_realtime.answers import RealtimeAnswer

OUT_OF_BAND: Final = {"out_of_band": True}


def new_session(headers: tuple[tuple[str, str], ...] = (), **endpoint: Any) -> RealtimeSession:
    """Return the session of a connection that was opened at time 0."""
    leads_to = Endpoint(base_url="https://host.example/v1", **endpoint)
    return OpenAIRealtime().session(leads_to, headers, 0.0)


def event(kind: str, **members: Any) -> str:
    """Write an event of the server's."""
    return json.dumps({"type": kind, "event_id": "event_1", **members})


def created(response_id: str | None, answer: str | None = None) -> str:
    """Begin a response, and say to which request unless the server repeats no metadata."""
    metadata = {"tokenwire": answer} if answer is not None else None
    return event("response.created", response={"id": response_id, "metadata": metadata})


def delta(response_id: str, text: str) -> str:
    """Bring a piece of text."""
    return event("response.output_text.delta", response_id=response_id, delta=text)


def done(response_id: str, status: str = "completed", **members: Any) -> str:
    """End a response."""
    return event("response.done", response={"id": response_id, "status": status, **members})


def item(item_id: str, kind: str = "conversation.item.added") -> str:
    """Tell of an item in the conversation."""
    return event(kind, item={"id": item_id, "type": "message"})


def failure(code: str, about: str | None = None) -> str:
    """Report an error, and which event it is about if the server knows."""
    error = {"type": "invalid_request_error", "code": code, "message": "No.", "event_id": about}
    return event("error", error=error)


def asked(session: RealtimeSession, *messages: Message, now: float = 0.0) -> RealtimeAnswer:
    """Ask for an answer."""
    return session.send(messages or HELLO, CONFIG, now)


def sent(session: RealtimeSession) -> list[JSON]:
    """Return what is on the wire since this was asked for last, without what opens a connection."""
    return [each for each in written(session) if each["type"] != "session.update"]


def answered(session: RealtimeSession, answer: RealtimeAnswer, response_id: str) -> Message:
    """Let an answer come whole, and return it as a message."""
    received(
        session,
        created(response_id, answer.name),
        item(f"item-of-{response_id}"),
        delta(response_id, "Hi."),
        done(response_id),
    )
    return answer.exchange.partial().message
