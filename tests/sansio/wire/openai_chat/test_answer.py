"""From the bytes of a chat completion to an exact list of tokens."""

import json
import re
from typing import Any

import pytest

from tests.sansio.exchanges import failure_of, read, streaming
from tests.sansio.wire.openai_chat.streams import DONE, body, choice, chunk, text
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
from tokenwire.wire.openai_chat.reasoning_details import ReasoningDetails

STOP = chunk({}, "stop")


def end(finish: Any = "stop", raw: str | None = "stop", **facts: Any) -> End:
    """Return the end of an answer with one choice."""
    return End(finish, raw, finishes={0: Finish(finish, raw)}, **facts)


def test_the_reference_stream() -> None:
    """Role, text, finish reason, usage and the marker, as OpenAI sends them."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "some-model"}
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 3,
        "total_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    events: list[dict[str, Any] | str] = [
        head | chunk({"role": "assistant", "content": "", "refusal": None}, usage=None),
        head | chunk({"content": "Hel"}, usage=None, obfuscation="abc"),
        head | chunk({"content": "lo"}, usage=None),
        head | chunk({}, "stop", usage=None),
        head | {"choices": [], "usage": usage},
        DONE,
    ]
    assert read(body(*events)) == [
        TextDelta("Hel"),
        TextDelta("lo"),
        end(
            usage=Usage(5, 3, 8, 2, 1, 1),
            model="some-model",
            response_id="chatcmpl-1",
        ),
    ]


def test_the_end_comes_with_the_marker() -> None:
    """Nobody waits for a server that holds the connection open behind it."""
    exchange = streaming()
    assert exchange.receive_data(body(text("Hi"), STOP)) == [TextDelta("Hi")]
    assert exchange.receive_data(body(DONE)) == [end()]


def test_the_end_waits_for_the_usage() -> None:
    """It comes behind the finish reason, and before the marker."""
    usage: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert read(body(STOP, usage)) == [end(usage=Usage(1, 2))]


def test_a_marker_without_finish_reason_ends_the_answer() -> None:
    """Some servers send only that; why it ended is not known."""
    assert read(body(text("Hi"), DONE)) == [TextDelta("Hi"), end("other", None)]


def test_a_marker_alone_is_an_answer() -> None:
    """An empty one, without any choice."""
    assert read(body(DONE)) == [End("other")]


def test_a_finish_reason_without_marker_ends_the_answer() -> None:
    """With the body, for servers that send no marker."""
    assert read(body(text("Hi"), STOP)) == [TextDelta("Hi"), end()]


@pytest.mark.parametrize("marker", ["[DONE]", " [DONE]", "[DONE] ", "[DONE]\t"])
def test_white_space_around_the_marker_does_not_matter(marker: str) -> None:
    """It is not JSON, so nothing else says where it begins."""
    assert read(body(STOP, marker)) == [end()]


@pytest.mark.parametrize("marker", ["[done]", "DONE", "[DONE]]", "[DONE]x"])
def test_what_resembles_the_marker_is_damage(marker: str) -> None:
    """Only the marker is the marker."""
    error = failure_of(read(body(STOP, marker)))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "json"


def test_nothing_behind_the_marker_counts() -> None:
    """Not even an error."""
    assert read(body(STOP, DONE, {"error": {"message": "late"}}, text("late"))) == [end()]


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("insufficient_system_resource", "other"),
        ("STOP", "other"),
        ("abort", "other"),
    ],
)
def test_every_finish_reason_has_its_word(raw: str, finish: str) -> None:
    """The server's own word stays beside it; an unknown one is never `stop`."""
    assert read(body(chunk({}, raw))) == [end(finish, raw)]


@pytest.mark.parametrize("finish", [None, ""])
def test_an_empty_finish_reason_is_none(finish: str | None) -> None:
    """Some servers send an empty string until they know."""
    error = failure_of(read(body(chunk({"content": "Hi"}, finish))))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"


