"""Events of a response become tokens."""

from __future__ import annotations

import json

import pytest

from fuzz.exchanges import Response
from tests.recordings import outcome_of
from tests.sansio.wire.openai_responses.streams import (
    CALL,
    COMPLETED,
    JSON,
    SUMMARY,
    added,
    delta,
    done,
    message,
    output_text,
    read,
    read_body,
    stream,
)
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError, OtherError
from tokenwire.tokens import (
    End,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

STOP = End("stop", "completed", {0: Finish("stop", "completed")})
TOOL_CALLS = End("tool_calls", "completed", {0: Finish("tool_calls", "completed")})


def test_text_comes_in_deltas_and_is_not_repeated() -> None:
    """The four events that repeat a text whole bring nothing new."""
    place = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    whole = message(output_text("Hi!"))
    ended = {"type": "response.completed", "response": {"status": "completed", "output": [whole]}}
    assert read(
        added(message(), output_index=0),
        delta("output_text", "Hi", **place),
        delta("output_text", "!", **place),
        {"type": "response.output_text.done", "text": "Hi!", **place},
        {"type": "response.content_part.done", "part": output_text("Hi!"), **place},
        done(whole, output_index=0),
        ended,
    ) == [TextDelta("Hi"), TextDelta("!"), STOP]


def test_a_server_may_leave_out_every_index() -> None:
    """llama.cpp names items by their ids alone."""
    assert read(
        added(CALL),
        delta("function_call_arguments", "{}", item_id="fc_1"),
        added(CALL | {"id": "fc_2", "call_id": "call_2"}),
        delta("function_call_arguments", "[]", item_id="fc_2"),
        done(CALL | {"arguments": "{}"}),
        COMPLETED,
    ) == [
        ToolCallDelta(0, "call_1", "look"),
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1, "call_2", "look"),
        ToolCallDelta(1, arguments="[]"),
        TOOL_CALLS,
    ]


def test_a_server_may_change_ids_from_event_to_event() -> None:
    """GitHub's does: the place in the output counts."""
    assert read(
        delta("output_text", "Hi", output_index=1, item_id="a"),
        {"type": "response.output_text.done", "text": "Hi", "output_index": 1, "item_id": "b"},
        done(message(output_text("Hi")) | {"id": "c"}, output_index=1),
        COMPLETED,
    ) == [TextDelta("Hi"), STOP]


@pytest.mark.parametrize(
    ("event", "token"),
    [
        ({"type": "response.output_text.done", "text": "Hi"}, TextDelta("Hi")),
        ({"type": "response.refusal.done", "refusal": "No."}, RefusalDelta("No.")),
        ({"type": "response.reasoning_text.done", "text": "Hm"}, ReasoningDelta("Hm")),
        ({"type": "response.reasoning_summary_text.done", "text": "Hm"}, ReasoningDelta("Hm")),
        (done(message(output_text("Hi"))), TextDelta("Hi")),
        (done(message({"type": "refusal", "refusal": "No."})), RefusalDelta("No.")),
    ],
)
def test_a_text_that_comes_only_whole_counts(event: JSON, token: object) -> None:
    """Some servers send no deltas."""
    assert read(event, COMPLETED) == [token, STOP]


def test_each_part_that_comes_only_whole_counts() -> None:
    """Not only the first of an item."""
    assert read(
        added(message()),
        {"type": "response.output_text.done", "text": "a", "content_index": 0},
        {"type": "response.output_text.done", "text": "b", "content_index": 1},
        done(message(output_text("a"), output_text("b"))),
        COMPLETED,
    ) == [TextDelta("a"), TextDelta("b"), STOP]


def test_arguments_that_come_only_whole_count() -> None:
    """As one piece, and once."""
    assert read(
        added(CALL, output_index=0),
        {"type": "response.function_call_arguments.done", "arguments": "{}", "output_index": 0},
        done(CALL | {"arguments": "{}"}, output_index=0),
        COMPLETED,
    ) == [ToolCallDelta(0, "call_1", "look"), ToolCallDelta(0, arguments="{}"), TOOL_CALLS]


