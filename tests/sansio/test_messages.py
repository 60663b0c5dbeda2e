"""Conversations: easy to build, refused where they make no sense, never shown."""

import re
from typing import Any

import attrs
import pytest

from tests.sansio.leaks import everything_in
from tokenwire.messages import (
    Image,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    as_conversation,
    size_only,
)

PROMPT = "the secret recipe"

CALL = ToolCall(id="call_1", name="weather", arguments='{"city": "the secret recipe"}')


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (Message.system("Hi"), "system"),
        (Message.user("Hi"), "user"),
        (Message.assistant("Hi"), "assistant"),
    ],
)
def test_a_string_becomes_a_text_part(message: Message, role: str) -> None:
    """The short constructors take plain strings."""
    assert message.role == role
    assert message.parts == (Text("Hi"),)


def test_strings_and_parts_mix() -> None:
    """What is said stays in its order, whatever it is made of."""
    image = Image(url="https://host.example/cat.png")
    assert Message.user("What is", image, Text("?")).parts == (Text("What is"), image, Text("?"))


def test_a_tool_message_holds_results() -> None:
    """Several tools answer in one message."""
    first, second = ToolResult(call_id="1", text="a"), ToolResult(call_id="2", text="b")
    assert Message.tool(first, second) == Message("tool", (first, second))


@pytest.mark.parametrize("content", ["Hi", Text("Hi"), ["Hi"], ("Hi",), [Text("Hi")]])
def test_content_comes_in_many_forms(content: Any) -> None:
    """A string, a part, a list and a tuple of either all make the same message."""
    assert Message("user", content).parts == (Text("Hi"),)


def test_text_joins_the_text_parts() -> None:
    """The text of a message is what its text parts say, and only that."""
    message = Message.assistant("Let ", Reasoning("hm"), CALL, "me see")
    assert message.text == "Let me see"


def test_messages_compare_by_what_they_say() -> None:
    """Equal messages are equal, and usable as keys of a cache."""
    assert {Message.user("Hi"), Message.user("Hi")} == {Message("user", "Hi")}
    assert Message.user("Hi") != Message.system("Hi")


def test_an_empty_message_is_refused() -> None:
    """A message without any part says nothing that could be sent."""
    with pytest.raises(ValueError, match="at least one part"):
        Message.user()


def test_an_empty_text_is_a_part() -> None:
    """A user may say nothing; that is not ours to refuse."""
    assert Message.user("").text == ""


def test_an_unknown_role_is_refused_by_naming_the_known() -> None:
    """A misspelt role says which ones there are."""
    with pytest.raises(
        ValueError, match='role must be "system" or "user" or "assistant" or "tool"'
    ):
        Message("developer", "Hi")  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("part", [PROMPT.encode(), {"type": "text", "text": PROMPT}, 5, None])
def test_a_part_of_another_type_is_refused_unseen(part: Any) -> None:
    """The error names the place and the type, never the content."""
    with pytest.raises(
        TypeError, match=r"parts\[1\] must be a string, Text, .*, not \w+"
    ) as caught:
        Message("user", ["Hi", part])
    assert PROMPT not in everything_in(caught.value)


def test_content_of_another_type_is_refused_unseen() -> None:
    """The same holds for content that is no list."""
    with pytest.raises(TypeError, match=r"parts\[0\] must be .*, not dict") as caught:
        Message("user", {"text": PROMPT})  # type: ignore[arg-type]  # what is tested
    assert PROMPT not in everything_in(caught.value)


@pytest.mark.parametrize(
    ("kind", "arguments", "advice"),
    [
        (Text, {"text": 5}, "text must be a string, not int"),
        (Text, {"text": None}, "text must be a string, not NoneType"),
        (Image, {"data": PROMPT, "media_type": "image/png"}, "data must be bytes, not str"),
        (Image, {"data": b"x", "media_type": 5}, "media_type must be a string, not int"),
        (Image, {"url": 5}, "url must be a string, not int"),
        (Image, {"url": "https://h.example", "detail": 5}, "detail must be a string, not int"),
        (ToolCall, {"id": 5, "name": "f"}, "id must be a string, not int"),
        (ToolCall, {"id": "1", "name": None}, "name must be a string, not NoneType"),
        (
            ToolCall,
            {"id": "1", "name": "f", "arguments": {"a": PROMPT}},
            "arguments must be JSON text (a string), not dict",
        ),
        (ToolCall, {"id": "1", "name": "f", "signature": 5}, "signature must be a string, not int"),
        (ToolResult, {"call_id": 5, "text": ""}, "call_id must be a string, not int"),
        (ToolResult, {"call_id": "1", "text": {"a": PROMPT}}, "text must be a string, not dict"),
        (ToolResult, {"call_id": "1", "text": "", "name": 5}, "name must be a string, not int"),
        (
            ToolResult,
            {"call_id": "1", "text": "", "is_error": "no"},
            "is_error must be true or false, not str",
        ),
        (Reasoning, {"text": 5}, "text must be a string, not int"),
        (Reasoning, {"signature": 5}, "signature must be a string, not int"),
    ],
)
def test_a_field_of_another_type_is_refused_unseen(
    kind: type, arguments: dict[str, Any], advice: str
) -> None:
    """A mistake is told where it is made, not by a foreign error while encoding."""
    with pytest.raises(TypeError, match=f"^{re.escape(advice)}$") as caught:
        kind(**arguments)
    assert PROMPT not in everything_in(caught.value)