def test_the_last_finish_reason_counts() -> None:
    """Some servers send one on every chunk behind the first."""
    assert read(body(chunk({}, "length"), chunk({}, "stop"))) == [end()]


def test_an_empty_word_does_not_take_a_finish_reason_back() -> None:
    """A chunk behind the finish may say nothing of it."""
    assert read(body(STOP, chunk({"content": ""}, ""), chunk({}))) == [end()]


def test_text_behind_a_finish_reason_still_counts() -> None:
    """The reason came early, the answer goes on."""
    assert read(body(chunk({"content": "a"}, "stop"), text("b"), DONE)) == [
        TextDelta("a"),
        TextDelta("b"),
        end(),
    ]


@pytest.mark.parametrize("events", [[text("Hi")], [chunk({})], [{"choices": []}]])
def test_an_end_without_marker_or_reason_is_truncated(events: list[dict[str, Any]]) -> None:
    """It is never success, whatever had come."""
    error = failure_of(read(body(*events)))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.retryable, error.in_stream) == ("truncated", True, True)


def test_every_choice_needs_a_finish_reason() -> None:
    """One that began and did not finish is missing its end."""
    one = {"choices": [choice({"content": "a"}, "stop"), choice({"content": "b"}, index=1)]}
    error = failure_of(read(body(one)))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"


def test_choices_interleave() -> None:
    """Each token says which choice it belongs to, the end speaks of all."""
    both = {"choices": [choice({"content": "c"}, index=1), choice({"content": "d"})]}
    finished = {"choices": [choice({}, "length", 1), choice({}, "stop", 0)]}
    assert read(body(both, finished)) == [
        TextDelta("c", 1),
        TextDelta("d", 0),
        End("stop", "stop", finishes={0: Finish("stop", "stop"), 1: Finish("length", "length")}),
    ]


def test_the_end_speaks_of_the_first_choice() -> None:
    """The one with the lowest number, whichever that is."""
    [last] = read(body({"choices": [choice({}, "length", 3), choice({}, "stop", 2)]}))
    assert isinstance(last, End)
    assert (last.finish, list(last.finishes)) == ("stop", [2, 3])


QUIET: list[dict[str, Any] | str] = [
    "",
    "  ",
    '{"x":"\\ud83d"}',
    '{"x":1e999}',
    {},
    {"choices": []},
    {"choices": None},
    {"choices": [choice(None)]},
    {"choices": [choice({})]},
    {"choices": [choice({"content": None})]},
    {"choices": [choice({"content": ""})]},
    {"choices": [choice({"content": []})]},
    {"choices": [choice({"content": 5})]},
    {"choices": [choice({"role": "assistant", "unknown": {"a": [1]}})]},
    {"choices": [choice({"reasoning_content": "", "reasoning": None, "refusal": ""})]},
    {"choices": [choice({"tool_calls": [], "reasoning_details": []})]},
    {"choices": [choice({"tool_calls": None})]},
    {"choices": [{}]},
    {"choices": [choice("x")]},
    {"choices": "x"},
    {"prompt_filter_results": [{}], "choices": []},
    {"error": None, "choices": []},
    {"error": "", "choices": []},
    {"error": {}, "choices": []},
    {"moderation": {"input": {}}, "service_tier": "default"},
]


@pytest.mark.parametrize("quiet", QUIET)
def test_a_chunk_that_says_nothing_is_passed_over(quiet: dict[str, Any] | str) -> None:
    """Members may be missing, null, empty, unknown or of another type."""
    assert read(body(quiet, text("Hi"), quiet, STOP, quiet, DONE)) == [TextDelta("Hi"), end()]


def test_a_choice_without_index_is_the_first() -> None:
    """Servers with one choice leave its number out."""
    assert read(body({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})) == [
        TextDelta("Hi"),
        end(),
    ]


