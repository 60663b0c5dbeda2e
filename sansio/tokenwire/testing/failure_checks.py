"""What a wire format promises of failures: one of five kinds, whatever a server sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokenwire.errors import AuthError, OtherError, ProviderError, RateLimitError
from tokenwire.testing.damage import damaged, with_strings
from tokenwire.testing.invariants import check_hides, check_same_events, shown_by
from tokenwire.testing.reading import KEY, PROMPT, Reading, cuts, read, single_bytes
from tokenwire.testing.samples import FailureSample, WireSample

#: Bodies that are no answer of any API.
_NO_ANSWERS: Final = (
    b"",
    b"\n\n",
    b"<!doctype html><title>502 Bad Gateway</title>",
    b"upstream connect error",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b'{"error":null}',
    b'{"error":{}}',
    b"data: {}\n\n",
    b"event: x\n\n",
    b": comment\n\n",
    b"\xff\xfe\x00",
    b"[" * 3_000,
)

_SERVER_STATUSES: Final = (500, 502, 503, 504, 529, 599)
_STATUSES: Final = (
    *(300, 302, 304, 400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 499),
    *_SERVER_STATUSES,
)

#: Values that no header should have.
_ODD_VALUES: Final = ("", "x", "-1", "nan", "9" * 400, "1970-01-01", "\x00", "é")


def check_kind(sample: WireSample, failure: FailureSample) -> None:
    """It is the error that the sample says, however its bytes are cut."""
    reading = _read(sample, failure, failure.body)
    reading.check()
    error = reading.error
    assert error is not None, "a failure is read as a whole answer: look for errors first"
    assert type(error) is failure.error, f"{error!r} is no {failure.error.__name__}"
    for name, value in failure.facts.items():
        is_ = getattr(error, name)
        assert is_ == value, f"{name} is {is_!r}, not {value!r}"
    for pieces in (single_bytes(failure.body), *_halves(failure.body)):
        again = read(sample, pieces, status=failure.status, headers=failure.headers)
        check_same_events(again.events, reading.events)


def check_damage(sample: WireSample, failure: FailureSample) -> None:
    """A damaged failure raises nothing, and is well formed."""
    for body in damaged(failure.body):
        _read(sample, failure, body).check()


def check_secrets(sample: WireSample, failure: FailureSample) -> None:
    """A server that repeats the key does not make it show, and nobody repeats the prompt."""
    headers = dict.fromkeys(failure.headers, KEY)
    for body in (f"bad key {KEY}".encode(), *with_strings(failure.body, f"bad key {KEY}")):
        reading = read(sample, [body], status=failure.status, headers=headers)
        shown = list(shown_by(reading.exchange, reading.request, reading.events))
        check_hides(shown, KEY)
        assert not any(PROMPT in text for text in shown), (
            "the prompt shows in an error: a wire format keeps nothing of a conversation"
        )


def check_statuses(sample: WireSample) -> None:
    """Every status of failure is one of the five kinds, whatever the body says or does not say."""
    bodies = (*_NO_ANSWERS, *(failure.body for failure in sample.failures))
    pairs = [(status, body) for status in _STATUSES for body in bodies[:3]]
    pairs += [(status, body) for status in (400, 502) for body in bodies]
    for status, body in pairs:
        reading = read(sample, [body], status=status)
        reading.check()
        assert isinstance(reading.error, ProviderError)
        assert reading.error.status == status, f"the error of status {status} does not tell it"


def check_plain_statuses(sample: WireSample) -> None:
    """A status that comes with no explanation is what it means in HTTP."""
    wanted: dict[int, type[ProviderError]] = dict.fromkeys(_SERVER_STATUSES, OtherError)
    wanted |= {401: AuthError, 429: RateLimitError}
    for status, kind in wanted.items():
        error = read(sample, [], status=status).error
        assert error is not None
        assert type(error) is kind, (
            f"status {status} without a body is {error!r}, not {kind.__name__}: use"
            " `failure_by_status`"
        )
        assert error.retryable is (kind is not AuthError), (
            f"retryable is wrong for status {status}: use `failure_by_status`"
        )


def check_no_answers(sample: WireSample) -> None:
    """A success that brings no answer is a failure."""
    for body in _NO_ANSWERS:
        for clean in (True, False):
            reading = read(sample, [body], clean=clean)
            reading.check()
            assert reading.error is not None, f"the body {body[:40]!r} is read as a whole answer"


def check_odd_headers(sample: WireSample) -> None:
    """No header raises anything, whatever its value."""
    given = [each.headers for each in sample.answers] + [each.headers for each in sample.failures]
    names = {"x-request-id", "retry-after"}.union(*given)
    for value in _ODD_VALUES:
        headers = dict.fromkeys(sorted(names), value)
        for status in (200, 400, 429):
            read(sample, [], status=status, headers=headers).check()


def _read(sample: WireSample, failure: FailureSample, body: bytes) -> Reading:
    return read(sample, [body], status=failure.status, headers=failure.headers)


def _halves(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((body[:cut], body[cut:]) for cut in cuts(body))
