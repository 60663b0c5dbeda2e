"""Chunks become tokens."""

from __future__ import annotations

import json

import pytest

from fuzz.exchanges import Response
from tests.recordings import outcome_of
from tests.sansio.wire.gemini.streams import (
    JSON,
    call,
    chunk,
    read,
    read_body,
    stream,
    text,
    thought,
)
from tokenwire.endpoint import Limits
from tokenwire.errors import MalformedResponseError, OtherError
from tokenwire.tokens import End, Finish, ReasoningDelta, TextDelta, Usage
from tokenwire.wire.gemini.signatures import Signature

STOP = End("stop", "STOP", {0: Finish("stop", "STOP")})


def test_text_and_thoughts_are_told_apart() -> None:
    """A thought says that it is one."""
    assert read(chunk(thought("Hm")), chunk(text("Hi")), chunk(text("!"), finish="STOP")) == [
        ReasoningDelta("Hm"),
        TextDelta("Hi"),
        TextDelta("!"),
        STOP,
    ]


def test_a_signature_says_what_it_signs() -> None:
    """A thought or a text, and how much of it."""
    assert read(
        chunk(thought("Hm", thoughtSignature="c2ln"), text("Hi", thoughtSignature="dGV4")),
        chunk(text("", thoughtSignature="ZW5k"), finish="STOP"),
    ) == [
        ReasoningDelta("Hm"),
        ReasoningDelta("", signature=Signature("c2ln", 2, of_thought=True).pack()),
        TextDelta("Hi"),
        ReasoningDelta("", signature=Signature("dGV4", 2).pack()),
        ReasoningDelta("", signature=Signature("ZW5k", 0).pack()),
        STOP,
    ]


def test_other_parts_are_passed_over() -> None:
    """Such as code that ran on the server."""
    assert read(chunk({"executableCode": {"code": "1+1"}}, finish="STOP")) == [STOP]


def test_a_candidate_may_have_no_content() -> None:
    """As when all tokens went into thoughts."""
    candidate: JSON = {"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}
    [end] = read({"candidates": [candidate]})
    assert isinstance(end, End)
    assert (end.finish, end.raw_finish) == ("length", "MAX_TOKENS")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "other"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_every_finish_reason_has_its_word(raw: str, reason: str) -> None:
    """What is not known is other, never stop."""
    [end] = read(chunk(finish=raw))
    assert isinstance(end, End)
    assert (end.finish, end.raw_finish) == (reason, raw)


def test_stop_with_calls_means_that_tools_are_wanted() -> None:
    """The API has no word of its own for it."""
    *_, end = read(chunk(call("look", {}), finish="STOP"))
    assert isinstance(end, End)
    assert (end.finish, end.raw_finish) == ("tool_calls", "STOP")


def test_candidates_are_kept_apart() -> None:
    """Each with its own finish reason, and in the order of their numbers."""
    assert read(
        chunk(text("b"), index=1),
        chunk(text("a"), index=0, finish="STOP"),
        chunk(index=1, finish="SAFETY"),
    ) == [
        TextDelta("b", 1),
        TextDelta("a", 0),
        End(
            "stop",
            "STOP",
            {0: Finish("stop", "STOP"), 1: Finish("content_filter", "SAFETY")},
        ),
    ]


def test_the_last_counts_are_those_of_the_whole_answer() -> None:
    """They are cumulative; chunks that say only what kind of traffic it was do not count."""
    usage = {
        "promptTokenCount": 9,
        "toolUsePromptTokenCount": 1,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 18,
    }
    *_, end = read(
        chunk(text("a"), usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 1}),
        chunk(finish="STOP", usageMetadata=usage, modelVersion="m-1", responseId="r-1"),
        {"usageMetadata": {"trafficType": "ON_DEMAND"}},
    )
    assert end == End(
        "stop",
        "STOP",
        {0: Finish("stop", "STOP")},
        Usage(10, 8, 18, 4, None, 3),
        "m-1",
        "r-1",
    )


def test_counts_that_were_not_sent_stay_unknown() -> None:
    """None is not nought."""
    *_, end = read(chunk(finish="STOP", usageMetadata={"promptTokenCount": 9}))
    assert isinstance(end, End)
    assert end.usage == Usage(9)


def test_a_blocked_prompt_is_an_error() -> None:
    """There are no candidates, and there is a reason."""
    [error] = read({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}})
    assert isinstance(error, OtherError)
    assert (error.kind, error.code) == ("content_filter", "SAFETY")
    assert error.message == "the prompt was blocked (SAFETY): No."


def test_feedback_without_a_reason_blocks_nothing() -> None:
    """It may hold ratings alone."""
    assert read(chunk(finish="STOP", promptFeedback={"safetyRatings": []})) == [STOP]


