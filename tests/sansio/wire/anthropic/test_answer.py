"""Events of a message become tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sansio.wire.anthropic.streams import (
    STOP,
    Event,
    arguments,
    begin,
    body,
    call,
    delta,
    end,
    failure,
    read,
    read_body,
    reason,
    start,
    text,
)
from tokenwire.endpoint import Limits
from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.tokens import (
    End,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Token,
    ToolCallDelta,
    Usage,
)

TEXT: Event = begin({"type": "text", "text": ""})
END_TURN = reason("end_turn")
STOPPED = End("stop", "end_turn", {0: Finish("stop", "end_turn")})
TOOLS = End("tool_calls", "tool_use", {0: Finish("tool_calls", "tool_use")})


def last(*events: Event) -> End:
    """Return the end of a stream."""
    token = read(*events)[-1]
    assert isinstance(token, End)
    return token


def malformed(error: Token | ProviderError) -> str:
    """Return what is wrong with a malformed answer."""
    assert isinstance(error, MalformedResponseError)
    return error.reason


# Text and the end


def test_text_comes_delta_by_delta() -> None:
    """Between the events that frame it."""
    events = read(TEXT, text("Hel"), text("lo"), end(), END_TURN, STOP)
    assert events == (TextDelta("Hel"), TextDelta("lo"), STOPPED)


def test_a_block_may_begin_with_text() -> None:
    """Where a server puts the first piece into the event that begins the block."""
    assert read(begin({"type": "text", "text": "Hi"}), END_TURN, STOP)[0] == TextDelta("Hi")


def test_empty_text_is_no_token() -> None:
    """Nothing was said."""
    assert read(TEXT, text(""), END_TURN, STOP) == (STOPPED,)


def test_the_end_comes_with_message_stop() -> None:
    """What follows it changes nothing."""
    assert read(END_TURN, STOP, text("late"), "data: [DONE]") == (STOPPED,)


def test_a_stop_reason_completes_an_answer() -> None:
    """A server may leave out message_stop."""
    assert read(TEXT, text("Hi"), END_TURN) == (TextDelta("Hi"), STOPPED)


def test_a_stop_reason_outlives_the_connection() -> None:
    """Nothing was missing but the end of the body."""
    assert read(TEXT, text("Hi"), END_TURN, ending="cut") == (TextDelta("Hi"), STOPPED)


def test_message_stop_alone_completes_an_answer() -> None:
    """Why it ended was not said."""
    assert last(TEXT, text("Hi"), STOP) == End("other", None, {0: Finish("other")})


def test_a_stream_without_an_end_is_truncated() -> None:
    """A clean end of the body is no end of the answer."""
    assert malformed(read(TEXT, text("Hi"), end())[-1]) == "truncated"


def test_a_broken_connection_is_told_apart_from_it() -> None:
    """That is the network's failure."""
    assert isinstance(read(TEXT, text("Hi"), ending="cut")[-1], NetworkError)


def test_the_last_event_needs_no_blank_line() -> None:
    """If it is whole."""
    assert read_body(body(TEXT, text("Hi"), STOP).rstrip()) == read(TEXT, text("Hi"), STOP)


def test_half_an_event_does_not_count() -> None:
    """Even if it was going to be the last."""
    assert malformed(read_body(body(TEXT, STOP)[:-6])[-1]) == "truncated"


@pytest.mark.parametrize(
    ("raw", "shared"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("something_new", "other"),
    ],
)
def test_every_stop_reason_has_a_shared_word(raw: str, shared: str) -> None:
    """The API's own word stays beside it."""
    end_token = last(reason(raw), STOP)
    assert (end_token.finish, end_token.raw_finish) == (shared, raw)


def test_a_refusal_says_why() -> None:
    """In the words of the API."""
    details = {"stop_reason": "refusal", "stop_details": {"explanation": "Not that."}}
    events = read({"type": "message_delta", "delta": details}, STOP)
    assert events[0] == RefusalDelta("Not that.")


def test_the_end_names_model_and_message() -> None:
    """As the first event told them."""
    end_token = last(start(id="msg_1", model="some-model"), END_TURN, STOP)
    assert (end_token.response_id, end_token.model) == ("msg_1", "some-model")


def test_a_message_that_starts_twice_is_one() -> None:
    """A proxy may repeat the first event, or begin anew."""
    head = start(id="msg_1", model="some-model")
    events = read(head, TEXT, text("Hi"), start(), TEXT, text("Ho"), END_TURN, STOP)
    assert events[:2] == (TextDelta("Hi"), TextDelta("Ho"))
    assert last(head, start(), END_TURN, STOP).response_id == "msg_1"