@pytest.mark.parametrize("index", [-1, "1", None, 0.5, True])
def test_an_unusable_index_counts_as_the_first(index: Any) -> None:
    """There is nothing better to make of it."""
    odd = {"choices": [choice({"content": "Hi"}, "stop") | {"index": index}]}
    assert read(body(odd)) == [TextDelta("Hi"), end()]


@pytest.mark.parametrize(
    ("delta", "tokens"),
    [
        ({"reasoning_content": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning_content": "hm", "reasoning": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning_content": "", "reasoning": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, [ReasoningDelta("hm")]),
        (
            {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
            [ReasoningDelta("hm")],
        ),
        ({"content": "a", "reasoning": "hm"}, [TextDelta("a"), ReasoningDelta("hm")]),
        ({"refusal": "No."}, [RefusalDelta("No.")]),
        (
            {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]},
            [TextDelta("a"), ReasoningDelta("hm")],
        ),
    ],
)
def test_reasoning_and_refusals_have_their_spellings(
    delta: dict[str, Any], tokens: list[object]
) -> None:
    """What servers say under several names is said once."""
    assert read(body(chunk(delta), STOP)) == [*tokens, end()]


def test_pieces_of_another_choice_say_so() -> None:
    """All kinds of them."""
    delta = {
        "content": "a",
        "reasoning": "b",
        "refusal": "c",
        "tool_calls": [{"index": 0, "id": "1", "function": {"name": "f"}}],
    }
    last = {"choices": [choice({}, "stop", 1)]}
    assert read(body({"choices": [choice(delta, index=1)]}, last))[:-1] == [
        TextDelta("a", 1),
        ReasoningDelta("b", 1),
        RefusalDelta("c", 1),
        ToolCallDelta(0, "1", "f", "", 1),
    ]


def test_tool_calls_come_in_fragments() -> None:
    """Id and name once, then the arguments."""

    def calls(**fragment: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [fragment]})

    assert read(
        body(
            calls(index=0, id="call_1", type="function", function={"name": "f", "arguments": ""}),
            calls(index=0, function={"arguments": '{"a":'}),
            calls(index=0, function={"arguments": "1}"}),
            chunk({}, "tool_calls"),
            DONE,
        )
    ) == [
        ToolCallDelta(0, "call_1", "f"),
        ToolCallDelta(0, arguments='{"a":'),
        ToolCallDelta(0, arguments="1}"),
        end("tool_calls", "tool_calls"),
    ]


