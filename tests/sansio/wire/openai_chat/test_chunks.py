"""Both ways to read a chunk give the same, and the tolerant one takes what the fast one refuses."""

import json
from typing import Any

import msgspec
import pytest

from tokenwire.tokens import TokenLogprob
from tokenwire.wire.openai_chat.chunks import (
    Choice,
    Delta,
    Function,
    OpeningChunk,
    TokenDetails,
    ToolCallFragment,
    UsageCounts,
    VendorUsage,
    decode_chunk,
    decode_opening_chunk,
    tolerant_chunk,
)
from tokenwire.wire.openai_chat.logprobs import token_logprobs, tolerant_logprobs

USAGE = {
    "prompt_tokens": 1,
    "completion_tokens": 2,
    "total_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 6},
    "prompt_cache_hit_tokens": 7,
}

WHOLE: dict[str, Any] = {
    "id": "1",
    "model": "m",
    "object": "chat.completion.chunk",
    "choices": [
        {
            "index": 1,
            "delta": {
                "content": "a",
                "reasoning_content": "b",
                "reasoning": "c",
                "refusal": "d",
                "tool_calls": [
                    {
                        "index": 2,
                        "id": "e",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                        "extra_content": {"g": [1]},
                    }
                ],
                "reasoning_details": [{"h": "i"}],
            },
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {
                        "token": "a",
                        "logprob": -1.5,
                        "top_logprobs": [{"token": "a", "logprob": -1.5}],
                    }
                ]
            },
            "usage": USAGE,
        }
    ],
    "usage": USAGE,
    "x_groq": {"id": "x", "usage": USAGE},
}


def test_both_ways_read_a_whole_chunk_alike() -> None:
    """Every member that is known to one is known to the other."""
    assert tolerant_chunk(WHOLE) == decode_opening_chunk(json.dumps(WHOLE).encode())


def test_the_later_decoder_leaves_out_what_is_known() -> None:
    """Id and model are read until they are known."""
    chunk = decode_chunk(json.dumps(WHOLE).encode())
    assert type(chunk) is not OpeningChunk
    assert chunk.choices == decode_opening_chunk(json.dumps(WHOLE).encode()).choices


@pytest.mark.parametrize(
    "text",
    [
        '{"error":{}}',
        '{"error":"x"}',
        '{"error_code":"x"}',
        '{"x_groq":{"error":"x"}}',
        '{"choices":[{"delta":{"function_call":{}}}]}',
        '{"choices":[{"error":{"a":1}}]}',
        '{"choices":[{"delta":{"content":[]}}]}',
        '{"choices":[{"index":-1}]}',
        '{"choices":{}}',
        '{"usage":{"prompt_tokens":-1}}',
        "[]",
        "[DONE]",
        "5",
        "",
    ],
)
def test_the_fast_way_refuses_oddities(text: str) -> None:
    """They take the tolerant way, or are none at all."""
    for decode in (decode_chunk, decode_opening_chunk):
        with pytest.raises(msgspec.DecodeError):
            decode(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"error":null}',
        '{"choices":[{"error":null}]}',
        '{"choices":[{"delta":{"function_call":null}}]}',
        '{"x":{"y":[]}}',
    ],
)
def test_the_fast_way_takes_null_errors_and_unknown_members(text: str) -> None:
    """Some servers send both with every chunk."""
    decode_chunk(text.encode())


@pytest.mark.parametrize(
    "value", [{}, {"choices": None}, {"choices": "x", "usage": 5, "x_groq": 5}]
)
def test_nothing_usable_is_an_empty_chunk(value: dict[str, Any]) -> None:
    """Nothing in it counts."""
    assert tolerant_chunk(value) == OpeningChunk(choices=[], x_groq=VendorUsage())


def delta_of(**members: Any) -> Delta:
    """Return a delta that was read the tolerant way."""
    [choice] = tolerant_chunk({"choices": [{"delta": members}]}).choices or []
    assert choice.delta is not None
    return choice.delta


CONTENTS: list[tuple[Any, str | None, str | None]] = [
    ("a", "a", None),
    ("", "", None),
    (None, None, None),
    (5, None, None),
    ([], None, None),
    ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", None),
    (["a", "b"], "ab", None),
    ([{"text": "a"}], "a", None),
    ([{"type": "output_text", "text": "a"}], "a", None),
    ([{"type": "image_url", "image_url": {}}], None, None),
    ([{"type": "text", "text": 5}], None, None),
    ([None, 5, []], None, None),
    ([{"type": "thinking", "thinking": "h"}], None, "h"),
    (
        [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"text": "m"}, 5]}],
        None,
        "hm",
    ),
    ([{"type": "thinking", "thinking": None}, {"type": "thinking"}], None, None),
    ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "h"}]}], None, "h"),
    ([{"type": "reasoning", "summary": "h"}, "a"], "a", "h"),
    ([{"type": "thinking", "thinking": "h"}, {"type": "reasoning", "summary": "m"}], None, "hm"),
    (
        [{"type": "thinking", "thinking": "h"}, {"type": "thinking", "thinking": "m"}],
        None,
        "hm",
    ),
]


@pytest.mark.parametrize(("content", "text", "thought"), CONTENTS)
def test_content_may_be_a_list_of_parts(
    content: Any, text: str | None, thought: str | None
) -> None:
    """Text and reasoning stand side by side in it."""
    delta = delta_of(content=content)
    assert (delta.content, delta.reasoning_content) == (text, thought)


