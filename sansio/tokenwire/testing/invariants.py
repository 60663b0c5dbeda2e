"""What every wire format and every provider promises, whatever a peer sends.

Each function raises `AssertionError` where a promise is broken, and says which. They are said here
once: the contracts of this package, the suite's property tests and its fuzzers all call them.

1. Nothing but `Token`s and `ProviderError`s comes out, and their fields are what their
   documentation says: `check_events`.
2. However the same bytes are cut, the events are equal: `check_same_events`.
3. Exactly one terminal event, the last: `check_one_end`, `check_state_of`.
4. No key and no prompt shows: `check_hides`, given what `shown_by` finds.
"""

from __future__ import annotations

import math
import pickle
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never, get_args
from urllib.parse import quote

import attrs
import msgspec

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
from tokenwire.exchange import Exchange, State
from tokenwire.request import HTTPRequest
from tokenwire.secret import KEY_PART_LENGTH
from tokenwire.tokens import (
    Durations,
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

#: What an exchange gives.
Event: TypeAlias = Token | ProviderError

#: The limits by name, one of which the error of a limit names.
LIMIT_NAMES: Final = tuple(attribute.name for attribute in attrs.fields(Limits))


def require_assertions(*, in_force: bool = __debug__) -> None:
    """Refuse to check anything where Python was told to leave assertions out.

    Args:
        in_force: Whether they are in.

    Raises:
        RuntimeError: Under ``python -O``.
    """
    if not in_force:
        raise RuntimeError("python -O leaves assertions out, and so every check: run without -O")


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
    _check_text(token.text, "Token.text")
    _check_count(token.choice, "Token.choice")
    match token:
        case TextDelta(text, _, logprobs):
            assert text or logprobs, "a TextDelta without text and logprobs: append none"
            for entry in logprobs or ():
                _check_logprob(entry)
        case ReasoningDelta(text, _, signature):
            _check_optional_text(signature, "ReasoningDelta.signature")
            assert text or signature, "a ReasoningDelta without text and signature: append none"
        case RefusalDelta(text):
            assert text, "a RefusalDelta without text: append none"
        case ToolCallDelta():
            _check_tool_call_delta(token)
        case End():
            _check_end(token)
        case _:
            assert_never(token)


def _check_tool_call_delta(delta: ToolCallDelta) -> None:
    _check_count(delta.index, "ToolCallDelta.index")
    _check_text(delta.arguments, "ToolCallDelta.arguments")
    for part in (delta.id, delta.name, delta.signature):
        _check_optional_text(part, "a text of a ToolCallDelta")
        assert part is None or part, "a ToolCallDelta with an empty id, name or signature: use None"
    assert delta.id or delta.name or delta.arguments or delta.signature, (
        "a ToolCallDelta that says nothing: append none"
    )


def _check_tool_calls(events: Sequence[Event]) -> None:
    """Ids and names come once, and the indices of a whole answer leave no gap."""
    calls: dict[int, dict[int, set[str]]] = {}
    for fragment in events:
        if isinstance(fragment, ToolCallDelta):
            told = calls.setdefault(fragment.choice, {}).setdefault(fragment.index, set())
            news = {name for name in ("id", "name") if getattr(fragment, name) is not None}
            assert not news & told, (
                f"tool call {fragment.index} is told its {' and '.join(sorted(news & told))} twice:"
                " set each on the first ToolCallDelta that knows it, or count the index up"
            )
            told |= news
    if events and isinstance(events[-1], End):
        for indices in calls.values():
            assert sorted(indices) == list(range(len(indices))), (
                f"the tool calls of an answer are numbered {sorted(indices)}: count from 0"
            )


def _check_logprob(entry: TokenLogprob) -> None:
    assert isinstance(entry, TokenLogprob), "TextDelta.logprobs holds no TokenLogprob"
    for text, logprob in ((entry.text, entry.logprob), *entry.top):
        _check_text(text, "TokenLogprob.text")
        assert isinstance(logprob, float), "a log probability is no float"
        assert math.isfinite(logprob), "a log probability is not finite"


def _check_end(end: End) -> None:
    assert isinstance(end.finishes, Mapping), "End.finishes is no mapping"
    for index, finish in end.finishes.items():
        _check_count(index, "a key of End.finishes")
        assert isinstance(finish, Finish), "End.finishes holds no Finish"
        _check_finish(finish.reason, finish.raw)
    _check_finish(end.finish, end.raw_finish)
    _check_optional_text(end.model, "End.model")
    _check_optional_text(end.response_id, "End.response_id")
    if end.usage is not None:
        assert isinstance(end.usage, Usage), "End.usage is no Usage"
        for name, count in msgspec.structs.asdict(end.usage).items():
            assert count is None or _check_count(count, f"Usage.{name}")
    if end.durations is not None:
        _check_durations(end.durations)


def _check_durations(durations: Durations) -> None:
    assert isinstance(durations, Durations), "End.durations is no Durations"
    for name, seconds in msgspec.structs.asdict(durations).items():
        if seconds is not None:
            assert type(seconds) is float, f"Durations.{name} is no float"
            assert 0 <= seconds < math.inf, f"Durations.{name} is no number of seconds"


def _check_finish(reason: FinishReason, raw: str | None) -> None:
    assert reason in get_args(FinishReason), (
        f"{reason!r} is no FinishReason: keep the API's own word in raw_finish"
    )
    _check_optional_text(raw, "a raw finish reason")
    assert raw is not None or reason == "other", (
        f"an End that says {reason!r} where the API said nothing: that is 'other'"
    )


def check_error(error: ProviderError) -> None:
    """An error is one of the five kinds, with bounded texts of one line and documented values."""
    assert type(error) in get_args(AnyProviderError), (
        f"{type(error).__name__} is none of the five kinds of ProviderError: build one of them"
    )
    _check_text(error.message, "ProviderError.message")
    assert error.message, "an error without a message"
    assert error.message.splitlines() == [error.message], "an error's message is not one line"
    assert len(error.message) <= MAX_MESSAGE_LENGTH, "an error's message is too long"
    for text in (error.code, error.request_id):
        _check_optional_text(text, "an error's code or request_id")
        assert text is None or len(text) <= MAX_EXCERPT_BYTES, "an error's code is too long"
    assert error.status is None or type(error.status) is int, "ProviderError.status is no int"
    assert error.retry_after is None or 0 < error.retry_after < math.inf, (
        "ProviderError.retry_after is no positive number of seconds"
    )
    assert type(error.retryable) is bool, "ProviderError.retryable is no bool"
    assert error.provider, "an error that does not name its provider"
    _check_kind(error)


def _check_kind(error: ProviderError) -> None:
    match error:
        case NetworkError():
            assert error.phase in get_args(Phase), f"{error.phase!r} is no phase"
        case RateLimitError():
            assert error.scope in get_args(RateLimitScope), f"{error.scope!r} is no scope"
            assert not (error.scope == "quota" and error.retryable and error.status is None), (
                "a used-up quota is not retryable"
            )
        case MalformedResponseError():
            assert error.reason in get_args(MalformedReason), f"{error.reason!r} is no reason"
            _check_text(error.excerpt, "MalformedResponseError.excerpt")
            assert len(error.excerpt) <= MAX_EXCERPT_BYTES, "an excerpt is too long"
            assert error.reason != "limit" or any(
                f"limits.{name} " in error.message for name in LIMIT_NAMES
            ), "the error of a limit does not name the limit: use `limit_error`"
        case OtherError():
            assert error.kind in get_args(OtherKind), f"{error.kind!r} is no kind of OtherError"
        case _:
            assert isinstance(error, AuthError)


def _check_text(text: object, what: str) -> None:
    assert type(text) is str, f"{what} is no str"
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AssertionError(
            f"{what} holds half a character: use `lenient_json.repaired`"
        ) from None


def _check_optional_text(text: object, what: str) -> None:
    if text is not None:
        _check_text(text, what)


def _check_count(value: object, what: str) -> bool:
    assert type(value) is int, f"{what} is no int"
    assert value >= 0, f"{what} is negative"
    return True


# 2. Any chunking gives equal events


def check_same_events(one: Sequence[Event], other: Sequence[Event]) -> None:
    """Two readings of the same bytes gave the same; errors are compared by their facts."""
    first, second = comparable(one), comparable(other)
    assert first == second, f"two readings of the same bytes differ: {_difference(first, second)}"


def comparable(events: Iterable[Event]) -> list[object]:
    """Return events as values that `==` compares: errors are compared by identity."""
    return [event.facts() if isinstance(event, ProviderError) else event for event in events]


def _difference(one: Sequence[object], other: Sequence[object]) -> str:
    pairs = zip([*one, None], [*other, None], strict=False)
    number, (left, right) = next(
        (number, pair) for number, pair in enumerate(pairs) if pair[0] != pair[1]
    )
    return f"event {number} is {left!r:.200} in one and {right!r:.200} in the other"


# 3. Exactly one terminal event


def check_one_end(events: Sequence[Event]) -> None:
    """The last event is an `End` or a `ProviderError`, and no other is."""
    assert events, "nothing came of a whole response, not even an error"
    *tokens, last = events
    early = [event for event in tokens if isinstance(event, End | ProviderError)]
    assert not early, f"{type(early[0]).__name__} is not the last event: append nothing behind it"
    assert isinstance(last, End | ProviderError), (
        f"the last event is {type(last).__name__}: end in an End, or raise a ProviderError"
    )


def check_state_of(exchange: Exchange, events: Sequence[Event]) -> None:
    """An exchange that gave these events, all of its response, says the same of itself.

    Args:
        exchange: What read a whole response.
        events: All that came of it.
    """
    check_one_end(events)
    *tokens, last = events
    successful = 200 <= (exchange.response.status or 0) < 300
    partial = exchange.partial()
    if isinstance(last, ProviderError):
        assert exchange.state is State.FAILED, "an error that did not fail its exchange"
        assert last.tokens_emitted == len(tokens), "tokens_emitted is not how many tokens came"
        assert last.in_stream is successful, "in_stream is not whether the status was a success"
        assert partial.end is None, "half an answer that has an end"
    else:
        assert exchange.state is State.DONE, "an End that did not end its exchange"
        assert partial.end == last, "the answer's end is not the End that came"
        assert successful, "an End in a response whose status is no success"


# 4. No key and no prompt


def check_hides(shown: Iterable[str], key: str) -> None:
    """No part of a key that is long enough to be of use to anybody is shown."""
    text = "\n".join(shown)
    for part in key_parts(key):
        assert part not in text, "a part of the key shows: keep it out of texts and reprs"


def key_parts(key: str) -> set[str]:
    """Return every part of a key that is too long to show, also as it stands in a URL."""
    return {
        form[start : start + KEY_PART_LENGTH]
        for form in (key, quote(key, safe=""))
        for start in range(len(form) - KEY_PART_LENGTH + 1)
    }


def shown_by(exchange: Exchange, request: HTTPRequest, events: Sequence[Event]) -> Iterator[str]:
    """Give every text that an exchange shows besides its tokens, its failure's included."""
    for thing in (exchange, exchange.response, exchange.state, request, exchange.url):
        yield repr(thing)
        yield str(thing)
    if events and isinstance(events[-1], ProviderError):
        yield from shown_by_error(events[-1])


def shown_by_error(error: ProviderError) -> Iterator[str]:
    """Give every text that a program, a log or a traceback can get out of an error."""
    yield repr(error)
    yield str(error)
    yield repr(error.args)
    yield repr(error.facts())
    yield repr(error.__dict__ if hasattr(error, "__dict__") else None)
    restored: Any = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, made here
    assert restored.facts() == error.facts(), "an error that does not survive pickling"
    yield repr(restored.args)
    try:
        raise error
    except ProviderError as raised:
        yield "".join(traceback.format_exception(raised))
    finally:
        # What was raised keeps this frame, and with it everything that was compared here.
        error.__traceback__ = None
