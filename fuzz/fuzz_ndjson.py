"""NDJSON gives the lines that are not blank however it is cut, and nothing behind a limit."""

from __future__ import annotations

from fuzz.exchanges import SMALL_LIMITS, some_split, splits
from fuzz.invariants import check_limit_is_last, check_memory, ndjson_items
from tokenwire.endpoint import Limits
from tokenwire.ndjson import NDJSONDecoder

_LIMITS = Limits()


def one_input(data: bytes) -> None:
    """Check the decoder with the bytes of a body."""
    whole = ndjson_items(NDJSONDecoder(_LIMITS), [data])
    assert [line for line in whole if line] == [
        line.strip() for line in data.split(b"\n") if line.strip()
    ]
    assert ndjson_items(NDJSONDecoder(_LIMITS), some_split(data)) == whole
    limited = ndjson_items(NDJSONDecoder(SMALL_LIMITS), [data])
    check_limit_is_last(limited)
    for pieces in splits(data):
        decoder = NDJSONDecoder(SMALL_LIMITS)
        assert ndjson_items(decoder, pieces) == limited
        check_memory(decoder, SMALL_LIMITS)