def test_a_call_may_be_named_after_its_arguments() -> None:
    """Where it was not announced."""
    assert read(
        delta("function_call_arguments", "{}", output_index=0),
        done(CALL | {"arguments": "{}"}, output_index=0),
        COMPLETED,
    ) == [ToolCallDelta(0, arguments="{}"), ToolCallDelta(0, "call_1", "look"), TOOL_CALLS]


def test_a_call_without_a_call_id_has_the_id_of_its_item() -> None:
    """Something has to name it."""
    item = {"type": "function_call", "id": "fc_1", "name": "look"}
    assert read(added(item), COMPLETED)[0] == ToolCallDelta(0, "fc_1", "look")


def test_reasoning_ends_with_what_must_go_back() -> None:
    """The item as it came, except its status."""
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [SUMMARY],
        "encrypted_content": "gAAA",
        "status": "completed",
    }
    summary = delta("reasoning_summary_text", "I see.", item_id="rs_1")
    text, signed, _ = read(summary, done(item), COMPLETED)
    assert text == ReasoningDelta("I see.")
    assert isinstance(signed, ReasoningDelta)
    del item["status"]
    assert json.loads(signed.signature or "") == item


def test_reasoning_that_proves_nothing_has_no_signature() -> None:
    """Plain text without an id could not be recognised."""
    item = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]}
    assert read(done(item), COMPLETED) == [ReasoningDelta("Hm"), STOP]


def test_log_probabilities_come_with_their_text() -> None:
    """Alternatives included."""
    logprobs = [
        {"token": "Hi", "logprob": -0.5, "top_logprobs": [{"token": "Ho", "logprob": -1.5}]}
    ]
    assert read(delta("output_text", "Hi", logprobs=logprobs), COMPLETED) == [
        TextDelta("Hi", logprobs=(TokenLogprob("Hi", -0.5, (("Ho", -1.5),)),)),
        STOP,
    ]


def test_a_delta_without_text_is_no_token() -> None:
    """It says nothing."""
    assert read(delta("output_text", ""), COMPLETED) == [STOP]


def test_a_character_torn_over_two_deltas_is_mended() -> None:
    """Where the server cuts by UTF-16 code units."""
    body = (
        b'data: {"type":"response.output_text.delta","delta":"a\\ud83d"}\n\n'
        b'data: {"type":"response.output_text.delta","delta":"\\ude00"}\n\n'
    )
    assert read_body(body + stream(COMPLETED)).partial.text == "a\N{GRINNING FACE}"


def test_half_a_character_at_the_end_is_replaced() -> None:
    """Its other half never comes."""
    body = b'data: {"type":"response.function_call_arguments.delta","delta":"\\ud83d"}\n\n'
    assert read_body(body + stream(COMPLETED)).events == (
        ToolCallDelta(0, arguments="\N{REPLACEMENT CHARACTER}"),
        TOOL_CALLS,
    )


def test_an_event_may_have_its_type_as_its_name_alone() -> None:
    """The JSON repeats it only on the reference server."""
    body = b'event: response.output_text.delta\ndata: {"delta":"Hi"}\n\n'
    assert read_body(body + stream(COMPLETED)).events[0] == TextDelta("Hi")


def test_what_is_not_known_is_passed_over() -> None:
    """Tools on the server, new items and new events."""
    search = {"type": "web_search_call", "id": "ws_1"}
    assert read(
        {"type": "response.queued", "response": {}},
        added(search),
        {"type": "response.web_search_call.searching"},
        {"type": "message"},
        done(search),
        COMPLETED,
    ) == [STOP]


def test_the_end_tells_id_model_and_usage() -> None:
    """Where the server says them."""
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 14,
    }
    response = {"id": "resp_1", "model": "m-1", "status": "completed", "usage": usage}
    [end] = read(
        {"type": "response.created", "response": {"id": "resp_1", "model": "m-1"}},
        {"type": "response.completed", "response": response},
    )
    assert end == End(
        "stop",
        "completed",
        {0: Finish("stop", "completed")},
        Usage(9, 5, 14, 4, 2, 3),
        "m-1",
        "resp_1",
    )


