"""Refusals: by status, in every shape, and before the request was read."""

from __future__ import annotations

from tokenwire_trio.testing.responses import refusal, response
from tokenwire_trio.testing.scenario import Outcome, Scenario
from tokenwire_trio.testing.scenarios.outcomes import (
    ANSWER,
    broken,
    limited,
    malformed,
    not_authorized,
    other,
    whole,
)
from tokenwire_trio.testing.steps import (
    Again,
    CloseCleanly,
    EndingStep,
    Hang,
    KeepOpen,
    Pause,
    ReadRequest,
    ReadRequestHead,
    Reset,
    Send,
    Step,
)

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def _refuses(
    name: str, shows: str, data: bytes, outcome: Outcome, end: EndingStep | None = None
) -> Scenario:
    return Scenario(
        name=name,
        shows=shows,
        steps=(ReadRequest(), Send(data), end or Again()),
        outcome=outcome,
    )


BY_STATUS = (
    _refuses(
        "bad-request",
        "400 with a reason.",
        refusal(400, "Unknown parameter"),
        other("rejected", 400),
    ),
    _refuses(
        "bad-key",
        "401 with a reason.",
        refusal(401, "Incorrect API key", code="invalid_api_key"),
        not_authorized(),
    ),
    _refuses("no-credit", "402.", refusal(402, "Insufficient credit"), limited(402, scope="quota")),
    _refuses("forbidden", "403.", refusal(403, "Not from your country"), not_authorized(403)),
    _refuses(
        "not-found",
        "404 as HTML: the path is wrong.",
        response(404, b"<h1>Not Found</h1>", content_type="text/html"),
        other("not_found", 404),
    ),
    _refuses(
        "too-many-requests",
        "429 with Retry-After in seconds.",
        refusal(429, "Slow down", headers="retry-after: 7\r\n"),
        limited(429, after=7),
    ),
    _refuses(
        "too-many-requests-ms",
        "429 with retry-after-ms.",
        refusal(429, "Slow down", headers="retry-after-ms: 1500\r\nretry-after: 7\r\n"),
        limited(429, after=1.5),
    ),
    _refuses(
        "quota-used-up",
        "429 for a quota that waiting does not refill.",
        refusal(429, "Quota exceeded", code="insufficient_quota"),
        limited(429, scope="quota"),
    ),
    _refuses("server-error", "500 with an empty body.", response(500, b""), other("server", 500)),
    _refuses(
        "bad-gateway",
        "502 as a proxy's page.",
        response(502, _PAGE, content_type="text/html"),
        other("server", 502),
    ),
    _refuses("unavailable", "503.", refusal(503, "Loading model"), other("overloaded", 503)),
    _refuses(
        "gateway-timeout",
        "504 as a proxy's page.",
        response(504, _PAGE, content_type="text/html"),
        other("timeout", 504),
    ),
    _refuses(
        "overloaded",
        "529, which no standard knows.",
        refusal(529, "Overloaded"),
        other("overloaded", 529),
    ),
    _refuses(
        "status-out-of-range",
        "A status that means nothing.",
        refusal(999, "Denied"),
        other("server", 999),
    ),
    _refuses(
        "redirect",
        "307 to another place.",
        response(307, b"", headers="location: https://elsewhere.example/v1\r\n"),
        other("redirect", 307),
    ),
    _refuses(
        "redirect-to-nowhere", "302 without a Location.", response(302, b""), other("redirect", 302)
    ),
    _refuses(
        "not-modified",
        "304, which answers a question that was not asked.",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        other("redirect", 304),
    ),
    _refuses(
        "cut-refusal",
        "The body of a refusal is cut.",
        b"HTTP/1.1 500 No\r\ncontent-length: 100\r\n\r\nhalf of it",
        other("server", 500),
        CloseCleanly(),
    ),
    _refuses(
        "reset-refusal",
        "The connection is reset within the body of a refusal.",
        b"HTTP/1.1 401 No\r\ncontent-length: 100\r\n\r\nhalf of it",
        not_authorized(),
        Reset(),
    ),
    _refuses(
        "refusal-in-bad-chunks",
        "The body of a refusal is no chunk.",
        b"HTTP/1.1 429 No\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n\r\n",
        limited(429),
        KeepOpen(),
    ),
    _refuses(
        "compressed-refusal",
        "The body of a refusal is compressed.",
        response(503, b"\x1f\x8b\x08\x00", headers="content-encoding: gzip\r\n"),
        malformed("content_encoding", status=503),
    ),
)


def _early(name: str, shows: str, *steps: Step, outcome: Outcome) -> Scenario:
    return Scenario(name=name, shows=shows, steps=steps, outcome=outcome, large_request=True)


_TOO_LARGE = refusal(413, "Too large", headers="connection: close\r\n")

TOO_SOON = (
    _early(
        "refusal-before-the-body",
        "401 comes when the head was read, and the server reads no further.",
        ReadRequestHead(),
        Send(refusal(401, "Incorrect API key")),
        Hang(),
        outcome=not_authorized(sent="partly"),
    ),
    _early(
        "too-large",
        "413 comes when the head was read, and the connection is closed.",
        ReadRequestHead(),
        Send(_TOO_LARGE),
        Pause(0.05),
        CloseCleanly(),
        outcome=other("rejected", 413, sent="partly"),
    ),
    _early(
        "too-large-then-reset",
        "413 comes when the head was read, and the connection is reset.",
        ReadRequestHead(),
        Send(_TOO_LARGE),
        Pause(0.05),
        Reset(),
        outcome=other("rejected", 413, sent="partly"),
    ),
    _early(
        "answer-before-the-body",
        "A whole answer comes before the request was read, which then is read.",
        ReadRequestHead(),
        Send(ANSWER),
        Pause(0.01),
        Again(),
        outcome=whole(),
    ),
    _early(
        "closed-while-sending",
        "The connection is closed when the head was read.",
        ReadRequestHead(),
        CloseCleanly(),
        outcome=broken("send", sent="partly"),
    ),
    _early(
        "reset-while-sending",
        "The connection is reset when the head was read.",
        ReadRequestHead(),
        Reset(),
        outcome=broken("send", sent="partly"),
    ),
)