def test_a_fragment_that_says_nothing_is_no_token() -> None:
    """An index alone is no news, nor is a repeated name."""
    fragments = [
        {"index": 0, "id": "1", "function": {"name": "f"}},
        {"index": 0},
        {"index": 0, "function": None},
        {"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "id": "", "function": {"name": "", "arguments": None}},
    ]
    events = [chunk({"tool_calls": [fragment]}) for fragment in fragments]
    assert read(body(*events, STOP)) == [ToolCallDelta(0, "1", "f"), end()]


def test_a_fragment_that_says_nothing_does_not_hide_the_next() -> None:
    """Both may come in one delta."""
    fragments = [{"index": 0}, {"index": 1, "id": "1", "function": {"name": "f"}}]
    assert read(body(chunk({"tool_calls": fragments}), STOP)) == [
        ToolCallDelta(0, "1", "f"),
        end(),
    ]


def test_arguments_of_several_calls_may_come_without_index() -> None:
    """They belong to the last calls, in their order."""
    begun = [{"id": name, "function": {"name": name}} for name in ("f", "g")]
    grown = [{"function": {"arguments": text}} for text in ("1", "2")]
    assert read(body(chunk({"tool_calls": begun}), chunk({"tool_calls": grown}), STOP)) == [
        ToolCallDelta(0, "f", "f"),
        ToolCallDelta(1, "g", "g"),
        ToolCallDelta(0, arguments="1"),
        ToolCallDelta(1, arguments="2"),
        end(),
    ]


def test_arguments_that_are_json_become_its_text() -> None:
    """Some servers send the object itself."""
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": {"a": [1, "é"]}}}
    assert read(body(chunk({"tool_calls": [call]}), STOP)) == [
        ToolCallDelta(0, "1", "f", '{"a":[1,"é"]}'),
        end(),
    ]


def test_a_signature_of_a_call_is_kept() -> None:
    """Gemini wants its thought signature back."""
    extra = {"google": {"thought_signature": "opaque"}}
    call = {"index": 0, "id": "1", "function": {"name": "f"}, "extra_content": extra}
    [token, _] = read(body(chunk({"tool_calls": [call]}), STOP))
    assert token == ToolCallDelta(
        0, "1", "f", signature='{"google":{"thought_signature":"opaque"}}'
    )


def test_signed_reasoning_comes_before_the_end() -> None:
    """The details of all deltas as one, for each choice that has any."""

    def details(number: int, **detail: Any) -> dict[str, Any]:
        return {"choices": [choice({"reasoning_details": [detail]}, index=number)]}

    tokens = read(
        body(
            details(0, type="reasoning.text", text="h", index=0),
            details(1, type="reasoning.encrypted", data="x", index=0),
            details(0, type="reasoning.text", text="m", signature="s", index=0),
            DONE,
        )
    )
    assert tokens[:-1] == [
        ReasoningDelta("h", 0),
        ReasoningDelta("m", 0),
        ReasoningDelta("", 0, '[{"type":"reasoning.text","index":0,"text":"hm","signature":"s"}]'),
        ReasoningDelta("", 1, '[{"type":"reasoning.encrypted","index":0,"data":"x"}]'),
    ]


LOGPROBS = {
    "content": [
        {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []},
        {
            "token": "!",
            "logprob": -1,
            "top_logprobs": [{"token": "!", "logprob": -1}, {"token": "?", "logprob": -2.5}],
        },
    ]
}
TOKEN_LOGPROBS = (
    TokenLogprob("Hi", -0.5),
    TokenLogprob("!", -1, (("!", -1.0), ("?", -2.5))),
)


def test_log_probabilities_come_with_their_text() -> None:
    """Each model token, with its alternatives."""
    event = {"choices": [choice({"content": "Hi!"}, "stop", logprobs=LOGPROBS)]}
    assert read(body(event)) == [TextDelta("Hi!", 0, TOKEN_LOGPROBS), end()]


@pytest.mark.parametrize("delta", [{}, {"content": ""}, {"content": None}])
def test_log_probabilities_may_come_without_text(delta: dict[str, Any]) -> None:
    """A model token may be half a character."""
    event = {"choices": [choice(delta, "stop", logprobs=LOGPROBS)]}
    assert read(body(event)) == [TextDelta("", 0, TOKEN_LOGPROBS), end()]


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}])
def test_no_log_probabilities_are_none(logprobs: Any) -> None:
    """Unset is not the same as an empty list to look into."""
    event = {"choices": [choice({"content": "Hi"}, "stop", logprobs=logprobs)]}
    assert read(body(event)) == [TextDelta("Hi"), end()]


USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [], "usage": USAGE},
        {"usage": USAGE},
        {"choices": [choice({}, usage=USAGE)]},
        {"choices": [], "x_groq": {"id": "1", "usage": USAGE}},
        {"choices": [choice({})], "x_groq": {"usage": USAGE}},
    ],
)
def test_usage_has_four_places(event: dict[str, Any]) -> None:
    """Of its own, in the chunk, in the choice, and in an object of one vendor."""
    assert read(body(STOP, event, DONE)) == [end(usage=Usage(1, 2, 3))]


def test_usage_of_the_chunk_goes_before_a_vendors() -> None:
    """Groq sends both."""
    event: dict[str, Any] = {
        "choices": [],
        "usage": USAGE,
        "x_groq": {"usage": {"prompt_tokens": 9}},
    }
    assert read(body(STOP, event)) == [end(usage=Usage(1, 2, 3))]


