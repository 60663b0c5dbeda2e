"""What a wire format promises of the answers that it reads."""

from __future__ import annotations

from typing import Any, Final

from tokenwire.completion import Completion
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError, NetworkError
from tokenwire.testing.damage import damaged
from tokenwire.testing.invariants import check_same_events
from tokenwire.testing.reading import (
    Reading,
    cuts,
    read,
    sent_exchange,
    single_bytes,
)
from tokenwire.testing.request_checks import check_signatures_return
from tokenwire.testing.samples import AnswerSample, WireSample
from tokenwire.wire.encoding import json_or_none

#: What a peer may send before it is stopped, where these limits hold.
_SMALL: Final = 32 * 1024
_SMALL_LIMITS: Final = Limits(line_bytes=_SMALL, event_bytes=_SMALL, document_bytes=_SMALL)
_BLOCK: Final = b"a" * 4096

#: Which of the damaged bodies are cut as well: all would take twice as long.
_RECUT_EVERY: Final = 5


def check_meaning(sample: WireSample, answer: AnswerSample) -> None:
    """It says what the sample says, and ends in one `End`."""
    reading = _whole(sample, answer)
    reading.check()
    assert reading.error is None, f"a whole answer is read as a failure: {reading.error!r}"
    is_ = _facts(reading.exchange.partial())
    should = _expected(answer)
    wrong = [
        f"{name} is {is_[name]!r}, not {should[name]!r}"
        for name in is_
        if is_[name] != should[name]
    ]
    assert not wrong, "; ".join(wrong)
    request_id = reading.exchange.response.request_id
    assert request_id == answer.request_id, f"the request id is {request_id!r}"


def check_cuts(sample: WireSample, answer: AnswerSample) -> None:
    """However the bytes are cut, the tokens are the same."""
    whole = _whole(sample, answer).events
    check_same_events(read(sample, single_bytes(answer.body), headers=answer.headers).events, whole)
    for cut in cuts(answer.body):
        pieces = (answer.body[:cut], answer.body[cut:])
        check_same_events(read(sample, pieces, headers=answer.headers).events, whole)


def check_half(sample: WireSample, answer: AnswerSample) -> None:
    """A body that ends early is no success, unless nothing of the answer is missing."""
    whole = _facts(_whole(sample, answer).exchange.partial())
    for cut in cuts(answer.body):
        for clean in (True, False):
            part = read(sample, [answer.body[:cut]], headers=answer.headers, clean=clean)
            part.check()
            _check_is_failure_or_whole(part, whole, clean=clean)


def _check_is_failure_or_whole(part: Reading, whole: dict[str, Any], *, clean: bool) -> None:
    if part.error is None:
        facts = _facts(part.exchange.partial())
        # Counts may come behind the marker that ends an answer.
        missing = [name for name in whole if name != "usage" and facts[name] != whole[name]]
        assert not missing, (
            f"half an answer ends in an End, although its {', '.join(missing)} is not all there:"
            " wait for the API's terminal marker, and raise `truncated_error` without one"
        )
    else:
        wanted = MalformedResponseError if clean else NetworkError
        assert isinstance(part.error, wanted), (
            f"half an answer is {part.error!r}, not a {wanted.__name__}"
        )


def check_broken_connection(sample: WireSample, answer: AnswerSample) -> None:
    """A connection that breaks behind the terminal marker takes nothing from the answer."""
    exchange, _ = sent_exchange(sample)
    events = exchange.receive_head(200, answer.headers.items())
    events += exchange.receive_data(answer.body)
    assert exchange.complete, (
        "the whole answer has come, and is not complete: Answer.complete is true from the terminal"
        " marker on"
    )
    events += exchange.receive_eof(clean=False)
    check_same_events(events, _whole(sample, answer).events)


def check_repeated(sample: WireSample, answer: AnswerSample) -> None:
    """Whatever comes behind the end, there is one end."""
    for behind in (answer.body, b"\n", b"\n\n\x00<html>"):
        read(sample, [answer.body + behind], headers=answer.headers).check()
        read(sample, [answer.body, behind], headers=answer.headers).check()


def check_independence(sample: WireSample, answer: AnswerSample) -> None:
    """Two answers that are read at the same time do not mix: a wire format has no state."""
    (one, _), (other, _) = sent_exchange(sample), sent_exchange(sample)
    of_one = one.receive_head(200, answer.headers.items())
    of_other = other.receive_head(200, answer.headers.items())
    for byte in single_bytes(answer.body):
        of_one += one.receive_data(byte)
        of_other += other.receive_data(byte)
    whole = _whole(sample, answer).events
    check_same_events(of_one + one.receive_eof(clean=True), whole)
    check_same_events(of_other + other.receive_eof(clean=True), whole)


def check_damage(sample: WireSample, answer: AnswerSample) -> None:
    """A damaged answer ends in one well-formed event, however it is cut, and raises nothing."""
    for number, body in enumerate(damaged(answer.body)):
        reading = read(sample, [body], headers=answer.headers)
        reading.check()
        if number % _RECUT_EVERY == 0:
            middle = len(body) // 2
            halves = read(sample, [body[:middle], body[middle:]], headers=answer.headers)
            check_same_events(halves.events, reading.events)


def check_limits(sample: WireSample, answer: AnswerSample) -> None:
    """An answer that never ends is stopped at a limit of the endpoint, which the error names."""
    exchange, _ = sent_exchange(sample, _SMALL_LIMITS)
    events = exchange.receive_head(200, answer.headers.items())
    events += exchange.receive_data(answer.body[: len(answer.body) // 2])
    for _ in range(2 * _SMALL // len(_BLOCK)):
        events += exchange.receive_data(_BLOCK)
    last = events[-1] if events else None
    assert isinstance(last, MalformedResponseError), (
        "a line without end is kept in memory: use EventStreamAnswer or NDJSONAnswer"
    )
    assert last.reason == "limit", f"a line without end is {last!r}, not a limit"


def check_signatures(sample: WireSample, answer: AnswerSample) -> None:
    """What the API wants back goes back."""
    message = _whole(sample, answer).exchange.partial().message
    check_signatures_return(sample, answer, message)


def _whole(sample: WireSample, answer: AnswerSample) -> Reading:
    return read(sample, [answer.body], headers=answer.headers)


def _facts(completion: Completion) -> dict[str, Any]:
    """Say what an answer amounts to, in the words of `AnswerSample`."""
    return {
        "text": completion.text,
        "reasoning": completion.reasoning,
        "refusal": completion.refusal,
        "tool_calls": tuple(
            (call.name, json_or_none(call.arguments or "{}")) for call in completion.tool_calls
        ),
        "finish": completion.finish,
        "raw_finish": completion.end.raw_finish if completion.end else None,
        "usage": completion.usage,
    }


def _expected(answer: AnswerSample) -> dict[str, Any]:
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "refusal": answer.refusal,
        "tool_calls": answer.tool_calls,
        "finish": answer.finish,
        "raw_finish": answer.raw_finish,
        "usage": answer.usage,
    }
