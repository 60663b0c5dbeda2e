"""Properties of an exchange with a response of any head, body and end."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fuzz.exchanges import KEY, SMALL_LIMITS, Ending, Response, outcome_of, parse_response
from fuzz.invariants import check_nothing_leaks, check_outcome, check_same_events, key_parts
from tests.answer_streams import ANSWER_STREAMS
from tests.answer_streams.failures import OTHER_BODIES
from tests.strategies import chunkings, few_examples, headers, mutated, statuses
from tokenwire.wire import WIRE_KINDS

_ENDINGS: tuple[Ending, ...] = ("clean", "cut", "failure")


def _bodies(wire: str) -> SearchStrategy[bytes]:
    others = st.sampled_from([body for body, _ in OTHER_BODIES[wire]])
    answers = ANSWER_STREAMS[wire].map(lambda stream: stream.body)
    return st.binary(max_size=200) | others | mutated(others) | mutated(answers)


def _responses(wire: str) -> SearchStrategy[Response]:
    return st.builds(
        Response, _bodies(wire), statuses, headers, st.sampled_from(_ENDINGS), st.just(wire)
    )


responses = st.sampled_from(WIRE_KINDS).flatmap(_responses)

#: Servers put a key, or a part of one, in any text of theirs.
_ECHOES = (
    b'{"error":{"message":"Incorrect API key provided: %s. Ask us","code":"invalid_api_key"}}',
    b'{"error":{"message":"bad","code":"%s","type":"%s"}}',
    b'{"error":{"message":{"detail":[{"input":"%s"}]},"param":"%s"}}',
    b"<html><title>No access with %s</title></html>",
    b"who is %s?",
    b'{"detail":"%s"',
    b"data: %s\n\n",
    b'data: {"choices":[{"error":{"message":"%s"}}]}\n\n',
    b"event: error\ndata: %s\n\n",
    b'error: {"message":"%s"}\n\n',
)

_noise = st.text("abc \n\t", max_size=30)


@few_examples
@given(responses, st.data())
def test_any_response_keeps_every_invariant(response: Response, data: st.DataObject) -> None:
    """Tokens, one end, equal for any cuts, nothing that shows: within default and small limits."""
    pieces = data.draw(chunkings(response.body))
    for limits in (None, SMALL_LIMITS):
        whole = outcome_of(response, limits=limits)
        check_outcome(whole, response)
        check_same_events(outcome_of(response, pieces, limits).events, whole.events)


@few_examples
@example((0, len(KEY)), "", 401)
@given(st.tuples(st.integers(0, len(KEY)), st.integers(0, len(KEY))), _noise, statuses)
def test_no_echo_of_the_key_shows(part: tuple[int, int], noise: str, status: int) -> None:
    """A key, or any part of eight characters, is scrubbed wherever the server puts it."""
    echoed = KEY[slice(*part)].join((noise, noise)).encode()
    for template in _ECHOES:
        response = Response(template.replace(b"%s", echoed), status)
        check_nothing_leaks(outcome_of(response), response)


@given(st.sampled_from(["x-request-id", "location", "content-encoding"]), statuses)
def test_no_echo_of_the_key_in_a_header_shows(name: str, status: int) -> None:
    """Header values reach errors and `ResponseInfo`, without the key."""
    response = Response(b"", status, ((name, f"a-{KEY}-b"),))
    check_nothing_leaks(outcome_of(response), response)


def test_the_key_would_be_seen_if_it_showed() -> None:
    """The check can fail: it finds the parts of this key in a text that holds half of it."""
    assert any(part in f"your key {KEY[:12]}…" for part in key_parts(KEY))
    assert not any(part in f"your key {KEY[:7]}…" for part in key_parts(KEY))


@given(st.binary(max_size=200))
def test_every_input_of_a_fuzzer_is_some_response(data: bytes) -> None:
    """No input is wasted, and a plain one is read as it is written."""
    assert 0 <= parse_response(data).status <= 999
    parsed = parse_response(b"429 cut\nRetry-After: 3\n\n" + data)
    assert parsed == Response(data, 429, (("Retry-After", "3"),), "cut")
