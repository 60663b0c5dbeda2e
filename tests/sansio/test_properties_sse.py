"""Properties of the event-stream decoder, against the standard read word by word."""

from __future__ import annotations

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.exchanges import SMALL_LIMITS, single_bytes
from fuzz.invariants import check_limit_is_last, check_memory, sse_items
from fuzz.reference_sse import reference_events
from tests.answer_streams import ANSWER_STREAMS
from tests.strategies import chunkings, few_examples, mutated
from tokenwire.endpoint import Limits
from tokenwire.sse import LimitExceeded, SSEDecoder

_PIECES = (
    b"data", b"data:", b"data: ", b"event: x", b"id: 7", b"id", b"retry: 12", b"retry: -1", b":",
    b"\n", b"\r", b"\r\n", b"\n\n", b"\n\ndata: ", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\0", b" ",
    b"\xc3", b"\xa9", b"error: e", b"xyz" * 50,
)  # fmt: skip
answers = ANSWER_STREAMS["openai-chat"].map(lambda stream: stream.body)
streams = (
    st.lists(st.sampled_from(_PIECES) | st.binary(max_size=3), max_size=30).map(b"".join)
    | answers
    | mutated(answers)
)
limits = st.builds(
    attrs.evolve,
    st.just(SMALL_LIMITS),
    line_bytes=st.integers(1, 400),
    event_bytes=st.integers(1, 600),
    silent_bytes=st.integers(1, 300),
)


@few_examples
@given(streams)
def test_the_events_are_those_of_the_standard(body: bytes) -> None:
    """The decoder and the word-by-word interpreter agree on any bytes."""
    assert sse_items(SSEDecoder(), [body])[:-1] == reference_events(body)


@few_examples
@given(streams.flatmap(lambda body: st.tuples(st.just(body), chunkings(body))))
def test_the_events_do_not_depend_on_the_cuts(case: tuple[bytes, list[bytes]]) -> None:
    """Any chunking, and single bytes, give the same events and the same rest."""
    body, pieces = case
    whole = sse_items(SSEDecoder(), [body])
    assert sse_items(SSEDecoder(), pieces) == whole
    assert sse_items(SSEDecoder(), single_bytes(body)) == whole


_TOO_LARGE = b"data: 12345678\ndata: 12345678\n\n"


# Blocks behind an event that is too large, in the read that completes it, must not come out.
@few_examples
@example(
    (_TOO_LARGE + b"data: x\n\n", [_TOO_LARGE[:15], _TOO_LARGE[15:] + b"data: x\n\n"]),
    attrs.evolve(SMALL_LIMITS, event_bytes=10),
)
@given(streams.flatmap(lambda body: st.tuples(st.just(body), chunkings(body))), limits)
def test_limits_do_not_depend_on_the_cuts(case: tuple[bytes, list[bytes]], limits: Limits) -> None:
    """A limit is passed at the same event however the bytes come, and nothing follows it."""
    body, pieces = case
    whole = sse_items(SSEDecoder(limits, error_field=True), [body])
    check_limit_is_last(whole)
    for cut in (pieces, single_bytes(body)):
        decoder = SSEDecoder(limits, error_field=True)
        assert sse_items(decoder, cut) == whole
        check_memory(decoder, limits)


@few_examples
@given(streams, limits)
def test_limits_take_away_only_the_end(body: bytes, limits: Limits) -> None:
    """Up to the limit, the events are the same as without one."""
    unlimited = sse_items(SSEDecoder(), [body])[:-1]
    limited = sse_items(SSEDecoder(limits), [body])[:-1]
    if limited and isinstance(limited[-1], LimitExceeded):
        del limited[-1]
        assert unlimited[: len(limited)] == limited
    else:
        assert unlimited == limited
