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
import math
import pickle
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final, assert_never, get_args
from urllib.parse import quote

import attrs

from fuzz.exchanges import KEY, PROMPT, Event, Outcome, Response
from tokenwire.endpoint import Limits
from tokenwire.errors import (
    MAX_EXCERPT_BYTES,
    MAX_MESSAGE_LENGTH,
    AnyProviderError,
    AuthError,
    MalformedReason,
    MalformedResponseError,
    NetworkError,
    OtherError,
    OtherKind,
    Phase,
    ProviderError,
    RateLimitError,
    RateLimitScope,
)
from tokenwire.exchange import State
from tokenwire.ndjson import NDJSONDecoder
from tokenwire.secret import KEY_PART_LENGTH
from tokenwire.sse import LimitExceeded, SSEDecoder, SSEItem
from tokenwire.tokens import (
    End,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

_LIMIT_NAMES: Final = tuple(attribute.name for attribute in attrs.fields(Limits))

#: What Python and the library need besides the bytes that limits speak of, for one exchange.
_OVERHEAD_BYTES: Final = 64 * 1024
_CHOICE_BYTES: Final = 4 * 1024
_TOOL_CALL_BYTES: Final = 2 * 1024


def check_outcome(outcome: Outcome, response: Response) -> None:
    """Check all that can be said of one outcome, but for its memory."""
    check_events(outcome.events)
    check_terminal(outcome, response)
    check_nothing_leaks(outcome, response)


# 1. Tokens or a ProviderError, and nothing else


def check_events(events: Sequence[Event]) -> None:
    """Every event is a token or an error of documented shape; every text encodes to UTF-8."""
    for event in events:
        if isinstance(event, ProviderError):
            check_error(event)
        else:
            check_token(event)
    _check_tool_calls(events)


def check_token(token: Token) -> None:
    """The fields of a token have the documented types, and it says something."""
    assert isinstance(token.text, str)
    _check_text(token.text)
    _check_count(token.choice)
    match token:
        case TextDelta(text, _, logprobs):
            assert text or logprobs
            for entry in logprobs or ():
                _check_logprob(entry)
        case ReasoningDelta(text, _, signature):
            _check_optional_text(signature)
            assert text or signature
        case RefusalDelta(text):
            assert text
        case ToolCallDelta():
            _check_count(token.index)
            _check_text(token.arguments)
            for part in (token.id, token.name, token.signature):
                _check_optional_text(part)
                assert part is None or part
            assert token.id or token.name or token.arguments or token.signature
        case End():
            _check_end(token)
        case _:
            assert_never(token)


def _check_tool_calls(events: Sequence[Event]) -> None:
    """Ids and names come once, and the indices of a whole answer leave no gap."""
    calls: dict[int, dict[int, set[str]]] = {}
    for fragment in events:
        if isinstance(fragment, ToolCallDelta):
            told = calls.setdefault(fragment.choice, {}).setdefault(fragment.index, set())
            news = {name for name in ("id", "name") if getattr(fragment, name) is not None}
            assert not news & told
            told |= news
    if events and isinstance(events[-1], End):
        assert all(sorted(indices) == list(range(len(indices))) for indices in calls.values())


def _check_logprob(entry: TokenLogprob) -> None:
    assert isinstance(entry, TokenLogprob)
    for text, logprob in ((entry.text, entry.logprob), *entry.top):
        _check_text(text)
        assert isinstance(logprob, float)
        assert math.isfinite(logprob)


def _check_end(end: End) -> None:
    assert isinstance(end.finishes, Mapping)
    for index, finish in end.finishes.items():
        _check_count(index)
        assert isinstance(finish, Finish)
        _check_finish(finish.reason, finish.raw)
    _check_finish(end.finish, end.raw_finish)
    _check_optional_text(end.model)
    _check_optional_text(end.response_id)
    if end.usage is not None:
        assert isinstance(end.usage, Usage)
        for count in attrs.astuple(end.usage):
            assert count is None or _check_count(count)


def _check_finish(reason: FinishReason, raw: str | None) -> None:
    assert reason in get_args(FinishReason)
    _check_optional_text(raw)
    if raw is None:
        assert reason == "other"  # what was not said is never a stop


def check_error(error: ProviderError) -> None:
    """An error is one of the five kinds, with bounded texts of one line and documented values."""
    assert type(error) in get_args(AnyProviderError)
    _check_text(error.message)
    assert error.message
    assert error.message.splitlines() == [error.message]
    assert len(error.message) <= MAX_MESSAGE_LENGTH
    for text in (error.code, error.request_id):
        _check_optional_text(text)
        assert text is None or len(text) <= MAX_EXCERPT_BYTES
    assert error.status is None or type(error.status) is int
    assert error.retry_after is None or 0 < error.retry_after < math.inf
    assert type(error.retryable) is bool
    assert error.provider
    _check_kind(error)


def _check_kind(error: ProviderError) -> None:
    match error:
        case NetworkError():
            assert error.phase in get_args(Phase)
        case RateLimitError():
            assert error.scope in get_args(RateLimitScope)
            assert not (error.scope == "quota" and error.retryable and error.status is None)
        case MalformedResponseError():
            assert error.reason in get_args(MalformedReason)
            _check_text(error.excerpt)
            assert len(error.excerpt) <= MAX_EXCERPT_BYTES
            if error.reason == "limit":
                assert any(f"limits.{name} " in error.message for name in _LIMIT_NAMES)
        case OtherError():
            assert error.kind in get_args(OtherKind)
        case _:
            assert isinstance(error, AuthError)


def _check_text(text: object) -> None:
    assert type(text) is str
    text.encode()  # UnicodeEncodeError for a lone surrogate


def _check_optional_text(text: object) -> None:
    if text is not None:
        _check_text(text)


def _check_count(value: object) -> bool:
    assert type(value) is int
    assert value >= 0
    return True


# 2. Any chunking gives equal events


def check_same_events(one: Sequence[Event], other: Sequence[Event]) -> None:
    """Two readings of the same bytes gave the same; errors are compared by their facts."""
    assert comparable(one) == comparable(other)


def comparable(events: Iterable[Event]) -> list[object]:
    """Return events as values that `==` compares: errors are compared by identity."""
    return [event.facts() if isinstance(event, ProviderError) else event for event in events]


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
            assert item.limit in _LIMIT_NAMES
            assert items[position + 1 :] == [None]


# 3. Exactly one terminal event, and an End only for a whole answer


def check_terminal(outcome: Outcome, response: Response) -> None:
    """The last event and no other is terminal; an `End` needs a terminal marker in the bytes."""
    *tokens, last = outcome.events
    assert not any(isinstance(event, End | ProviderError) for event in tokens)
    assert isinstance(last, End | ProviderError)
    if isinstance(last, ProviderError):
        assert outcome.exchange.state is State.FAILED
        assert last.tokens_emitted == len(tokens)
        assert last.in_stream == (200 <= response.status < 300)
        assert outcome.partial.end is None
    else:
        assert outcome.exchange.state is State.DONE
        assert outcome.partial.end == last
        assert 200 <= response.status < 300
        if response.wire == "openai-chat":
            _check_marker(response)


def _check_marker(response: Response) -> None:
    body = response.body.removeprefix(b"\xef\xbb\xbf").lstrip()
    # A whole completion that came as one document is complete by its last bracket. Escapes can
    # spell any name, so a body with a backslash is given the benefit of the doubt.
    is_document = body[:1] in (b"{", b"[") and response.ending == "clean"
    assert is_document or b"[DONE]" in body or b"finish_reason" in body or b"\\" in body


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
    shown = "\n".join(_shown(outcome))
    for part in key_parts(KEY):
        assert part not in shown, "a part of the key shows"
    if not any(word.encode() in _sent_text(response) for word in PROMPT.split()):
        assert not any(word in shown for word in PROMPT.split() if len(word) > KEY_PART_LENGTH)


def key_parts(key: str) -> set[str]:
    """Return every part of a key that is too long to show, also as it stands in a URL."""
    return {
        form[start : start + KEY_PART_LENGTH]
        for form in (key, quote(key, safe=""))
        for start in range(len(form) - KEY_PART_LENGTH + 1)
    }


def _sent_text(response: Response) -> bytes:
    return response.body + repr(response.headers).encode()


def _shown(outcome: Outcome) -> Iterator[str]:
    exchange = outcome.exchange
    for thing in (exchange, exchange.response, exchange.state, outcome.request, exchange.url):
        yield repr(thing)
        yield str(thing)
    if (error := outcome.error) is not None:
        yield from shown_by_error(error)


def shown_by_error(error: ProviderError) -> Iterator[str]:
    """Give every text that a program, a log or a traceback can get out of an error."""
    yield repr(error)
    yield str(error)
    yield repr(error.args)
    yield repr(error.facts())
    yield repr(error.__dict__ if hasattr(error, "__dict__") else None)
    restored: Any = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, made here
    assert restored.facts() == error.facts()
    yield repr(restored.args)
    try:
        raise error
    except ProviderError as raised:
        yield "".join(traceback.format_exception(raised))
    finally:
        # What was raised keeps this frame, and with it everything that was compared here.
        error.__traceback__ = None
