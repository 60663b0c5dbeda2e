"""Slow in every way: what only a deadline ends. Each by the name of its deadline."""

from __future__ import annotations

from tokenwire.errors import DeadlineName
from tokenwire_trio.testing.responses import (
    COMMENT,
    DONE,
    FINISH,
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    text_event,
)
from tokenwire_trio.testing.scenario import Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    BEGUN,
    BEGUN_ANSWER,
    REST,
    UNFINISHED_ANSWER,
    late,
    other,
    whole,
)
from tokenwire_trio.testing.steps import (
    Drip,
    Hang,
    KeepOpen,
    ReadRequest,
    ReadRequestHead,
    Repeat,
    Send,
    Step,
)


def _stalls(
    name: str, shows: str, deadline: DeadlineName, *steps: Step, outcome: Outcome
) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=(ReadRequest(), *steps),
        outcome=outcome,
        deadline=deadline,
    )


_ENDLESS_HEAD = STREAM_HEAD[:-2] + b"x-name: value\r\n" * 500

SCENARIOS = (
    Scenario(
        name="request-not-read",
        shows="The server reads the request's head, and no more.",
        steps=(ReadRequestHead(), Hang()),
        outcome=late("send", "send", sent="partly"),
        deadline="send",
        large_request=True,
    ),
    _stalls(
        "stall-before-head",
        "The server reads the request and says nothing.",
        "first_byte",
        KeepOpen(),
        outcome=late("first_byte", "head"),
    ),
    _stalls(
        "stall-after-interim-response",
        "100 Continue comes, and nothing after it.",
        "first_byte",
        Send(b"HTTP/1.1 100 Continue\r\n\r\n"),
        KeepOpen(),
        outcome=late("first_byte", "head"),
    ),
    _stalls(
        "stall-in-mid-head",
        "Half a response head comes.",
        "first_byte",
        Send(STREAM_HEAD[:40]),
        KeepOpen(),
        outcome=late("first_byte", "head"),
    ),
    _stalls(
        "dripping-head",
        "The response head comes a byte a second.",
        "first_byte",
        Drip(_ENDLESS_HEAD),
        KeepOpen(),
        outcome=late("first_byte", "head"),
    ),
    _stalls(
        "dripping-interim-responses",
        "An interim response comes every second.",
        "first_byte",
        Drip(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9),
        KeepOpen(),
        outcome=late("first_byte", "head"),
    ),
    _stalls(
        "stall-after-head",
        "The head comes, and nothing after it.",
        "first_token",
        Send(STREAM_HEAD),
        KeepOpen(),
        outcome=late("first_token", "body"),
    ),
    _stalls(
        "comments-before-the-first-token",
        "Keep-alive comments come every second, and no token.",
        "first_token",
        Send(STREAM_HEAD),
        Repeat(chunk(COMMENT), 1),
        outcome=late("first_token", "body"),
    ),
    _stalls(
        "stall-between-tokens",
        "A token comes, and nothing after it.",
        "gap",
        Send(BEGUN_ANSWER),
        KeepOpen(),
        outcome=late("gap", "body", BEGUN),
    ),
    _stalls(
        "stall-in-mid-token",
        "A token comes, and half of the next one.",
        "gap",
        Send(BEGUN_ANSWER + chunk(REST)[:20]),
        KeepOpen(),
        outcome=late("gap", "body", BEGUN),
    ),
    _stalls(
        "dripping-token",
        "A token comes, and the next one a byte a second.",
        "gap",
        Send(BEGUN_ANSWER),
        Drip(chunk(REST) * 9),
        KeepOpen(),
        outcome=late("gap", "body", BEGUN),
    ),
    _stalls(
        "comments-between-tokens",
        "A token comes, and then only keep-alive comments, every second.",
        "gap",
        Send(BEGUN_ANSWER),
        Repeat(chunk(COMMENT), 1),
        outcome=late("gap", "body", BEGUN),
    ),
    _stalls(
        "empty-events-between-tokens",
        "A token comes, and then only events that say nothing.",
        "gap",
        Send(BEGUN_ANSWER),
        Repeat(chunk(text_event("")), 1),
        outcome=late("gap", "body", BEGUN),
    ),
    _stalls(
        "dripping-tokens",
        "A token comes every second, without end.",
        "total",
        Send(STREAM_HEAD),
        Repeat(chunk(text_event("a")), 1),
        outcome=late("total", "body", None),
    ),
    _stalls(
        "finish-then-stall",
        "The finish reason comes, and nothing after it.",
        "gap",
        Send(UNFINISHED_ANSWER + chunk(FINISH)),
        KeepOpen(),
        outcome=whole(),
    ),
    _stalls(
        "finish-then-comments",
        "The finish reason comes, and then only keep-alive comments.",
        "gap",
        Send(UNFINISHED_ANSWER + chunk(FINISH)),
        Repeat(chunk(COMMENT), 1),
        outcome=whole(),
    ),
    _stalls(
        "dripping-done-marker",
        "The finish reason comes, and `[DONE]` a byte a second.",
        "gap",
        Send(UNFINISHED_ANSWER + chunk(FINISH)),
        Drip(chunk(DONE) + LAST_CHUNK),
        KeepOpen(),
        outcome=whole(),
    ),
    _stalls(
        "stall-in-a-refusal",
        "A refusal's head comes, and its body does not.",
        "total",
        Send(b"HTTP/1.1 500 No\r\ncontent-length: 100\r\n\r\n"),
        KeepOpen(),
        outcome=other("server", 500),
    ),
    _stalls(
        "dripping-refusal",
        "A refusal's body comes a byte a second.",
        "total",
        Send(b"HTTP/1.1 503 No\r\ncontent-length: 100\r\n\r\n"),
        Drip(b"x" * 100),
        KeepOpen(),
        outcome=other("overloaded", 503),
    ),
)