def test_a_field_of_its_own_goes_before_reasoning_in_the_content() -> None:
    """They say the same."""
    content = [{"type": "thinking", "thinking": "h"}]
    assert delta_of(content=content, reasoning_content="m").reasoning_content == "m"
    assert delta_of(content=content, reasoning_content="").reasoning_content == "h"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "refusal"])
@pytest.mark.parametrize("value", [None, 5, [], {}, True])
def test_text_of_another_type_is_unset(name: str, value: Any) -> None:
    """Only a string is text."""
    assert getattr(delta_of(**{name: value}), name) is None


@pytest.mark.parametrize("value", [None, "x", 5, []])
def test_what_is_no_delta_is_none(value: Any) -> None:
    """The same holds for a message in its place."""
    [choice] = tolerant_chunk({"choices": [{"delta": value, "message": value}]}).choices or []
    assert choice == Choice()


def test_a_choice_of_another_type_is_the_first_and_says_nothing() -> None:
    """It began, at least."""
    assert tolerant_chunk({"choices": [None, 5]}).choices == [Choice(), Choice()]


@pytest.mark.parametrize(
    ("item", "fragment"),
    [
        ({}, ToolCallFragment(function=Function())),
        (None, ToolCallFragment(function=Function())),
        ({"index": 1.0}, ToolCallFragment(1, function=Function())),
        ({"index": "1"}, ToolCallFragment(function=Function())),
        ({"id": 5}, ToolCallFragment(function=Function())),
        ({"function": "f"}, ToolCallFragment(function=Function())),
        ({"function": {"name": 5}}, ToolCallFragment(function=Function())),
        ({"function": {"arguments": 5}}, ToolCallFragment(function=Function())),
        ({"function": {"arguments": "x"}}, ToolCallFragment(function=Function(None, "x"))),
        ({"function": {"arguments": {}}}, ToolCallFragment(function=Function(None, "{}"))),
        ({"function": {"arguments": [1]}}, ToolCallFragment(function=Function(None, "[1]"))),
        ({"extra_content": {}}, ToolCallFragment(function=Function())),
        ({"extra_content": "x"}, ToolCallFragment(function=Function())),
        ({"id": "\ud83d"}, ToolCallFragment(id="\ufffd", function=Function())),
        (
            {"function": {"name": "\ud83d", "arguments": "\ud83d"}},
            ToolCallFragment(function=Function("\ufffd", "\ud83d")),
        ),
    ],
)
def test_a_fragment_of_a_call_is_read_as_far_as_it_goes(
    item: Any, fragment: ToolCallFragment
) -> None:
    """Arguments keep half characters, which may be joined; nothing else does."""
    assert delta_of(tool_calls=[item]).tool_calls == [fragment]


def test_a_deprecated_call_is_the_first_tool_call() -> None:
    """An answer holds one at most, and it has no id."""
    delta = delta_of(function_call={"name": "f", "arguments": "{"})
    assert delta.tool_calls == [ToolCallFragment(index=0, function=Function("f", "{"))]


def test_a_deprecated_call_beside_tool_calls_repeats_them() -> None:
    """Servers that know both names tell the same call twice."""
    delta = delta_of(tool_calls=[{"id": "a"}], function_call={"name": "f"})
    assert delta.tool_calls == [ToolCallFragment(id="a", function=Function())]


@pytest.mark.parametrize("value", [None, [], {}, "x"])
def test_no_calls_and_no_details_are_none(value: Any) -> None:
    """Empty says the same as unset."""
    delta = delta_of(tool_calls=value, reasoning_details=value, function_call=value)
    assert (delta.tool_calls, delta.reasoning_details) == (None, None)


@pytest.mark.parametrize("value", [None, {}, [], "x", 5])
def test_no_usage_is_none(value: Any) -> None:
    """An empty object says nothing."""
    assert tolerant_chunk({"usage": value}).usage is None


def test_usage_is_read_as_far_as_it_goes() -> None:
    """Counts of another type are unset."""
    usage = {
        "prompt_tokens": 5.0,
        "total_tokens": "5",
        "prompt_tokens_details": {"cached_tokens": -1},
    }
    assert tolerant_chunk({"usage": usage}).usage == UsageCounts(
        prompt_tokens=5,
        prompt_tokens_details=TokenDetails(),
        completion_tokens_details=TokenDetails(),
    )


def test_id_and_model_are_text() -> None:
    """Repaired, because they are shown as they are."""
    chunk = tolerant_chunk({"id": "\ud83d", "model": 5})
    assert (chunk.id, chunk.model) == ("\ufffd", None)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"content": None},
        {"content": [None, {}, {"token": "a"}, {"logprob": -1}]},
        {"content": [{"token": 5, "logprob": -1}, {"token": "a", "logprob": "-1"}]},
        {"content": [{"token": "a", "logprob": True}, {"token": "a", "logprob": None}]},
    ],
)
def test_unusable_log_probabilities_are_none(value: Any) -> None:
    """Half an entry is none."""
    assert tolerant_logprobs(value) is None


def test_usable_log_probabilities_are_kept() -> None:
    """Beside others that are not, also among the alternatives."""
    value = {
        "content": [
            None,
            {
                "token": "\ud83d",
                "logprob": -1,
                "top_logprobs": [{"token": "a"}, {"token": "b", "logprob": -2}],
            },
            {"token": "c", "logprob": -0.5, "top_logprobs": None},
        ]
    }
    assert token_logprobs(tolerant_logprobs(value)) == (
        TokenLogprob("\ufffd", -1.0, (("b", -2.0),)),
        TokenLogprob("c", -0.5),
    )