# What is passed over


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ping"},
        {"type": "something_new", "delta": {"type": "text_delta", "text": "x"}},
        {},
        {"type": "content_block_delta"},
        {"type": "message_start"},
        {"type": "message_delta"},
        delta("citations_delta", citation={}),
        delta("something_new", text="x"),
        arguments('{"query":'),
        end(7),
        "event: data\ndata: [DONE]",
        ": comment",
    ],
    ids=str,
)
def test_what_is_unknown_is_passed_over(event: Event) -> None:
    """The API demands that of its clients; pings and comments are no tokens either."""
    assert read(TEXT, event, text("Hi"), END_TURN, STOP) == (TextDelta("Hi"), STOPPED)


@pytest.mark.parametrize(
    "kind", ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "something_new", None]
)
def test_blocks_of_other_types_are_passed_over(kind: str | None) -> None:
    """With all that they hold: tools that the server runs are not the caller's."""
    other = begin({"type": kind, "id": "srv", "name": "search", "input": {}}, 1)
    hidden = [other, arguments("{}", 1), text("hidden", 1), end(1)]
    events = read(TEXT, *hidden, begin({"type": "text"}, 1), text("Hi", 1), END_TURN, STOP)
    assert events == (TextDelta("Hi"), STOPPED)


# Thinking


def test_thinking_ends_in_its_signature() -> None:
    """Which is a token of its own."""
    events = read(
        begin({"type": "thinking", "thinking": "", "signature": ""}),
        delta("thinking_delta", thinking="I see."),
        delta("signature_delta", signature="c2ln"),
        end(),
        STOP,
    )
    assert events[:-1] == (ReasoningDelta("I see."), ReasoningDelta("", signature="c2ln"))


def test_thinking_may_come_whole() -> None:
    """With the event that begins its block."""
    events = read(begin({"type": "thinking", "thinking": "I see.", "signature": "c2ln"}), STOP)
    assert events[:-1] == (ReasoningDelta("I see."), ReasoningDelta("", signature="c2ln"))


def test_redacted_thinking_is_all_signature() -> None:
    """There is nothing to be shown."""
    events = read(begin({"type": "redacted_thinking", "data": "c2VjcmV0"}), end(), STOP)
    assert events[0] == ReasoningDelta("", signature="redacted_thinking:c2VjcmV0")


# Tool calls


def test_a_tool_call_comes_in_fragments() -> None:
    """Id and name come once."""
    events = read(call(input={}), arguments(""), arguments('{"a":'), arguments("1}"), end(), STOP)
    assert events[:-1] == (
        ToolCallDelta(0, "t1", "look"),
        ToolCallDelta(0, arguments='{"a":'),
        ToolCallDelta(0, arguments="1}"),
    )


def test_no_arguments_are_an_empty_object() -> None:
    """A tool without parameters gets what can be parsed."""
    events = read(call(), arguments(""), end(), reason("tool_use"), STOP)
    assert events == (ToolCallDelta(0, "t1", "look"), ToolCallDelta(0, arguments="{}"), TOOLS)


def test_arguments_may_come_with_the_call() -> None:
    """Where a server does not stream them; deltas that repeat them would make no JSON."""
    events = read(call(input={"a": 1}), end(), STOP)
    assert events[:-1] == (ToolCallDelta(0, "t1", "look", '{"a":1}'),)


def test_calls_are_numbered_in_their_order() -> None:
    """Whatever the index of their blocks."""
    events = read(
        TEXT, end(), call(1), arguments("{}", 1), end(1), call(4, "t2"), arguments("{}", 4), STOP
    )
    assert [event.index for event in events if isinstance(event, ToolCallDelta)] == [0, 0, 1, 1]


def test_blocks_may_stay_open_while_others_begin() -> None:
    """llama.cpp ends them all at the end."""
    events = read(
        call(0), call(1, "t2"), arguments('{"b":2}', 1), arguments('{"a":1}', 0), end(0), STOP
    )
    assert events[2:-1] == (
        ToolCallDelta(1, arguments='{"b":2}'),
        ToolCallDelta(0, arguments='{"a":1}'),
    )


def test_a_block_that_begins_anew_is_another_call() -> None:
    """The one before it ended without saying so."""
    events = read(call(), call(call_id="t2"), arguments('{"a":1}'), STOP)
    assert events[:-1] == (
        ToolCallDelta(0, "t1", "look"),
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1, "t2", "look"),
        ToolCallDelta(1, arguments='{"a":1}'),
    )