def test_the_last_usage_counts() -> None:
    """Some servers send it with every chunk, counted up."""
    first = chunk({}, usage={"prompt_tokens": 1, "completion_tokens": 1})
    second = chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2})
    assert read(body(first, second)) == [end(usage=Usage(1, 2))]


@pytest.mark.parametrize(
    "empty", [None, {}, {"prompt_tokens": None}, {"total_tokens": 9}, [], "x", 5]
)
def test_a_usage_that_says_nothing_does_not_count(empty: Any) -> None:
    """It does not take the one before it away."""
    assert read(body(chunk({}, "stop", usage=USAGE), {"choices": [], "usage": empty}, DONE)) == [
        end(usage=Usage(1, 2, 3))
    ]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 0}, Usage(input_tokens=0)),
        ({"completion_tokens": 0}, Usage(output_tokens=0)),
        (
            {"prompt_tokens": 5, "prompt_cache_hit_tokens": 4},
            Usage(input_tokens=5, cached_tokens=4),
        ),
        (
            {
                "prompt_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 0},
                "prompt_cache_hit_tokens": 4,
            },
            Usage(input_tokens=5, cached_tokens=0),
        ),
        (
            {"prompt_tokens": 5.0, "completion_tokens": -1, "total_tokens": "5"},
            Usage(input_tokens=5),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens_details": None, "prompt_tokens_details": []},
            Usage(input_tokens=5),
        ),
    ],
)
def test_what_usage_does_not_say_is_none(usage: dict[str, Any], counted: Usage) -> None:
    """Zero is said, an unusable count is not."""
    assert read(body(chunk({}, "stop", usage=usage))) == [end(usage=counted)]


def test_the_first_id_and_model_count() -> None:
    """They may come late, and separately, and later ones change nothing."""
    events = [
        text("a"),
        chunk({}, id="", model=None),
        chunk({}, id="one"),
        chunk({}, id="two", model="some-model"),
        chunk({}, "stop", id="three", model="other"),
    ]
    assert read(body(*events))[-1] == end(response_id="one", model="some-model")


# JSON that is not quite JSON


def test_a_character_torn_over_two_deltas_is_joined() -> None:
    """Each kind of text has its own torn characters."""
    halves = [
        {"content": half, "reasoning": half, "refusal": half}
        | {"tool_calls": [{"index": 0, "id": "1", "function": {"arguments": half}}]}
        for half in ("\ud83d", "\ude00")
    ]
    assert read(body(chunk(halves[0]), chunk(halves[1]), STOP)) == [
        ToolCallDelta(0, "1"),
        TextDelta("😀"),
        ReasoningDelta("😀"),
        RefusalDelta("😀"),
        ToolCallDelta(0, arguments="😀"),
        end(),
    ]


def test_a_half_character_that_stays_alone_is_replaced() -> None:
    """At the end there is nothing more to wait for, in any kind of text and any choice."""
    delta = {
        "content": "a\ud83d",
        "reasoning": "\ud83d",
        "refusal": "\ud83d",
        "tool_calls": [{"index": 7, "id": "1", "function": {"arguments": "\ud83d"}}],
    }
    event = {"choices": [choice(delta, "stop", 1)]}
    assert read(body(event))[:-1] == [
        TextDelta("a", 1),
        ToolCallDelta(0, "1", choice=1),
        TextDelta("\ufffd", 1),
        ReasoningDelta("\ufffd", 1),
        RefusalDelta("\ufffd", 1),
        ToolCallDelta(0, arguments="\ufffd", choice=1),
    ]


def test_halves_of_different_calls_are_not_joined() -> None:
    """Nor are those of different choices."""

    def torn(index: int, call: int, half: str) -> dict[str, Any]:
        fragment = {"index": call, "function": {"arguments": half}}
        return choice({"content": half, "tool_calls": [fragment]}, "stop", index)

    tokens = read(
        body(
            {"choices": [torn(0, 0, "\ud83d"), torn(1, 0, "\ude00")]},
            {"choices": [torn(0, 1, "\ude00")]},
        )
    )
    assert TextDelta("😀", 0) in tokens
    assert TextDelta("\ufffd", 1) in tokens
    assert [t for t in tokens if isinstance(t, ToolCallDelta) and "😀" in t.arguments] == []


