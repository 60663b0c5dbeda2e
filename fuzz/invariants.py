"""What the core promises, whatever a peer sends: fuzzers and property tests call these functions.

Each raises `AssertionError` where a promise is broken. They are the five invariants of the design,
and what follows from them:

1. Nothing but `Token`s and `ProviderError`s comes out, and their fields are what their
   documentation says: `check_events`.
2. However the same bytes are cut, the events are equal: `check_same_events`.
3. Exactly one terminal event, the last, and never an `End` for half an answer: `check_terminal`.
4. Memory stays within the limits: `check_memory`; time is linear: the tests measure it.
5. No key and no prompt shows: `check_nothing_leaks`.

`check_outcome` calls what concerns one outcome, but for the memory: that only says something where
the limits are small or the input is large.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Final

from fuzz.completeness import may_be_whole
from fuzz.exchanges import KEY, PROMPT, Outcome, Response
from tokenwire.endpoint import Limits
from tokenwire.ndjson import NDJSONDecoder
from tokenwire.secret import KEY_PART_LENGTH
from tokenwire.sse import LimitExceeded, SSEDecoder, SSEItem
from tokenwire.testing.invariants import (
    LIMIT_NAMES,
    check_events,
    check_hides,
    check_same_events,
    check_state_of,
    comparable,
    key_parts,
    shown_by,
    shown_by_error,
)

__all__ = [
    "check_events",
    "check_limit_is_last",
    "check_memory",
    "check_nothing_leaks",
    "check_outcome",
    "check_same_events",
    "check_terminal",
    "comparable",
    "key_parts",
    "memory_bound",
    "ndjson_items",
    "retained_bytes",
    "shown_by_error",
    "sse_items",
]

#: What Python and the library need besides the bytes that limits speak of, for one exchange.
_OVERHEAD_BYTES: Final = 64 * 1024
_CHOICE_BYTES: Final = 4 * 1024
_TOOL_CALL_BYTES: Final = 2 * 1024


def check_outcome(outcome: Outcome, response: Response) -> None:
    """Check all that can be said of one outcome, but for its memory."""
    check_events(outcome.events)
    check_terminal(outcome, response)
    check_nothing_leaks(outcome, response)


# 2. Any chunking gives equal events: what decoders give


def sse_items(decoder: SSEDecoder, pieces: Iterable[bytes]) -> list[SSEItem | None]:
    """Return all that a decoder makes of `pieces`; the last item is what the end left over."""
    items: list[SSEItem | None] = [item for piece in pieces for item in decoder.receive_data(piece)]
    return [*items, decoder.receive_eof()]


def ndjson_items(
    decoder: NDJSONDecoder, pieces: Iterable[bytes]
) -> list[bytes | LimitExceeded | None]:
    """Return all that a decoder makes of `pieces`; the last item is what the end left over."""
    items: list[bytes | LimitExceeded | None] = [
        item for piece in pieces for item in decoder.receive_data(piece)
    ]
    return [*items, decoder.receive_eof()]


def check_limit_is_last(items: Sequence[object]) -> None:
    """Behind a `LimitExceeded` a decoder gives nothing, at the end either."""
    for position, item in enumerate(items):
        if isinstance(item, LimitExceeded):
            assert item.limit in LIMIT_NAMES
            assert items[position + 1 :] == [None]


# 3. Exactly one terminal event, and an End only for a whole answer


def check_terminal(outcome: Outcome, response: Response) -> None:
    """The last event and no other is terminal; an `End` needs a terminal marker in the bytes."""
    check_state_of(outcome.exchange, outcome.events)
    if outcome.error is None:
        assert may_be_whole(response)


# 4. Memory


def check_memory(root: object, limits: Limits) -> None:
    """What an object keeps is within what `limits` allow, however much it was sent."""
    assert retained_bytes(root) <= memory_bound(limits)


def memory_bound(limits: Limits) -> int:
    """Return how much an exchange or decoder with these limits may keep."""
    texts = limits.line_bytes + limits.event_bytes + limits.document_bytes + limits.error_body_bytes
    # A text may be kept twice: by the completion, and in reasoning details that go back as a whole.
    answer = limits.answer_bytes * (1 + limits.choices)
    things = limits.choices * (_CHOICE_BYTES + limits.tool_calls * _TOOL_CALL_BYTES)
    return 4 * texts + 2 * answer + things + _OVERHEAD_BYTES


def retained_bytes(root: object) -> int:
    """Return the size of an object with everything that it refers to, code and types left out."""
    return sum(sys.getsizeof(thing) for thing in _reachable(root))


def _reachable(root: object) -> Iterator[object]:
    code = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, property)
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, code):
            continue
        seen.add(id(thing))
        yield thing
        waiting += gc.get_referents(thing)


# 5. No key and no prompt


def check_nothing_leaks(outcome: Outcome, response: Response) -> None:
    """Neither key, nor long part of one, nor prompt shows anywhere but in the tokens.

    Tokens are what the model said. A server may quote the prompt in its error, which is its own
    text: only where the prompt was not in the bytes it sent would we be the ones who leak it.
    """
    shown = "\n".join(shown_by(outcome.exchange, outcome.request, outcome.events))
    check_hides([shown], KEY)
    if not any(word.encode() in _sent_text(response) for word in PROMPT.split()):
        assert not any(word in shown for word in PROMPT.split() if len(word) > KEY_PART_LENGTH)


def _sent_text(response: Response) -> bytes:
    return response.body + repr(response.headers).encode()
