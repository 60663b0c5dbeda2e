"""Lines of a chat answer become tokens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sansio.wire.ollama.streams import (
    STOP,
    STOPPED,
    Line,
    body,
    call,
    calls,
    message,
    read,
    read_body,
    text,
)
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError, NetworkError, OtherError, ProviderError
from tokenwire.tokens import (
    Durations,
    End,
    Finish,
    ReasoningDelta,
    TextDelta,
    Token,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)


def malformed(error: Token | ProviderError) -> str:
    """Return what is wrong with a malformed answer."""
    assert isinstance(error, MalformedResponseError)
    return error.reason


def last(*lines: Line) -> End:
    """Return the end of a stream."""
    token = read(*lines)[-1]
    assert isinstance(token, End)
    return token


def test_text_comes_line_by_line() -> None:
    """The last line has none."""
    assert read(text("Hel"), text("lo"), STOP) == (TextDelta("Hel"), TextDelta("lo"), STOPPED)


def test_thinking_comes_before_text() -> None:
    """Under the API's name, or under that of OpenAI's servers."""
    events = read(message(thinking="I see."), message(reasoning_content="Hm.", content="Hi"), STOP)
    assert events[:-1] == (ReasoningDelta("I see."), ReasoningDelta("Hm."), TextDelta("Hi"))


def test_text_may_come_as_a_response() -> None:
    """Where /generate answers in place of /chat."""
    assert read({"response": "Hi", "done": False}, STOP)[0] == TextDelta("Hi")


def test_the_last_line_may_hold_text() -> None:
    """As it does from a server that does not stream, without a line feed at its end."""
    whole = {"message": {"content": "Hi"}, "done": True, "done_reason": "stop"}
    assert read_body(body(whole).rstrip()) == (TextDelta("Hi"), STOPPED)


def test_what_follows_the_end_changes_nothing() -> None:
    """Not even an error."""
    assert read(STOP, text("late"), {"error": "late"}) == (STOPPED,)


@pytest.mark.parametrize(
    ("raw", "shared"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("load", "other"),
        ("unload", "other"),
        (None, "other"),
    ],
)
def test_every_reason_has_a_shared_word(raw: str | None, shared: str) -> None:
    """The API's own word stays beside it."""
    end = last({"done": True, "done_reason": raw})
    assert (end.finish, end.raw_finish) == (shared, raw)
    assert end.finishes == {0: Finish(end.finish, raw)}


def test_the_end_names_the_model_and_counts() -> None:
    """What is not counted stays None: of a cached prompt there is no count."""
    end = last({"model": "m", "done": True, "prompt_eval_count": 5, "eval_count": 7})
    assert (end.model, end.usage) == ("m", Usage(input_tokens=5, output_tokens=7))
    assert last({"done": True, "eval_count": 7}).usage == Usage(output_tokens=7)
    assert last(STOP).usage is None


def test_the_end_says_how_long_it_took() -> None:
    """The API counts nanoseconds, and does not always say everything."""
    line = {
        "done": True,
        "total_duration": 2_500_000_000,
        "load_duration": 0,
        "prompt_eval_duration": 1_500_000,
        "eval_duration": 1_000_000_000,
    }
    assert last(line).durations == Durations(load_s=0, input_s=0.0015, output_s=1, total_s=2.5)
    odd = {"done": True, "total_duration": -1, "load_duration": "long", "eval_duration": 5e8}
    assert last(odd).durations == Durations(output_s=0.5)
    assert last(STOP).durations is None


# Tool calls


def test_a_tool_call_comes_whole() -> None:
    """Its arguments are JSON here, and text for everyone else."""
    events = read(calls(call("look", {"at": ["é", 1]}, id="c1")), STOP)
    assert events[0] == ToolCallDelta(0, "c1", "look", '{"at":["é",1]}')


def test_an_answer_that_calls_tools_ends_for_that() -> None:
    """The API has no word of its own for it."""
    end = last(calls(call()), STOP)
    assert (end.finish, end.raw_finish) == ("tool_calls", "stop")
    cut = last(calls(call()), {"done": True, "done_reason": "length"})
    assert cut.finish == "length"


def test_calls_without_an_id_get_one() -> None:
    """Unlike those of other answers, by the server's own clock."""
    lines = calls(call(), call(), created_at="2025-04-17T13:50:58.362103875Z"), calls(call())
    ids = [event.id for event in read(*lines, STOP) if isinstance(event, ToolCallDelta)]
    assert ids == ["call_0_20250417135058362103875", "call_1_20250417135058362103875", "call_2"]


