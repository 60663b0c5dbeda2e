"""Short ways to say what a client should make of a scenario."""

from __future__ import annotations

from tokenwire.errors import DeadlineName, MalformedReason, OtherKind, Phase, RateLimitScope, Sent
from tokenwire_trio.testing.responses import (
    DONE,
    FINISH,
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    text_event,
)
from tokenwire_trio.testing.scenario import Outcome

#: The text of most answers, and its first part.
TEXT = "Hello"
BEGUN = "Hel"

BEGINNING = text_event("Hel")
REST = text_event("lo")
EVENTS = BEGINNING + REST + FINISH + DONE

#: The beginning of a chunked answer, up to its first token.
BEGUN_ANSWER = STREAM_HEAD + chunk(BEGINNING)
#: All of its text, without a word on whether that is all.
UNFINISHED_ANSWER = BEGUN_ANSWER + chunk(REST)
#: Up to its end marker, without the end of the chunked body.
MARKED_ANSWER = UNFINISHED_ANSWER + chunk(FINISH) + chunk(DONE)
#: The whole of it.
ANSWER = MARKED_ANSWER + LAST_CHUNK


def whole(text: str = TEXT) -> Outcome:
    """Say that the answer is whole."""
    return Outcome(text=text)


def broken(phase: Phase, text: str = "", *, sent: Sent = "all") -> Outcome:
    """Say that the connection broke."""
    status = 200 if phase == "body" else None
    return Outcome(error="network", phase=phase, text=text, status=status, sent=sent)


def late(
    deadline: DeadlineName, phase: Phase, text: str | None = "", *, sent: Sent = "all"
) -> Outcome:
    """Say that a deadline ran out."""
    status = 200 if phase == "body" else None
    return Outcome(
        error="network", timeout=deadline, phase=phase, text=text, status=status, sent=sent
    )


def malformed(reason: MalformedReason, text: str = "", *, status: int | None = 200) -> Outcome:
    """Say that what came is no answer."""
    return Outcome(error="malformed", reason=reason, text=text, status=status, sent="all")


def no_http(sent: Sent = "all") -> Outcome:
    """Say that what came is no HTTP/1.1."""
    return Outcome(error="malformed", reason="framing", sent=sent)


def not_authorized(status: int = 401, *, sent: Sent = "all") -> Outcome:
    """Say that the credential was refused."""
    return Outcome(error="auth", status=status, sent=sent)


def limited(
    status: int, text: str = "", *, scope: RateLimitScope = "requests", after: float | None = None
) -> Outcome:
    """Say that there were too many requests, or a quota is used up."""
    return Outcome(
        error="rate_limit", scope=scope, status=status, text=text, retry_after=after, sent="all"
    )


def other(kind: OtherKind, status: int, text: str = "", *, sent: Sent = "all") -> Outcome:
    """Say that the provider reported another failure."""
    return Outcome(error="other", kind=kind, status=status, text=text, sent=sent)
