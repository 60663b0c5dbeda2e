"""How an answer ends: too early, too late, or in a way that no longer matters."""

from __future__ import annotations

from tokenwire_trio.testing.responses import (
    CLOSING_HEAD,
    FINISH,
    LAST_CHUNK,
    STREAM_HEAD,
    chunk,
    text_event,
)
from tokenwire_trio.testing.scenario import ONLY_TLS, Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    ANSWER,
    BEGINNING,
    BEGUN,
    BEGUN_ANSWER,
    EVENTS,
    MARKED_ANSWER,
    TEXT,
    UNFINISHED_ANSWER,
    broken,
    malformed,
    whole,
)
from tokenwire_trio.testing.steps import (
    Again,
    CloseCleanly,
    CloseWithoutNotify,
    KeepOpen,
    Pause,
    ReadRequest,
    Repeat,
    Reset,
    Send,
    SendBelowTLS,
    Step,
)

_A_MOMENT = Pause(0.05)  # lets what was sent arrive, which a reset may overtake


def _ends(
    name: str, shows: str, *steps: Step, outcome: Outcome, over_tls: Outcome | None = None
) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=(ReadRequest(), *steps),
        outcome=outcome,
        outcome_over_tls=over_tls,
    )


def _announcing(length: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n"
    return head.encode() + body


AFTER_THE_MARKER = (
    _ends(
        "done-held-open",
        "`[DONE]` came, but neither the body nor the connection ends.",
        Send(MARKED_ANSWER),
        KeepOpen(),
        outcome=whole(),
    ),
    _ends(
        "done-held-open-without-length",
        "`[DONE]` came, the connection does not end, and a length or chunks were not announced.",
        Send(CLOSING_HEAD.replace(b"connection: close\r\n", b"") + EVENTS),
        KeepOpen(),
        outcome=whole(),
    ),
    _ends(
        "done-then-cut",
        "The connection is closed after `[DONE]`, in the middle of the chunked body.",
        Send(MARKED_ANSWER),
        CloseCleanly(),
        outcome=whole(),
    ),
    _ends(
        "done-then-reset",
        "The connection is reset after `[DONE]`.",
        Send(MARKED_ANSWER),
        _A_MOMENT,
        Reset(),
        outcome=whole(),
    ),
    _ends(
        "done-then-garbage",
        "What follows `[DONE]` in the body is no event.",
        Send(MARKED_ANSWER + chunk(b"\x00\xff garbage \n\n{") + LAST_CHUNK),
        Again(),
        outcome=whole(),
    ),
    _ends(
        "done-then-more-text",
        "Another event with text follows `[DONE]`.",
        Send(MARKED_ANSWER + chunk(text_event(" again")) + LAST_CHUNK),
        Again(),
        outcome=whole(),
    ),
    _ends(
        "done-then-bad-framing",
        "What follows `[DONE]` is no chunk.",
        Send(MARKED_ANSWER + b"no chunk at all\r\n\r\n"),
        KeepOpen(),
        outcome=whole(),
    ),
    _ends(
        "done-then-flood",
        "Data without end follow `[DONE]`.",
        Send(MARKED_ANSWER),
        Repeat(chunk(b"x" * 4096)),
        outcome=whole(),
    ),
    _ends(
        "finish-then-cut",
        "The connection is closed after the finish reason, in the middle of the chunked body.",
        Send(UNFINISHED_ANSWER + chunk(FINISH)),
        CloseCleanly(),
        outcome=whole(),
    ),
    _ends(
        "finish-then-reset",
        "The connection is reset after the finish reason.",
        Send(UNFINISHED_ANSWER + chunk(FINISH)),
        _A_MOMENT,
        Reset(),
        outcome=whole(),
    ),
    _ends(
        "finish-then-bad-framing",
        "What follows the finish reason is no chunk.",
        Send(UNFINISHED_ANSWER + chunk(FINISH) + b"no chunk at all\r\n\r\n"),
        KeepOpen(),
        outcome=whole(),
    ),
    _ends(
        "surplus-bytes",
        "Bytes follow the whole message.",
        Send(ANSWER + b"surplus"),
        KeepOpen(),
        outcome=whole(),
    ),
    _ends(
        "surplus-later",
        "Bytes follow the whole message, but not at once.",
        Send(ANSWER),
        Pause(0.01),
        Send(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"),
        Again(),
        outcome=whole(),
    ),
    _ends(
        "two-responses-at-once",
        "A second response follows, to a request that nobody made.",
        Send(ANSWER + ANSWER.replace(b"Hel", b"Bye")),
        KeepOpen(),
        outcome=whole(),
    ),
    _ends(
        "answer-without-notify",
        "The answer ends with the connection, over TLS without close_notify.",
        Send(CLOSING_HEAD + EVENTS),
        CloseWithoutNotify(),
        outcome=whole(),
    ),
)

TOO_EARLY = (
    _ends(
        "no-answer",
        "The connection is closed when the request was read.",
        CloseCleanly(),
        outcome=broken("head"),
    ),
    _ends(
        "no-answer-but-reset",
        "The connection is reset when the request was read.",
        Reset(),
        outcome=broken("head"),
    ),
    _ends(
        "cut-in-mid-head",
        "The connection is closed in the middle of the response head.",
        Send(STREAM_HEAD[:40]),
        CloseCleanly(),
        outcome=broken("head"),
    ),
    _ends(
        "cut-after-interim-response",
        "The connection is closed after 100 Continue.",
        Send(b"HTTP/1.1 100 Continue\r\n\r\n"),
        CloseCleanly(),
        outcome=broken("head"),
    ),
    _ends(
        "cut-after-head",
        "The connection is closed after the head of a chunked answer.",
        Send(STREAM_HEAD),
        CloseCleanly(),
        outcome=broken("body"),
    ),
    _ends(
        "cut-chunked-body",
        "The connection is closed in the middle of a chunked answer.",
        Send(UNFINISHED_ANSWER),
        CloseCleanly(),
        outcome=broken("body", TEXT),
    ),
    _ends(
        "cut-in-mid-chunk",
        "The connection is closed in the middle of a chunk.",
        Send(BEGUN_ANSWER + chunk(FINISH)[:-20]),
        CloseCleanly(),
        outcome=broken("body", BEGUN),
    ),
    _ends(
        "reset-in-mid-body",
        "The connection is reset in the middle of the answer.",
        Send(BEGUN_ANSWER),
        _A_MOMENT,
        Reset(),
        outcome=broken("body", BEGUN),
    ),
    _ends(
        "content-length-too-long",
        "The connection is closed before the announced length was reached.",
        Send(_announcing(10_000, BEGINNING)),
        CloseCleanly(),
        outcome=broken("body", BEGUN),
    ),
    _ends(
        "content-length-too-long-but-done",
        "The announced length is not reached, but `[DONE]` came.",
        Send(_announcing(10_000, EVENTS)),
        CloseCleanly(),
        outcome=whole(),
    ),
    _ends(
        "content-length-too-short",
        "The announced length ends in the middle of the answer.",
        Send(_announcing(len(BEGINNING), EVENTS)),
        KeepOpen(),
        outcome=malformed("truncated", BEGUN),
    ),
    _ends(
        "whole-body-of-half-an-answer",
        "The chunked body ends as it should, but without finish reason and `[DONE]`.",
        Send(UNFINISHED_ANSWER + LAST_CHUNK),
        KeepOpen(),
        outcome=malformed("truncated", TEXT),
    ),
    _ends(
        "half-an-event",
        "The body ends as it should, in the middle of an event.",
        Send(BEGUN_ANSWER + chunk(FINISH[:20]) + LAST_CHUNK),
        KeepOpen(),
        outcome=malformed("truncated", BEGUN),
    ),
    _ends(
        "closed-in-mid-answer",
        "An answer that ends with the connection ends without finish reason and `[DONE]`.",
        Send(CLOSING_HEAD + BEGINNING),
        CloseCleanly(),
        outcome=malformed("truncated", BEGUN),
    ),
    _ends(
        "closed-in-mid-answer-without-notify",
        "The same without close_notify, so that over TLS anybody may have cut it.",
        Send(CLOSING_HEAD + BEGINNING),
        CloseWithoutNotify(),
        outcome=malformed("truncated", BEGUN),
        over_tls=broken("body", BEGUN),
    ),
    _ends(
        "cut-chunked-body-without-notify",
        "A chunked answer is cut, over TLS without close_notify.",
        Send(UNFINISHED_ANSWER),
        CloseWithoutNotify(),
        outcome=broken("body", TEXT),
    ),
    Scenario(
        name="damaged-tls-record",
        shows="Somebody damages the encrypted connection in the middle of the answer.",
        steps=(
            ReadRequest(),
            Send(BEGUN_ANSWER),
            SendBelowTLS(b"\x17\x03\x03\x00\x20" + b"\x00" * 32),
            KeepOpen(),
        ),
        outcome=broken("body", BEGUN),
        over=ONLY_TLS,
    ),
    Scenario(
        name="damaged-tls-record-after-done",
        shows="Somebody damages the encrypted connection after `[DONE]`.",
        steps=(
            ReadRequest(),
            Send(MARKED_ANSWER),
            SendBelowTLS(b"\x17\x03\x03\x00\x20" + b"\x00" * 32),
            KeepOpen(),
        ),
        outcome=whole(),
        over=ONLY_TLS,
    ),
)
