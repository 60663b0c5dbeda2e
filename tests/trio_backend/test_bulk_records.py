"""`tokenwire_trio.bulk.records`: questions and results as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tokenwire import (
    Choice,
    Completion,
    End,
    Finish,
    Image,
    LocalProtocolError,
    Message,
    RateLimitError,
    Reasoning,
    ResponseInfo,
    Text,
    Timings,
    ToolCall,
    Usage,
)
from tokenwire_trio.bulk import Answered, Failed, Question
from tokenwire_trio.bulk.records import Record, read_question, result_record


def read(record: Record, folder: Path = Path()) -> Question:
    """Read a question whose number is 7."""
    return read_question(msgspec.json.encode(record), folder, default_id=7)


def test_a_prompt_is_enough() -> None:
    """It is what the user says, and its number is its id."""
    assert read({"prompt": "Hi"}) == Question(id=7, messages=[Message.user("Hi")])


@pytest.mark.parametrize("id_", ["a", 0, ""])
def test_an_id_stays_as_it_is(id_: str | int) -> None:
    """Also one that is false."""
    assert read({"id": id_, "prompt": "Hi"}).id == id_


def test_instructions_stand_above_a_prompt_or_messages() -> None:
    """One member for what mostly is the same on each line."""
    messages = [{"role": "user", "content": "Hi"}]
    expected = (Message.system("Be brief."), Message.user("Hi"))
    assert read({"prompt": "Hi", "system": "Be brief."}).messages == expected
    assert read({"messages": messages, "system": "Be brief."}).messages == expected


def test_messages_have_the_form_of_ask(tmp_path: Path) -> None:
    """With files beside the file that names them."""
    (tmp_path / "cat.png").write_bytes(b"png")
    parts = [{"type": "text", "text": "What?"}, {"type": "image", "file": "cat.png"}]
    [message] = read({"messages": [{"role": "user", "content": parts}]}, tmp_path).messages
    assert message == Message.user("What?", Image(data=b"png", media_type="image/png"))


def test_settings_are_those_of_a_call() -> None:
    """By their own names."""
    settings = {"model": "m", "stop": ["x"], "response_schema": {"type": "object"}}
    config = read({"prompt": "Hi", "settings": settings}).config
    assert (config.model, config.stop, config.temperature) == ("m", ("x",), None)


NO_QUESTIONS: Final[list[tuple[Record, str]]] = [
    ({}, "neither prompt nor messages"),
    ({"prompt": "Hi", "messages": []}, "both prompt and messages"),
    ({"prompt": ""}, "prompt is empty"),
    ({"messages": []}, "messages is empty"),
    ({"promt": "Hi"}, "unknown field `promt`"),
    ({"prompt": 1}, "Expected `str | null`, got `int`"),
    ({"id": 1.5, "prompt": "Hi"}, "`id`|\\$.id"),
    ({"messages": [{"role": "user"}]}, "messages: .* required field `content`"),
    ({"messages": [{"role": "user", "content": []}]}, "parts is empty"),
    ({"messages": "Hi"}, "messages: Expected `array`"),
    ({"prompt": "Hi", "settings": {"temprature": 1}}, "did you mean 'temperature'"),
    ({"prompt": "Hi", "settings": {"temperature": -1}}, "settings.temperature must be"),
    ({"prompt": "Hi", "settings": {"x" * 1000: 1}}, "unknown key"),
]


@pytest.mark.parametrize(("record", "complaint"), NO_QUESTIONS)
def test_what_is_no_question_is_told(record: Record, complaint: str) -> None:
    """In one bounded sentence that names the member."""
    with pytest.raises(ValueError, match=complaint) as caught:
        read(record)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize(
    "document",
    [b"[]", b"{", b'{"prompt": "\\ud800"}', b"[" * 10_000, b'{"settings": {"a": ' + b"[" * 10_000],
)
def test_what_is_no_object_is_told(document: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(ValueError, match=r"JSON|Expected|Input|Invalid|deep|end"):
        read_question(document, Path(), default_id=1)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """As the system says it."""
    parts = [{"type": "image", "file": "cat.png"}]
    with pytest.raises(OSError, match=r"cat\.png"):
        read({"messages": [{"role": "user", "content": parts}]}, tmp_path)


def _answered(*choices: Choice, end: End | None) -> Record:
    timings = Timings(first_token=0.123456, total=1.5)
    return result_record(
        Answered(
            id="a",
            completion=Completion(choices=choices, end=end),
            response=ResponseInfo(timings=timings),
            deltas=1,
        )
    )


def test_an_answer_says_all_that_is_known() -> None:
    """Text, how it ended, what it took."""
    end = End("stop", "eos", usage=Usage(3, 4, 7), model="m", response_id="r")
    assert _answered(Choice(index=0, parts=(Text("Hello"),)), end=end) == {
        "text": "Hello",
        "finish": "stop",
        "raw_finish": "eos",
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        "model": "m",
        "response_id": "r",
        "first_token_s": 0.1235,
        "total_s": 1.5,
    }


def test_what_is_no_text_has_members_of_its_own() -> None:
    """With the signatures that the provider wants back."""
    call = ToolCall(id="c", name="look_up", arguments="{}", signature="s")
    plain = ToolCall(id="d", name="look_up")
    parts = (Reasoning("Hm."), Text("So"), call, plain)
    record = _answered(Choice(index=0, parts=parts, refusal="No."), end=End("stop"))
    assert (record["text"], record["reasoning"], record["refusal"]) == ("So", "Hm.", "No.")
    assert record["tool_calls"] == [
        {"id": "c", "name": "look_up", "arguments": "{}", "signature": "s"},
        {"id": "d", "name": "look_up", "arguments": ""},
    ]


def test_several_choices_are_all_there() -> None:
    """The first one's text also where it always is."""
    finishes = {0: Finish("stop"), 1: Finish("length")}
    choices = [Choice(index=index, parts=(Text(f"{index}"),)) for index in range(2)]
    record = _answered(*choices, end=End("stop", finishes=finishes))
    assert record["text"] == "0"
    assert record["choices"] == [{"text": "0"}, {"text": "1"}]
    assert record["finishes"]["1"]["finish"] == "length"


def test_an_answer_without_an_end_has_no_finish() -> None:
    """A provider of somebody else's need not send one."""
    assert _answered(end=None)["finish"] is None


def _failed(error: Any, text: str = "") -> Record:
    parts = (Text(text),) if text else ()
    partial = Completion(choices=(Choice(index=0, parts=parts),))
    return result_record(Failed(id="a", error=error, partial=partial))


def test_a_failure_has_the_facts_of_its_error() -> None:
    """And what had come of the answer."""
    error = RateLimitError(message="slow down", status=429, retry_after=2.0, retryable=True)
    assert _failed(error, "Hel") == {**error.facts(), "error": "rate_limit", "partial": "Hel"}
    assert "partial" not in _failed(error)


def test_what_cannot_be_asked_is_a_failure_of_our_own() -> None:
    """It would fail again."""
    assert _failed(LocalProtocolError("no images")) == {
        "error": "local",
        "message": "no images",
        "retryable": False,
    }
