"""Properties of the NDJSON decoder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fuzz.exchanges import SMALL_LIMITS, single_bytes
from fuzz.invariants import check_limit_is_last, check_memory, ndjson_items
from tests.strategies import chunkings
from tokenwire.ndjson import NDJSONDecoder

_PIECES = (b'{"a":1}', b"\n", b"\r\n", b"\r", b" ", b'"\xc3\xa9"', b"[" * 90, b"\n" * 60)
bodies = st.lists(st.sampled_from(_PIECES) | st.binary(max_size=3), max_size=25).map(b"".join)


@given(bodies)
def test_every_line_that_is_not_blank_comes_out(body: bytes) -> None:
    """In order and without its end; the last one from `receive_eof` if no LF ended it."""
    expected = [line.strip() for line in body.split(b"\n")]
    items = ndjson_items(NDJSONDecoder(), [body])
    assert [line for line in items if line] == [line for line in expected if line]


@given(bodies.flatmap(lambda body: st.tuples(st.just(body), chunkings(body))))
def test_neither_lines_nor_limits_depend_on_the_cuts(case: tuple[bytes, list[bytes]]) -> None:
    """Any chunking, and single bytes, give the same, and nothing follows a limit."""
    body, pieces = case
    whole = ndjson_items(NDJSONDecoder(), [body])
    limited = ndjson_items(NDJSONDecoder(SMALL_LIMITS), [body])
    check_limit_is_last(limited)
    for cut in (pieces, list(single_bytes(body))):
        assert ndjson_items(NDJSONDecoder(), cut) == whole
        decoder = NDJSONDecoder(SMALL_LIMITS)
        assert ndjson_items(decoder, cut) == limited
        check_memory(decoder, SMALL_LIMITS)
