"""What the encoders of all wire formats share."""

from typing import Any

import pytest

from tests.sansio.leaks import everything_in
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Reasoning, ToolCall
from tokenwire.wire import encoding

PROMPT = "the secret recipe"


def test_a_conversation_needs_a_message() -> None:
    """There is nothing else to answer."""
    encoding.require_messages([Message.user("Hi")])
    with pytest.raises(LocalProtocolError, match="give at least one"):
        encoding.require_messages([])


def test_plain_text_is_joined() -> None:
    """It may come in parts, and must be nothing else."""
    assert encoding.plain_text(0, Message.system("a", "b")) == "ab"
    with pytest.raises(
        LocalProtocolError, match=r"^messages\[3\]: this API's system messages"
    ) as e:
        encoding.plain_text(3, Message.system(PROMPT, Reasoning(PROMPT)))
    assert str(e.value).endswith("cannot carry Reasoning")
    assert PROMPT not in everything_in(e.value)


def test_unset_members_are_left_out() -> None:
    """None is unset; zero, false and empty are not."""
    members: dict[str, Any] = {"a": None, "b": 0, "c": False, "d": "", "e": []}
    assert encoding.without_unset(members) == {"b": 0, "c": False, "d": "", "e": []}


def test_a_setting_that_the_api_lacks_is_refused_by_name() -> None:
    """Unless it is unset."""
    encoding.refuse_set({"seed": None}, "this API takes no seed")
    with pytest.raises(LocalProtocolError, match=r"^seed: this API takes no seed; leave it unset$"):
        encoding.refuse_set({"n": None, "seed": 0}, "this API takes no seed")


def test_extra_members_are_added_but_replace_nothing() -> None:
    """Two words on one thing are a mistake."""
    body: dict[str, Any] = {"a": 1}
    encoding.add_extra(body, {"b": None})
    assert body == {"a": 1, "b": None}
    with pytest.raises(LocalProtocolError, match=r"^extra\['a'\] would replace") as caught:
        encoding.add_extra(body, {"a": PROMPT})
    assert PROMPT not in everything_in(caught.value)


def test_extra_members_of_objects_are_merged() -> None:
    """An option may be added beside those of the settings, at any depth."""
    options = {"a": 1, "deep": {"b": 2}}
    body: dict[str, Any] = {"options": options}
    encoding.add_extra(body, {"options": {"c": 3, "deep": {"d": 4}}})
    assert body == {"options": {"a": 1, "c": 3, "deep": {"b": 2, "d": 4}}}
    assert options == {"a": 1, "deep": {"b": 2}}
    with pytest.raises(LocalProtocolError, match=r"^extra\['options'\]\['deep'\]\['b'\] would re"):
        encoding.add_extra(body, {"options": {"deep": {"b": PROMPT}}})
    with pytest.raises(LocalProtocolError, match=r"^extra\['options'\] would replace"):
        encoding.add_extra(body, {"options": PROMPT})


@pytest.mark.parametrize(("arguments", "value"), [("", {}), ("{}", {}), ('{"a": 1}', {"a": 1})])
def test_arguments_may_be_wanted_as_an_object(arguments: str, value: dict[str, Any]) -> None:
    """None at all are an empty one."""
    call = ToolCall(id="1", name="f", arguments=arguments)
    assert encoding.arguments_object(call) == value


@pytest.mark.parametrize("arguments", [PROMPT, "[]", "5", '{"a":', "\ud83d"])
def test_arguments_that_are_no_object_are_refused_unseen(arguments: str) -> None:
    """As where the answer that held them broke off."""
    call = ToolCall(id="call_1", name="f", arguments=arguments)
    with pytest.raises(LocalProtocolError, match="tool call 'call_1' are no JSON object") as caught:
        encoding.arguments_object(call)
    assert PROMPT not in everything_in(caught.value)


def test_a_body_is_compact_json() -> None:
    """In UTF-8, members in their order."""
    assert encoding.to_json({"b": "é", "a": [1, None]}) == '{"b":"é","a":[1,null]}'.encode()


@pytest.mark.parametrize("value", [PROMPT + "\ud83d", object(), {object(): PROMPT}])
def test_what_json_cannot_say_is_refused_unseen(value: object) -> None:
    """The encoder's own error would quote it."""
    with pytest.raises(LocalProtocolError, match="cannot be written as JSON") as caught:
        encoding.to_json({"a": value})
    assert PROMPT not in everything_in(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("[1]", [1]), ("{}", {}), ("", None), ("x", None), ("[" * 100_000, None), ("\ud83d", None)],
)
def test_text_that_may_be_json(text: str, value: object) -> None:
    """What is none is None, whatever it is."""
    assert encoding.json_or_none(text) == value


def test_pictures_are_urls() -> None:
    """Their own, or one that holds them."""
    assert encoding.base64_text(b"\x00\xff") == "AP8="
    assert encoding.image_url(Image(data=b"\x00\xff", media_type="image/png")) == (
        "data:image/png;base64,AP8="
    )
    assert encoding.image_url(Image(url="https://h.example/a")) == "https://h.example/a"


def test_extra_is_merged_into_objects_of_the_settings() -> None:
    """However deep; the caller's own objects stay as they were."""
    caller = {"c": 1}
    body: dict[str, Any] = {"a": {"b": caller}}
    encoding.add_extra(body, {"a": {"b": {"d": 2}}})
    assert body == {"a": {"b": {"c": 1, "d": 2}}}
    assert caller == {"c": 1}


def test_extra_replaces_nothing_inside_an_object() -> None:
    """The error says where both meet."""
    with pytest.raises(LocalProtocolError, match=r"extra\['a'\]\['b'\] would replace"):
        encoding.add_extra({"a": {"b": 1}}, {"a": {"b": 2}})