def test_log_probabilities_are_kept_beside_torn_text() -> None:
    """Both may be odd at once."""
    odd = {
        "choices": [
            choice(
                {"content": "a\ud83d"}, logprobs={"content": [{"token": "\ud83d", "logprob": -1}]}
            )
        ]
    }
    assert read(body(odd, STOP))[0] == TextDelta("a", 0, (TokenLogprob("\ufffd", -1.0),))


@pytest.mark.parametrize(
    "line",
    [
        '{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop","x":NaN}]}',
        '{"choices":[{"delta":{"content":"no","content":"Hi"},"finish_reason":"stop"}]}',
        '{"created":'
        + "9" * 5_000
        + ',"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}',
        '{"error":"","choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}',
    ],
)
def test_odd_json_is_read(line: str) -> None:
    """NaN, doubled keys, endless numbers and an empty error hide nothing."""
    assert read(body(line)) == [TextDelta("Hi"), end()]


def test_json_spread_over_lines_is_joined() -> None:
    """An event may have several lines of data."""
    pretty = json.dumps(chunk({"content": "Hi"}, "stop"), indent=1)
    lines = "".join(f"data: {line}\n" for line in pretty.split("\n"))
    assert read(f"{lines}\n".encode()) == [TextDelta("Hi"), end()]


def test_events_that_share_a_block_are_read_one_by_one() -> None:
    """Some servers end their events with a single line feed."""
    events = b"".join(body(event)[:-1] for event in (text("a"), text("b"), STOP, DONE, text("c")))
    assert read(events + b"\n") == [TextDelta("a"), TextDelta("b"), end()]
    assert read(events) == [TextDelta("a"), TextDelta("b"), end()]


def test_half_an_event_in_a_block_is_damage() -> None:
    """A gateway wrote its error into another event."""
    error = failure_of(read(b'data: {"choices":[{"del\ndata: {"error":{"message":"x"}}\n\n'))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "json"


@pytest.mark.parametrize(
    ("last", "tokens"),
    [
        (b"data: [DONE]", [end()]),
        (b"data: [DONE]\n", [end()]),
        (b'data: {"choices":[{"delta":{"content":"!"}}]}', [TextDelta("!"), end()]),
        (b'data: {"choices":[{"delta":{"cont', [end()]),
        (b'data: {"choices":[]}\ndata: [DONE]', [end()]),
        (b'data: {"choices":[]}\ndata: [DO', [end()]),
    ],
)
def test_a_last_event_without_blank_line_counts_if_it_is_whole(
    last: bytes, tokens: list[object]
) -> None:
    """Half of one behind the finish reason is no loss."""
    assert read(body(STOP) + last) == tokens


@pytest.mark.parametrize("last", [b'data: {"choices":[{"delta":{"cont', b"data: [DO", b"dat"])
def test_half_an_event_is_not_an_end(last: bytes) -> None:
    """Without a finish reason the answer is cut off."""
    error = failure_of(read(body(text("Hi")) + last))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.tokens_emitted) == ("truncated", 1)


@pytest.mark.parametrize("data", ["5", '"x"', "null", "true", "[]", "[1]", "1.5e3"])
def test_json_that_is_no_object_is_no_chunk(data: str) -> None:
    """A scalar where an object belongs is told as such."""
    error = failure_of(read(body(text("Hi"), data)))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.excerpt, error.tokens_emitted) == ("schema", data, 1)
    assert error.message == "an event of the stream is JSON, but no object"


@pytest.mark.parametrize("data", ["{", "nonsense", '{"a":1}}', "{'a': 1}"])
def test_what_is_no_json_is_damage(data: str) -> None:
    """It is quoted, and asking again may help."""
    error = failure_of(read(body(text("Hi"), data)))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.excerpt, error.retryable) == ("json", data, True)
    assert "no valid JSON" in error.message


