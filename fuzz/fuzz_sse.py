"""An event stream gives the standard's events however it is cut, and nothing behind a limit."""

from __future__ import annotations

from fuzz.exchanges import SMALL_LIMITS, some_split
from fuzz.invariants import check_limit_is_last, check_memory, sse_items
from fuzz.reference_sse import reference_events
from tokenwire.endpoint import Limits
from tokenwire.sse import LimitExceeded, ServerSentEvent, SSEDecoder

_LIMITS = Limits()


def one_input(data: bytes) -> None:
    """Check the decoder with the bytes of a body."""
    whole = sse_items(SSEDecoder(_LIMITS), [data])
    assert whole[:-1] == reference_events(data)
    assert sse_items(SSEDecoder(_LIMITS), some_split(data)) == whole
    _check_limited(data)


def _check_limited(data: bytes) -> None:
    """Limits trip at the same place however the bytes are cut; `error` fields are reported."""
    whole = sse_items(SSEDecoder(SMALL_LIMITS, error_field=True), [data])
    check_limit_is_last(whole)
    decoder = SSEDecoder(SMALL_LIMITS, error_field=True)
    assert sse_items(decoder, some_split(data)) == whole
    check_memory(decoder, SMALL_LIMITS)
    for item in whole:
        assert item is None or isinstance(item, ServerSentEvent | LimitExceeded)
        if isinstance(item, ServerSentEvent):
            assert len(item.data) <= SMALL_LIMITS.event_bytes
            item.text.encode()