def test_a_call_without_id_and_name_still_counts() -> None:
    """It has a number and arguments."""
    events = read(begin({"type": "tool_use"}), arguments('{"a":1}'), STOP)
    assert events[:-1] == (ToolCallDelta(0, arguments='{"a":1}'),)


def test_tool_calls_are_bounded() -> None:
    """By the limit that the error names."""
    limits = Limits(tool_calls=2)
    error = failure(*[call(index) for index in range(3)], limits=limits)
    assert malformed(error) == "limit"
    assert "limits.tool_calls" in error.message


def test_whole_arguments_may_not_nest_too_deep() -> None:
    """Nobody has to walk them."""
    value: Any = 1
    for _ in range(9):
        value = {"a": value}
    error = failure(call(input=value), limits=Limits(json_depth=8))
    assert "limits.json_depth" in error.message


# Usage


def test_input_tokens_are_the_whole_request() -> None:
    """The API leaves out those that its cache read or wrote."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 3000,
        "output_tokens": 1,
    }
    details = {"output_tokens": 40, "output_tokens_details": {"thinking_tokens": 30}}
    assert last(start(usage=usage), reason("end_turn", usage=details), STOP).usage == Usage(
        input_tokens=3210,
        output_tokens=40,
        cached_tokens=200,
        cache_write_tokens=3000,
        reasoning_tokens=30,
    )


def test_later_counts_replace_earlier_ones() -> None:
    """They grow, and some gateways begin with zeros."""
    first, later = {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 7, "output_tokens": 2}
    end_token = last(start(usage=first), reason("end_turn", usage=later), STOP)
    assert end_token.usage == Usage(input_tokens=7, output_tokens=2)


def test_no_counts_are_no_usage() -> None:
    """Zero would be a count."""
    assert last(start(usage={}), END_TURN, STOP).usage is None


def test_output_alone_may_be_counted() -> None:
    """What is not known stays None."""
    usage = {"output_tokens": 2, "cache_read_input_tokens": 5}
    assert last(reason("end_turn", usage=usage), STOP).usage == Usage(
        output_tokens=2, cached_tokens=5
    )


# Failures inside the stream


@pytest.mark.parametrize(
    ("kind", "error_type", "label"),
    [
        ("overloaded_error", OtherError, "overloaded"),
        ("api_error", OtherError, "server"),
        ("timeout_error", OtherError, "timeout"),
        ("invalid_request_error", OtherError, "rejected"),
        ("not_found_error", OtherError, "not_found"),
        ("rate_limit_error", RateLimitError, None),
        ("authentication_error", AuthError, None),
        ("permission_error", AuthError, None),
        ("something_new", OtherError, "server"),
    ],
)
def test_an_error_event_has_its_own_kind(kind: str, error_type: type, label: str | None) -> None:
    """The same as it would have outside of the stream; what came before it counts."""
    event: Event = {"type": "error", "error": {"type": kind, "message": "No."}}
    token, error = read(TEXT, text("Hi"), event)
    assert token == TextDelta("Hi")
    assert type(error) is error_type
    assert getattr(error, "kind", None) == label
    assert isinstance(error, ProviderError)
    assert (error.message, error.code, error.in_stream) == ("No.", kind, True)


def test_an_error_event_names_its_request() -> None:
    """Where there was no header."""
    error = failure({"type": "error", "error": {"message": "No."}, "request_id": "req_1"})
    assert error.request_id == "req_1"


@pytest.mark.parametrize(
    "event",
    [
        'data: {"error":{"message":"boom"}}',
        'data: {"error":"boom"}',
        'data: {"type":"error","message":"boom"}',
        'event: error\ndata: {"message":"boom"}',
        'event: error\ndata: "boom"',
        "event: error\ndata: boom",
        'error: {"message":"boom"}',
    ],
)
def test_errors_come_in_other_shapes(event: str) -> None:
    """From the servers that speak this API as well."""
    error = failure(TEXT, event)
    assert isinstance(error, OtherError)
    assert (error.kind, error.message) == ("server", "boom")


def test_an_error_event_may_say_nothing() -> None:
    """It is an error all the same."""
    assert "without a message" in failure("event: error\ndata: {}").message


def test_an_empty_error_is_none() -> None:
    """Some servers send every member in every event."""
    event = text("Hi")
    assert isinstance(event, dict)
    assert read(TEXT, {**event, "error": None}, END_TURN, STOP)[0] == TextDelta("Hi")
    assert read(TEXT, {**event, "error": {}}, END_TURN, STOP)[0] == TextDelta("Hi")


def test_an_event_that_is_no_json_is_malformed() -> None:
    """A proxy damaged it."""
    assert malformed(failure(TEXT, 'data: {"type":')) == "json"


def test_an_event_that_is_no_object_is_malformed() -> None:
    """The API has no such event."""
    assert malformed(failure(TEXT, "data: [1]")) == "schema"


# Oddities


def test_a_character_torn_over_deltas_is_whole_again() -> None:
    """Half of an emoji is no text."""
    halves = [text("\ud83d"), text("\ude00!")]
    assert read(TEXT, text("\ud83d"), text("\ude00"), STOP)[:-1] == (TextDelta("😀"),)
    assert read(TEXT, *halves, end(), STOP)[:-1] == (TextDelta("😀!"),)


def test_half_a_character_ends_with_its_block() -> None:
    """What never came cannot be waited for."""
    halves: list[Event] = [
        text("a\ud83d"),
        end(),
        begin({"type": "thinking"}),
        delta("thinking_delta", thinking="b\ud83d"),
        delta("signature_delta", signature="c2ln"),
        call(1),
        arguments('{"a":"\ud83d', 1),
        end(1),
    ]
    assert read(TEXT, *halves, STOP)[:-1] == (
        TextDelta("a"),
        TextDelta("\ufffd"),
        ReasoningDelta("b"),
        ReasoningDelta("\ufffd"),
        ReasoningDelta("", signature="c2ln"),
        ToolCallDelta(0, "t1", "look"),
        ToolCallDelta(0, arguments='{"a":"'),
        ToolCallDelta(0, arguments="\ufffd"),
    )


def test_half_a_character_of_arguments_waits() -> None:
    """A fragment that holds nothing else says nothing."""
    events = read(call(), arguments("\ud83d"), arguments('\ude00"}'), STOP)
    assert events[1:-1] == (ToolCallDelta(0, arguments='😀"}'),)


def test_members_of_wrong_types_count_as_unset() -> None:
    """What is usable beside them is used."""
    odd: Event = {
        "type": "content_block_delta",
        "index": -1,
        "delta": {"type": "text_delta", "text": "Hi", "thinking": 7},
        "usage": [],
    }
    assert read(TEXT, odd, reason("end_turn", usage={"output_tokens": "many"}), STOP) == (
        TextDelta("Hi"),
        STOPPED,
    )


def test_counts_of_reasoning_survive_an_odd_event() -> None:
    """Where a later one has none."""
    counts = {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 3}}
    odd = reason("end_turn", usage={"output_tokens": 6.0, "input_tokens": None})
    usage = last(start(usage={**counts, "input_tokens": 1.0}), odd, STOP).usage
    assert usage == Usage(input_tokens=1, output_tokens=6, reasoning_tokens=3)


# Documents


def document(**members: Any) -> bytes:
    """Return a message that did not come as a stream."""
    message = {"id": "msg_1", "type": "message", "model": "some-model", "stop_reason": "end_turn"}
    return json.dumps({**message, **members}, indent=1).encode()


def test_a_message_may_come_whole() -> None:
    """From a server that does not stream."""
    content: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "I see.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
        {"type": "text", "text": "Hi"},
        {"type": "server_tool_use", "id": "s", "name": "search", "input": {"q": 1}},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": [1]}},
        {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
    ]
    events = read_body(document(content=content, usage={"input_tokens": 3, "output_tokens": 4}))
    assert events == (
        ReasoningDelta("I see."),
        ReasoningDelta("", signature="c2ln"),
        ReasoningDelta("", signature="redacted_thinking:eA=="),
        TextDelta("Hi"),
        ToolCallDelta(0, "t1", "look", '{"a":[1]}'),
        ToolCallDelta(1, "t2", "look"),
        ToolCallDelta(1, arguments="{}"),
        End(
            "stop",
            "end_turn",
            {0: Finish("stop", "end_turn")},
            Usage(3, 4),
            "some-model",
            "msg_1",
        ),
    )


def test_a_document_may_be_an_error() -> None:
    """With a status that says success."""
    error = read_body(b'{"type":"error","error":{"type":"overloaded_error","message":"No."}}')[-1]
    assert isinstance(error, OtherError)
    assert error.kind == "overloaded"


@pytest.mark.parametrize("data", [b'{"id":"chatcmpl-1","choices":[]}', b"[]"])
def test_another_document_is_malformed(data: bytes) -> None:
    """It is the answer of another API."""
    assert malformed(read_body(data)[-1]) == "schema"


def test_a_page_is_malformed() -> None:
    """A proxy sent it."""
    assert malformed(read_body(b"<html><title>Sign in</title></html>")[-1]) == "content_type"