@pytest.mark.parametrize(
    ("details", "reason", "raw"),
    [
        ({"reason": "max_output_tokens"}, "length", "max_output_tokens"),
        ({"reason": "content_filter"}, "content_filter", "content_filter"),
        ({"reason": "steered"}, "other", "steered"),
        (None, "other", "incomplete"),
    ],
)
def test_an_incomplete_response_says_why(details: JSON | None, reason: str, raw: str) -> None:
    """An unknown reason is other, never stop."""
    response = {"status": "incomplete", "incomplete_details": details}
    [end] = read({"type": "response.incomplete", "response": response})
    assert isinstance(end, End)
    assert (end.finish, end.raw_finish) == (reason, raw)


def test_a_failed_response_keeps_what_came_before() -> None:
    """The text is not lost for the error."""
    error = {"code": "server_error", "message": "Oh no."}
    text, failure = read(
        delta("output_text", "Hi"),
        {"type": "response.failed", "response": {"status": "failed", "error": error}},
    )
    assert text == TextDelta("Hi")
    assert isinstance(failure, OtherError)
    assert (failure.kind, failure.message, failure.in_stream) == ("server", "Oh no.", True)


def test_items_that_only_the_end_brings_count() -> None:
    """Some servers stream the text, but not the calls."""
    output = [message(output_text("Hi")), CALL | {"arguments": "{}"}]
    response = {"status": "completed", "output": output}
    assert read(
        delta("output_text", "Hi"), {"type": "response.completed", "response": response}
    ) == [
        TextDelta("Hi"),
        ToolCallDelta(0, "call_1", "look"),
        ToolCallDelta(0, arguments="{}"),
        TOOL_CALLS,
    ]


def test_items_of_a_type_that_is_no_text_are_passed_over() -> None:
    """They cannot be told apart, and say nothing."""
    response = {"status": "completed", "output": [{"type": ["message"]}, "message", 5]}
    assert read({"type": "response.completed", "response": response}) == [STOP]


def test_a_document_in_place_of_a_stream_is_a_whole_answer() -> None:
    """From a server that ignores the wish for a stream."""
    document = {"status": "completed", "output": [message(output_text("Hi"))]}
    assert read_body(json.dumps(document).encode()).events == (TextDelta("Hi"), STOP)


def test_a_document_of_a_response_that_goes_on_is_no_answer() -> None:
    """A background response is only a promise."""
    [error] = read_body(b'{"status":"queued","output":[]}').events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"


def test_a_document_may_report_an_error() -> None:
    """With status 200."""
    [error] = read_body(b'{"error":{"message":"Busy","code":"server_is_overloaded"}}').events
    assert isinstance(error, OtherError)
    assert error.kind == "overloaded"


def test_any_other_document_is_malformed() -> None:
    """It is JSON, but none of this API."""
    [error] = read_body(b'{"choices":[]}').events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "schema"


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b"data: [DONE]"])
def test_a_stream_without_a_terminal_event_is_cut_off(tail: bytes) -> None:
    """An end marker of another API does not make it whole."""
    *_, error = read_body(stream(delta("output_text", "Hi")) + tail).events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"


def test_the_terminal_event_may_lack_its_blank_line() -> None:
    """It is whole JSON."""
    assert read_body(stream(COMPLETED).rstrip()).events == (STOP,)


def test_an_end_marker_behind_the_terminal_event_changes_nothing() -> None:
    """OpenRouter sends one."""
    assert read_body(stream(COMPLETED) + b"data: [DONE]\n\n").events == (STOP,)


def test_json_that_is_no_object_is_malformed() -> None:
    """Every event is one."""
    [error] = read_body(b"data: [1]\n\n").events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "schema"


def test_an_endless_id_still_names_its_item() -> None:
    """No more than its beginning is kept."""
    item_id = "x" * 5000
    assert read(
        added(CALL | {"id": item_id}),
        added(CALL | {"id": "fc_2"}),
        delta("function_call_arguments", "{}", item_id=item_id),
        COMPLETED,
    )[-2] == ToolCallDelta(0, arguments="{}")


def test_the_number_of_items_is_bounded() -> None:
    """However cheap each of them is."""
    limits = Limits(tool_calls=2)
    body = stream(*(added(CALL | {"id": f"fc_{n}"}) for n in range(3)))
    *_, error = outcome_of("openai-responses", Response(body), limits=limits).events
    assert isinstance(error, MalformedResponseError)
    assert "limits.tool_calls" in error.message