def test_a_chunk_without_choices_may_hold_what_is_no_json_number() -> None:
    """Nobody reads it, but a failure could stand beside it."""
    assert read(b'data: {"choices":[],"x":1e999}\n\n' + body(STOP)) == [end()]
    error = failure_of(read(b'data: {"choices":[],"x":1e999,"object":"error"}\n\n'))
    assert isinstance(error, OtherError)


def test_what_is_no_utf8_is_damage() -> None:
    """It is quoted as far as it is text."""
    error = failure_of(read(b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n'))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.retryable) == ("utf8", True)
    assert "no valid UTF-8" in error.message
    assert "\ufffd" in error.excerpt


def test_the_excerpt_of_damage_is_bounded() -> None:
    """256 bytes of it."""
    error = failure_of(read(body("{" + "x" * 1_000)))
    assert isinstance(error, MalformedResponseError)
    assert error.excerpt == "{" + "x" * 255


# In place of a stream


def test_a_whole_completion_is_read() -> None:
    """A server ignored the wish for a stream."""
    document = {
        "id": "1",
        "model": "m",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": USAGE,
    }
    assert read(json.dumps(document).encode()) == [
        TextDelta("Hello"),
        ReasoningDelta("hm"),
        ToolCallDelta(0, "c", "f", "{}"),
        end("tool_calls", "tool_calls", usage=Usage(1, 2, 3), model="m", response_id="1"),
    ]


def test_a_whole_completion_without_finish_reason_is_read() -> None:
    """It is whole, so it has ended; why is not known."""
    document = {"choices": [{"message": {"content": "Hi"}}]}
    assert read(json.dumps(document).encode()) == [TextDelta("Hi"), end("other", None)]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"error":{"message":"boom","code":"server_error"}}', "boom"),
        ('[{"error":{"message":"boom"}}]', "boom"),
        ('{"object":"error","message":"boom"}', "boom"),
        ('{"choices":[{"message":{"content":"Hi"},"finish_reason":"error"}]}', "ended the answer"),
    ],
)
def test_an_error_document_is_an_error(document: str, message: str) -> None:
    """The status says success, the body does not."""
    error = failure_of(read(document.encode()))
    assert isinstance(error, OtherError)
    assert message in error.message
    assert (error.kind, error.in_stream) == ("server", True)


@pytest.mark.parametrize("document", ["{}", "[]", '{"a":1}', '{"choices":[]}', "[[1]]"])
def test_another_document_is_no_answer(document: str) -> None:
    """It is quoted: perhaps base_url is another API's."""
    error = failure_of(read(document.encode()))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.excerpt) == ("schema", document)
    assert error.message == "the response is JSON, but neither a completion nor an error"


@pytest.mark.parametrize(
    ("document", "reason"), [(b'{"a":', "json"), (b'{"a":"\xff"}', "utf8"), (b"[" * 200, "limit")]
)
def test_a_damaged_document_is_told(document: bytes, reason: str) -> None:
    """As a damaged event is."""
    error = failure_of(read(document))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == reason


# Limits


def test_more_choices_than_the_limit_are_refused() -> None:
    """Those before it still count."""
    events = [{"choices": [choice({"content": "x"}, "stop", index)]} for index in range(3)]
    assert len(read(body(*events), limits=Limits(choices=3))) == 4
    tokens = read(body(*events), limits=Limits(choices=2))
    assert tokens[:-1] == [TextDelta("x", 0), TextDelta("x", 1)]
    assert "limits.choices (2)" in failure_of(tokens).message


