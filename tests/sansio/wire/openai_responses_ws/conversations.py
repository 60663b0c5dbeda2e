"""Speaks the server's part over a socket, and the caller's."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.sansio.wire.socket_peers import CONFIG, HELLO, received
from tokenwire.endpoint import Endpoint
from tokenwire.messages import Message
from tokenwire.wire.openai_responses_ws import OpenAIResponsesSocket, ResponsesSession
from tokenwire.wire.openai_responses_ws.lanes import LaneAnswer

NOT_HELD: Final = "previous_response_not_found"


def new_session(headers: tuple[tuple[str, str], ...] = (), **endpoint: Any) -> ResponsesSession:
    """Return the session of a connection that was opened at time 0."""
    leads_to = Endpoint(base_url="https://host.example/v1", **endpoint)
    return OpenAIResponsesSocket().session(leads_to, headers, 0.0)


def message(kind: str, lane: str | None = None, **members: Any) -> str:
    """Write a message of the server's."""
    named = {} if lane is None else {"stream_id": lane}
    return json.dumps({"type": kind, **members, **named})


def created(response_id: str, lane: str | None = None) -> str:
    """Begin a response."""
    return message("response.created", lane, response={"id": response_id})


def delta(text: str, lane: str | None = None) -> str:
    """Bring a piece of text."""
    return message("response.output_text.delta", lane, delta=text)


def completed(response_id: str, lane: str | None = None) -> str:
    """End a response."""
    response = {"id": response_id, "status": "completed"}
    return message("response.completed", lane, response=response)


def nested_error(code: str, lane: str | None = None, status: int = 400, **members: Any) -> str:
    """Report an error in the reference's shape."""
    error = {"type": "invalid_request_error", "code": code, "message": "No.", **members}
    return message("error", lane, status=status, error=error)


def flat_error(code: str) -> str:
    """Report an error in the shape of event streams."""
    return message("error", code=code, message="No.", param=None, sequence_number=1)


def asked(session: ResponsesSession, *messages: Message, now: float = 0.0) -> LaneAnswer:
    """Ask for an answer."""
    return session.send(messages or HELLO, CONFIG, now)


def answered(session: ResponsesSession, answer: LaneAnswer, response_id: str) -> Message:
    """Let an answer come whole, and return it as a message."""
    lane = answer.lane.name
    received(session, created(response_id, lane), delta("Hi.", lane), completed(response_id, lane))
    return answer.exchange.partial().message