@pytest.mark.parametrize(
    ("tool_call", "expected"),
    [
        (call("look", None), ToolCallDelta(0, "call_0", "look", "{}")),
        (call("look", {}), ToolCallDelta(0, "call_0", "look", "{}")),
        (call("look", '{"at":1}'), ToolCallDelta(0, "call_0", "look", '{"at":1}')),
        (call("", {"at": 1}), ToolCallDelta(0, "call_0", None, '{"at":1}')),
        (call(7, 8), ToolCallDelta(0, "call_0", None, "{}")),
        ({}, ToolCallDelta(0, "call_0", None, "{}")),
        (None, ToolCallDelta(0, "call_0", None, "{}")),
    ],
)
def test_a_call_says_what_it_can(tool_call: Any, expected: ToolCallDelta) -> None:
    """Arguments may be text, or missing."""
    assert read(calls(tool_call), STOP)[0] == expected


def test_tool_calls_are_bounded() -> None:
    """By the limit that the error names."""
    error = read(calls(call(), call(), call()), limits=Limits(tool_calls=2))[-1]
    assert malformed(error) == "limit"
    assert "limits.tool_calls" in str(error)


def test_arguments_may_not_nest_too_deep() -> None:
    """Nobody has to walk them."""
    value: Any = 1
    for _ in range(9):
        value = {"a": value}
    assert "limits.json_depth" in str(read(calls(call("look", value)), limits=Limits(json_depth=8)))


# Log probabilities


def test_log_probabilities_come_with_the_text() -> None:
    """With the alternatives that were asked for."""
    top = [{"token": "Hi", "logprob": -0.5}, {"token": "Ho", "logprob": -1}]
    line = text("Hi")
    assert isinstance(line, dict)
    logprobs = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": top}]
    expected = TokenLogprob("Hi", -0.5, (("Hi", -0.5), ("Ho", -1.0)))
    assert read({**line, "logprobs": logprobs}, STOP)[0] == TextDelta("Hi", logprobs=(expected,))
    odd = {**line, "logprobs": logprobs, "eval_count": 1.0}
    assert read(odd, STOP)[0] == TextDelta("Hi", logprobs=(expected,))


def test_log_probabilities_that_are_none_are_left_out() -> None:
    """The text beside them counts."""
    line = text("Hi")
    assert isinstance(line, dict)
    assert read({**line, "logprobs": [{"token": 7}]}, STOP)[0] == TextDelta("Hi")


# Failures inside the stream


@pytest.mark.parametrize(
    ("error", "kind", "message", "code"),
    [
        ("an error was encountered", "server", "an error was encountered", None),
        ("model 'm' not found", "not_found", "model 'm' not found", None),
        ({"message": "No.", "code": "busy"}, "server", "No.", "busy"),
        (True, "server", "the provider reported an error without a message", None),
    ],
)
def test_an_error_line_fails_the_answer(
    error: Any, kind: str, message: str, code: str | None
) -> None:
    """The status was a success; what came before counts."""
    token, failure = read(text("Hi"), {"error": error})
    assert token == TextDelta("Hi")
    assert isinstance(failure, OtherError)
    assert (failure.kind, failure.message, failure.code) == (kind, message, code)


def test_an_error_goes_before_all_else_in_its_line() -> None:
    """Even before the end."""
    assert isinstance(read({"error": "No.", "done": True, "response": "Hi"})[0], OtherError)


def test_an_empty_error_is_none() -> None:
    """Some servers send every member in every line."""
    line = text("Hi")
    assert isinstance(line, dict)
    assert read({**line, "error": ""}, STOP) == (TextDelta("Hi"), STOPPED)


def test_a_stream_without_its_last_line_is_truncated() -> None:
    """A clean end of the body is no end of the answer."""
    assert malformed(read(text("Hi"))[-1]) == "truncated"
    assert malformed(read_body(body(text("Hi"), STOP)[:-9])[-1]) == "truncated"


def test_a_broken_connection_is_told_apart_from_it() -> None:
    """That is the network's failure."""
    assert isinstance(read(text("Hi"), ending="cut")[-1], NetworkError)


def test_a_line_that_is_no_json_is_malformed() -> None:
    """A proxy damaged it."""
    assert malformed(read(text("Hi"), '{"message":')[-1]) == "json"


def test_a_line_that_is_no_object_is_malformed() -> None:
    """The API has no such line."""
    assert malformed(read("[1]")[-1]) == "schema"


# Oddities


def test_a_character_torn_over_lines_is_whole_again() -> None:
    """Half of an emoji is no text."""
    assert read(text("a\ud83d"), text("\ude00"), STOP)[:-1] == (TextDelta("a"), TextDelta("😀"))


def test_half_a_character_ends_with_the_answer() -> None:
    """What never came cannot be waited for."""
    events = read(message(thinking="a\ud83d", content="b\ud83d"), STOP)
    assert events[:-1] == (
        ReasoningDelta("a"),
        TextDelta("b"),
        ReasoningDelta("\ufffd"),
        TextDelta("\ufffd"),
    )


def test_members_of_wrong_types_count_as_unset() -> None:
    """What is usable beside them is used."""
    odd: Line = {"message": {"content": "Hi", "thinking": 7}, "model": 7, "done": "yes"}
    assert read(odd, STOP) == (TextDelta("Hi"), STOPPED)