def test_more_tool_calls_than_the_limit_are_refused() -> None:
    """In each choice."""
    calls = [{"index": n, "id": str(n), "function": {"name": "f"}} for n in range(3)]
    event = chunk({"tool_calls": calls}, "stop")
    assert len(read(body(event), limits=Limits(tool_calls=3))) == 4
    tokens = read(body(event), limits=Limits(tool_calls=2))
    assert tokens[:-1] == [ToolCallDelta(0, "0", "f"), ToolCallDelta(1, "1", "f")]
    assert "limits.tool_calls (2)" in failure_of(tokens).message


def test_an_answer_larger_than_its_limit_is_cut_off() -> None:
    """At the same token, however it was read."""
    events = [text("x" * 100)] * 10
    tokens = read(body(*events, DONE), limits=Limits(answer_bytes=1024 + 500))
    assert len(tokens) == 6
    assert failure_of(tokens).tokens_emitted == 5
    assert "limits.answer_bytes (1524)" in failure_of(tokens).message


def test_reasoning_details_larger_than_the_limit_are_refused() -> None:
    """They are kept until the end, though no token has shown them."""
    event = chunk({"reasoning_details": [{"type": "x", "data": "x" * 1_000}]})
    assert re.search(
        r"limits.answer_bytes \(2000\)",
        failure_of(read(body(event, event, DONE), limits=Limits(answer_bytes=2_000))).message,
    )
    assert read(body(event, DONE), limits=Limits(answer_bytes=4_000))[-1] == end("other", None)


def test_reasoning_details_may_be_as_large_as_the_limit() -> None:
    """Those of all choices together."""
    detail = {"type": "reasoning.text", "text": "hm"}
    details = ReasoningDetails()
    details.add([detail])
    event = {"choices": [choice({"reasoning_details": [detail]}, index=n) for n in range(3)]}
    # Its tokens count as well, but they are fewer.
    assert len(read(body(event, DONE), limits=Limits(answer_bytes=3 * details.size))) == 4
    tokens = read(body(event, DONE), limits=Limits(answer_bytes=3 * details.size - 1))
    assert "limits.answer_bytes" in failure_of(tokens).message


NESTED = {"a": {"b": {"c": [1]}}}  # four deep


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [{"index": 0, "id": "1", "extra_content": NESTED}]},
        {"reasoning_details": [NESTED["a"]]},
    ],
)
def test_what_is_kept_of_json_nests_no_deeper_than_the_limit(delta: dict[str, Any]) -> None:
    """Fast decoding has no limit of its own, so it is checked behind it."""
    limits = Limits(json_depth=4)
    assert read(body(chunk(delta), DONE), limits=limits)[-1] == end("other", None)
    error = failure_of(read(body(chunk(delta), DONE), limits=Limits(json_depth=3)))
    assert "limits.json_depth (3)" in error.message


@pytest.mark.parametrize("depth", [990, 90_000])
def test_endless_nesting_is_told(depth: int) -> None:
    """Whatever it is that nests."""
    nested = '{"a":' * depth + "1" + "}" * depth
    fragment = f'{{"id":"x","extra_content":{nested}}}'
    # At once, because single bytes would take long.
    events = streaming().receive_data(
        body(f'{{"choices":[{{"delta":{{"tool_calls":[{fragment}]}}}}]}}')
    )
    error = failure_of(events)
    assert isinstance(error, MalformedResponseError)
    assert "limits.json_depth (128)" in error.message


def test_a_fragment_that_says_nothing_hides_none_behind_it() -> None:
    """The next one in the same delta still begins the first call."""
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    events = read(body(chunk({"tool_calls": [{}, call]}), chunk({}, "tool_calls"), DONE))
    assert events[0] == ToolCallDelta(0, "a", "f", "{}")


def test_several_parts_of_reasoning_in_one_delta_are_joined() -> None:
    """In their order, whatever each is called."""
    parts = [{"type": "reasoning", "summary": "a"}, {"type": "reasoning", "summary": "b"}]
    parts.append({"type": "thinking", "thinking": "c"})
    parts.append({"type": "thinking", "thinking": "d"})
    assert read(body(chunk({"content": parts}), STOP, DONE))[0] == ReasoningDelta("abcd")
