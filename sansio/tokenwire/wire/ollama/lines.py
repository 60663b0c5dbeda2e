"""The shape of a line, and two ways to read one.

The fast way decodes JSON straight into structs that name only the members this library uses. What
does not fit (an error, NaN, half an emoji) takes the tolerant way, which reads plain JSON values
and builds the same structs from whatever is usable in them.

Reference: https://docs.ollama.com/api/chat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from tokenwire import lenient_json as lenient

Count = Annotated[int, msgspec.Meta(ge=0)]


class Function(msgspec.Struct, gc=False):
    """The function of a tool call; its arguments are JSON, in some servers as text."""

    name: str | None = None
    arguments: dict[str, Any] | str | None = None


class ToolCall(msgspec.Struct, gc=False):
    """A whole tool call; older versions name no id."""

    id: str | None = None
    function: Function | None = None


class Message(msgspec.Struct, gc=False):
    """What a line adds to the answer. Some servers call the reasoning as OpenAI's do."""

    content: str | None = None
    thinking: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


class TopLogprob(msgspec.Struct, gc=False):
    """One alternative of a model token."""

    token: str
    logprob: float


class Logprob(TopLogprob, gc=False):
    """One model token of the content with its log probability."""

    top_logprobs: list[TopLogprob] | None = None


class Line(msgspec.Struct, gc=False):
    """One line; the last one is `done`, counts the tokens and says how many nanoseconds they took.

    `response` is the text where ``/generate`` answers in place of ``/chat``.
    """

    model: str | None = None
    created_at: str | None = None
    message: Message | None = None
    response: str | None = None
    logprobs: list[Logprob] | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Count | None = None
    eval_count: Count | None = None
    load_duration: Count | None = None
    prompt_eval_duration: Count | None = None
    eval_duration: Count | None = None
    total_duration: Count | None = None
    error: None = None  # anything else takes the tolerant way


Nothing = Annotated[str, msgspec.Meta(max_length=0)] | None
NoItems = Annotated[list[Any], msgspec.Meta(max_length=0)] | None


class TextOnlyMessage(msgspec.Struct, gc=False):
    """A `Message` that is text of the answer, and nothing else."""

    content: Annotated[str, msgspec.Meta(min_length=1)]
    thinking: Nothing = None
    reasoning_content: Nothing = None
    tool_calls: NoItems = None


class TextOnlyLine(msgspec.Struct, gc=False):
    """What nine lines in ten are: a `Line` with such a message."""

    message: TextOnlyMessage
    model: str | None = None
    created_at: str | None = None
    response: Nothing = None
    logprobs: NoItems = None
    done: Literal[False] = False
    done_reason: None = None
    prompt_eval_count: None = None
    eval_count: None = None
    load_duration: None = None
    prompt_eval_duration: None = None
    eval_duration: None = None
    total_duration: None = None
    error: None = None


#: Each decodes one line or raises `msgspec.DecodeError`, UnicodeDecodeError or RecursionError.
decode_text_only_line: Callable[[bytes], TextOnlyLine] = msgspec.json.Decoder(TextOnlyLine).decode
decode_line: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode


def tolerant_line(value: dict[str, Any]) -> Line:
    """Build a line from a JSON object of any shape; members of an unusable type count as unset."""
    return Line(
        model=lenient.as_text(value.get("model")),
        created_at=lenient.as_text(value.get("created_at")),
        message=_message(lenient.as_object(value.get("message"))),
        response=_str(value.get("response")),
        logprobs=_logprobs(value.get("logprobs")),
        done=value.get("done") is True,
        done_reason=lenient.as_text(value.get("done_reason")),
        prompt_eval_count=lenient.as_count(value.get("prompt_eval_count")),
        eval_count=lenient.as_count(value.get("eval_count")),
        load_duration=lenient.as_count(value.get("load_duration")),
        prompt_eval_duration=lenient.as_count(value.get("prompt_eval_duration")),
        eval_duration=lenient.as_count(value.get("eval_duration")),
        total_duration=lenient.as_count(value.get("total_duration")),
    )


def _message(value: dict[str, Any]) -> Message:
    """Read a message. Its texts keep lone surrogates: they are joined over lines."""
    return Message(
        content=_str(value.get("content")),
        thinking=_str(value.get("thinking")),
        reasoning_content=_str(value.get("reasoning_content")),
        tool_calls=[
            _tool_call(lenient.as_object(call))
            for call in lenient.as_array(value.get("tool_calls"))
        ],
    )


def _tool_call(value: dict[str, Any]) -> ToolCall:
    function = lenient.as_object(value.get("function"))
    arguments = function.get("arguments")
    return ToolCall(
        id=lenient.as_text(value.get("id")),
        function=Function(
            name=lenient.as_text(function.get("name")),
            arguments=lenient.as_text(arguments) or lenient.as_object(arguments),
        ),
    )


def _logprobs(value: object) -> list[Logprob] | None:
    """Read log probabilities, all or none: they are of use only side by side with the text."""
    try:
        return msgspec.convert(value, list[Logprob] | None)
    except ValueError:  # also where half a character stands in place of a list
        return None


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None
