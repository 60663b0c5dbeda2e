"""Every invariant can be broken, and says how it was."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import pytest

from tokenwire.endpoint import Endpoint
from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.testing.invariants import (
    Event,
    check_events,
    check_hides,
    check_one_end,
    check_same_events,
    check_state_of,
    require_assertions,
    shown_by_error,
)
from tokenwire.tokens import (
    Durations,
    End,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from tokenwire.wire import wire_by_kind

END = End("stop", "stop")
_ANY: Any = None  # what no type checker would let through


def _other(**facts: Any) -> OtherError:
    given: dict[str, Any] = {"provider": "p", "message": "It failed.", **facts}
    return OtherError(**given)


class SixthError(ProviderError):
    """Is none of the five."""


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (TextDelta(""), "TextDelta without text"),
        (TextDelta(_ANY), "Token.text is no str"),
        (TextDelta("a", -1), "Token.choice is negative"),
        (TextDelta("a", _ANY), "Token.choice is no int"),
        (TextDelta("\ud800"), "half a character"),
        (TextDelta("a", logprobs=(TokenLogprob("a", float("nan")),)), "not finite"),
        (TextDelta("a", logprobs=(TokenLogprob("a", -0.5, (("b", _ANY),)),)), "no float"),
        (TextDelta("a", logprobs=(_ANY,)), "no TokenLogprob"),
        (ReasoningDelta(""), "ReasoningDelta without"),
        (ReasoningDelta("", signature="\ud800"), "half a character"),
        (RefusalDelta(""), "RefusalDelta without"),
        (ToolCallDelta(0), "says nothing"),
        (ToolCallDelta(0, id=""), "empty id"),
        (ToolCallDelta(-1, id="a"), "negative"),
        (End("stop"), "where the API said nothing"),
        (End(_ANY, "stop"), "no FinishReason"),
        (End("stop", "stop", finishes=_ANY), "no mapping"),
        (End("stop", "stop", finishes={0: _ANY}), "holds no Finish"),
        (End("stop", "stop", finishes={0: Finish("length")}), "said nothing"),
        (End("stop", "stop", usage=Usage(-1)), "Usage.input_tokens is negative"),
        (End("stop", "stop", usage=_ANY or 5), "no Usage"),  # type: ignore[arg-type]
        (End("stop", "stop", durations=_ANY or 5), "no Durations"),  # type: ignore[arg-type]
        (End("stop", "stop", durations=Durations(load_s=_ANY or "1")), "load_s is no float"),  # type: ignore[arg-type]
        (End("stop", "stop", durations=Durations(total_s=-1.0)), "total_s is no number"),
        (End("stop", "stop", durations=Durations(total_s=float("nan"))), "total_s is no number"),
        (SixthError(message="a", provider="p"), "none of the five kinds"),
        (_other(message=""), "without a message"),
        (_other(message="a\nb"), "not one line"),
        (_other(message="a" * 2000), "too long"),
        (_other(code="a" * 2000), "too long"),
        (_other(status="400"), "no int"),
        (_other(retry_after=0.0), "no positive number"),
        (_other(retryable=None), "no bool"),
        (_other(provider=""), "does not name its provider"),
        (_other(kind="unheard"), "no kind"),
        (NetworkError(provider="p", message="a", phase=_ANY), "no phase"),
        (RateLimitError(provider="p", message="a", scope=_ANY), "no scope"),
        (
            RateLimitError(provider="p", message="a", scope="quota", retryable=True),
            "not retryable",
        ),
        (MalformedResponseError(provider="p", message="a", reason=_ANY), "no reason"),
        (
            MalformedResponseError(provider="p", message="a", reason="json", excerpt="a" * 999),
            "excerpt is too long",
        ),
        (
            MalformedResponseError(provider="p", message="too much", reason="limit"),
            "does not name the limit",
        ),
    ],
)
def test_what_an_event_may_not_be(event: Event, told: str) -> None:
    """Fields have the documented types, and every event says something."""
    with pytest.raises(AssertionError, match=told):
        check_events([event])


@pytest.mark.parametrize(
    "event",
    [
        TextDelta("", logprobs=(TokenLogprob("a", -0.5, (("b", -1.5),)),)),
        ReasoningDelta("", signature="s"),
        RefusalDelta("No"),
        ToolCallDelta(0, id="a", name="b"),
        End("other", finishes={0: Finish("other")}, usage=Usage(1)),
        End("stop", "stop", durations=Durations(load_s=0.0, total_s=1.5)),
        AuthError(message="No.", provider="p"),
        MalformedResponseError(message="limits.choices (3)", provider="p", reason="limit"),
    ],
)
def test_what_an_event_may_be(event: Event) -> None:
    """The check does not refuse everything."""
    check_events([event])


def test_a_tool_call_tells_its_name_once() -> None:
    """Who joins the pieces need not compare."""
    with pytest.raises(AssertionError, match="its id and name twice"):
        check_events([ToolCallDelta(0, id="a", name="b"), ToolCallDelta(0, id="a", name="b")])


def test_tool_calls_are_counted_without_gaps() -> None:
    """In an answer that is whole."""
    calls = [ToolCallDelta(0, id="a"), ToolCallDelta(2, id="b")]
    check_events(calls)
    with pytest.raises(AssertionError, match=r"numbered \[0, 2\]"):
        check_events([*calls, END])


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ([TextDelta("a"), END], [TextDelta("b"), END], "event 0 is TextDelta"),
        ([TextDelta("a")], [TextDelta("a"), END], "event 1 is None in one"),
        ([_other(status=1)], [_other(status=2)], "event 0"),
    ],
)
def test_the_first_difference_is_told(one: list[Event], other: list[Event], told: str) -> None:
    """Errors are compared by their facts."""
    check_same_events([*one], [*map(copy, one)])
    with pytest.raises(AssertionError, match=told):
        check_same_events(one, other)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "not even an error"),
        ([TextDelta("a")], "last event is TextDelta"),
        ([END, TextDelta("a")], "End is not the last"),
        ([_other(), END], "OtherError is not the last"),
    ],
)
def test_there_is_one_terminal_event(events: Sequence[Event], told: str) -> None:
    """The last one."""
    with pytest.raises(AssertionError, match=told):
        check_one_end(events)


def test_an_exchange_says_what_its_events_say() -> None:
    """One that still waits for its response has come to no end."""
    endpoint = Endpoint(base_url="https://host.example/v1")
    exchange = Exchange(wire_by_kind("openai-chat"), endpoint)
    exchange.send([Message.user("Hi")], ProviderConfig(model="m"))
    with pytest.raises(AssertionError, match="did not end its exchange"):
        check_state_of(exchange, [END])
    with pytest.raises(AssertionError, match="did not fail its exchange"):
        check_state_of(exchange, [_other()])


def test_nothing_is_checked_without_assertions() -> None:
    """What cannot fail says nothing."""
    require_assertions()
    with pytest.raises(RuntimeError, match="run without -O"):
        require_assertions(in_force=False)


def test_a_key_in_any_text_of_an_error_is_found() -> None:
    """Half of it too, but not what two keys have in common by chance."""
    key = "sk-0123456789abcdef"
    check_hides(shown_by_error(_other(code=key[:4])), key)
    with pytest.raises(AssertionError, match="a part of the key"):
        check_hides(shown_by_error(_other(code=key[:12])), key)