@pytest.mark.parametrize(
    "arguments", [{}, {"data": b"x", "media_type": "image/png", "url": "https://h.example"}]
)
def test_an_image_is_either_data_or_a_url(arguments: dict[str, Any]) -> None:
    """Neither and both are refused."""
    with pytest.raises(ValueError, match="either data or a url"):
        Image(**arguments)


def test_image_data_needs_its_media_type() -> None:
    """Nobody can tell a PNG from a JPEG by a field that is missing."""
    with pytest.raises(ValueError, match=r"needs its media_type, for instance .image/png."):
        Image(data=b"x")


def test_an_image_by_url_needs_no_media_type() -> None:
    """Who fetches the picture learns its type."""
    assert Image(url="https://host.example/cat.png").media_type is None


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "None"), ("four", "<4 characters>"), (b"four!", "<5 bytes>")]
)
def test_content_is_shown_by_its_size(value: str | bytes | None, shown: str) -> None:
    """That something is there, and how large, is all that a log needs."""
    assert size_only(value) == shown


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (Text(PROMPT), "Text(text=<17 characters>)"),
        (
            Image(data=PROMPT.encode(), media_type="image/png"),
            "Image(data=<17 bytes>, media_type='image/png', url=None, detail=None)",
        ),
        (
            Image(url=PROMPT),
            "Image(data=None, media_type=None, url=<17 characters>, detail=None)",
        ),
        (
            ToolCall(id="1", name="f", arguments=PROMPT, signature=PROMPT),
            "ToolCall(id='1', name='f', arguments=<17 characters>, signature=<17 characters>)",
        ),
        (
            ToolResult(call_id="1", text=PROMPT),
            "ToolResult(call_id='1', text=<17 characters>, name=None, is_error=False)",
        ),
        (
            Reasoning(PROMPT, PROMPT),
            "Reasoning(text=<17 characters>, signature=<17 characters>)",
        ),
    ],
)
def test_the_repr_of_a_part_shows_no_content(part: Any, shown: str) -> None:
    """Prompts do not get into logs by way of a `repr`."""
    assert repr(part) == shown


def test_the_repr_of_a_message_shows_no_content() -> None:
    """Nor does a whole message, whatever it is made of."""
    message = Message.assistant(PROMPT, Reasoning(PROMPT, PROMPT), CALL)
    assert PROMPT not in repr(message)
    assert "role='assistant'" in repr(message)


def test_reasoning_can_be_left_out() -> None:
    """APIs that take no reasoning back get the rest of the message, signed by nobody."""
    signed = attrs.evolve(CALL, signature="proof")
    message = Message.assistant(Reasoning("hm"), "Yes", signed, Reasoning("so"))
    assert message.without_reasoning() == Message.assistant("Yes", CALL)


def test_nothing_but_reasoning_cannot_be_left_out() -> None:
    """A message that would be empty without it is refused."""
    with pytest.raises(ValueError, match="nothing but reasoning"):
        Message.assistant(Reasoning("hm")).without_reasoning()


@pytest.mark.parametrize(
    ("messages", "advice"),
    [
        (PROMPT, 'messages must be a list of Message, such as [Message.user("…")], not str'),
        (
            Message.user("Hi"),
            'messages must be a list of Message, such as [Message.user("…")], not',
        ),
        (None, "messages must be a list of Message, such as"),
        ([PROMPT], 'messages[0] must be a Message, such as Message.user("…"), not str'),
        (
            [Message.user("Hi"), {"role": "user", "content": PROMPT}],
            'messages[1] must be a Message, such as Message.user("…"), not dict',
        ),
    ],
)
def test_what_is_no_conversation_is_refused(messages: object, advice: str) -> None:
    """With what to write in place of it, and without what was said."""
    with pytest.raises(TypeError, match=f"^{re.escape(advice)}") as caught:
        as_conversation(messages)
    assert PROMPT not in str(caught.value)


def test_any_iterable_of_messages_is_a_conversation() -> None:
    """What the caller does with a list later changes no request."""
    message = Message.user("Hi")
    assert as_conversation([message]) == as_conversation(iter([message])) == (message,)