def test_an_error_in_the_stream_ends_it() -> None:
    """As an event among the others."""
    body = stream(chunk(text("Hi"))) + b'data: {"error":{"code":503,"status":"UNAVAILABLE"}}\n\n'
    token, error = read_body(body).events
    assert token == TextDelta("Hi")
    assert isinstance(error, OtherError)
    assert (error.kind, error.status, error.in_stream) == ("overloaded", 503, True)


@pytest.mark.parametrize(
    "event",
    [
        b'data: [{"error":{"code":503,"status":"UNAVAILABLE"}}]',
        b'event: error\ndata: {"error":{"code":503,"status":"UNAVAILABLE"}}',
    ],
)
def test_an_error_may_be_wrapped(event: bytes) -> None:
    """In an array, or by the name of its event."""
    [error] = read_body(event + b"\n\n").events
    assert isinstance(error, OtherError)
    assert error.kind == "overloaded"


def test_a_character_torn_over_two_chunks_is_mended() -> None:
    """Where the server cuts by UTF-16 code units."""
    body = (
        b'data: {"candidates":[{"content":{"parts":[{"text":"a\\ud83d"}]}}]}\n\n'
        b'data: {"candidates":[{"content":{"parts":[{"text":"\\ude00"}]}}]}\n\n'
    )
    outcome = read_body(body + stream(chunk(finish="STOP")))
    assert outcome.partial.text == "a\N{GRINNING FACE}"


def test_half_a_character_at_the_end_is_replaced() -> None:
    """Its other half never comes."""
    part = b'{"text":"\\ud83d","thought":true}'
    body = b'data: {"candidates":[{"content":{"parts":[%s]},"finishReason":"STOP"}]}\n\n' % part
    assert read_body(body).events == (ReasoningDelta("\N{REPLACEMENT CHARACTER}"), STOP)


def test_members_of_a_wrong_type_count_as_unset() -> None:
    """The rest of the chunk still counts."""
    odd: JSON = {
        "candidates": [
            {
                "index": "0",
                "content": {"parts": [{"text": 5}, {"text": "Hi", "thought": "no"}, None]},
                "finishReason": "STOP",
            },
            None,
        ],
        "usageMetadata": {"promptTokenCount": "9", "candidatesTokenCount": 1},
        "promptFeedback": {"blockReason": None},
    }
    token, end = read(odd)
    assert token == TextDelta("Hi")
    assert isinstance(end, End)
    assert end.usage == Usage(output_tokens=1)


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b"data: [DONE]"])
def test_a_stream_without_a_finish_reason_is_cut_off(tail: bytes) -> None:
    """An end marker of another API does not make it whole."""
    *_, error = read_body(stream(chunk(text("Hi"))) + tail).events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"


@pytest.mark.parametrize("tail", [b"data: [DONE]\n\n", b"data: [DONE]"])
def test_an_end_marker_behind_a_whole_answer_is_accepted(tail: bytes) -> None:
    """Proxies add one."""
    assert read_body(stream(chunk(finish="STOP")) + tail).events == (STOP,)


def test_the_last_chunk_may_lack_its_blank_line() -> None:
    """It is whole JSON."""
    assert read_body(stream(chunk(finish="STOP")).rstrip()).events == (STOP,)


def test_a_connection_may_break_behind_the_finish_reason() -> None:
    """Nothing is missing but the connection."""
    outcome = outcome_of("gemini", Response(stream(chunk(finish="STOP")), ending="cut"))
    assert outcome.events == (STOP,)


def test_json_that_is_no_object_is_malformed() -> None:
    """Every event is one."""
    [error] = read_body(b"data: [1]\n\n").events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "schema"


@pytest.mark.parametrize("in_array", [False, True])
def test_a_document_in_place_of_a_stream_is_a_whole_answer(in_array: bool) -> None:
    """From a server that ignores the wish for events: one answer, or an array of chunks."""
    chunks = [chunk(text("Hi")), chunk(finish="STOP")]
    document = json.dumps(chunks if in_array else chunk(text("Hi"), finish="STOP"))
    assert read_body(document.encode()).events == (TextDelta("Hi"), STOP)


def test_a_document_without_a_finish_reason_is_cut_off() -> None:
    """It began, but did not end."""
    *_, error = read_body(json.dumps(chunk(text("Hi"))).encode()).events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"


def test_any_other_document_is_malformed() -> None:
    """It is JSON, but none of this API."""
    [error] = read_body(b'{"choices":[]}').events
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "schema"


def test_a_finish_reason_is_bounded() -> None:
    """Every candidate has one until the end."""
    [end] = read(chunk(finish="X" * 1000))
    assert isinstance(end, End)
    assert end.raw_finish == "X" * 256


def test_the_number_of_candidates_is_bounded() -> None:
    """However cheap each of them is."""
    body = stream(*(chunk(text("a"), index=index) for index in range(3)))
    *_, error = outcome_of("gemini", Response(body), limits=Limits(choices=2)).events
    assert isinstance(error, MalformedResponseError)
    assert "limits.choices" in error.message
