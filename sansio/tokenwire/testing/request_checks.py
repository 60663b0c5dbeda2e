"""What a wire format promises of the requests that it makes.

What is said and set is sent, what is not is not, and what the API cannot carry is refused by name
before a byte moves.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast, final

import attrs
import msgspec

from tokenwire.endpoint import AuthStyle
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, ToolCall, ToolResult
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire.testing.reading import PROMPT
from tokenwire.testing.samples import AnswerSample, WireSample
from tokenwire.wire.base import EncodedRequest

_USER: Final = Message.user("Hi")
_TOOL: Final = Tool(name="kit_tool", parameters={"type": "object", "properties": {}})
_CALL: Final = ToolCall(id="call_kit", name="kit_tool", arguments='{"city":"Oslo-Quitte"}')
_RESULT: Final = ToolResult(call_id="call_kit", name="kit_tool", text="Sonne-Quitte")
_PICTURE: Final = b"a picture of a quince"
_NO_QUIRK: Final = "no_such_quirk"
_PATH: Final = re.compile(r"/[!-~]+")

#: Settings with values of which a wire format must make something. Zero is one as well.
_SETTINGS: Final[tuple[tuple[str, Any], ...]] = (
    ("max_output_tokens", 4711),
    ("temperature", 0.0),
    ("temperature", 0.53),
    ("top_p", 0.53),
    ("stop", "Quitte"),
    ("seed", 0),
    ("seed", 4711),
    ("tools", [_TOOL]),
    ("response_schema", {"type": "object", "properties": {"kit": {"type": "string"}}}),
    ("reasoning", "low"),
    ("n", 2),
    ("logprobs", 0),
)

#: The same for a setting that means something only beside tools.
_TOOL_CHOICES: Final = ("none", "required")


@final
@attrs.frozen
class _Case:
    """A conversation, and the words of it that must be in the body."""

    what: str
    messages: tuple[Message, ...]
    words: tuple[str, ...]


def _said(what: str, *messages: Message, words: Sequence[str]) -> _Case:
    return _Case(what, messages, tuple(words))


def _misplaced(message: Message) -> _Case:
    [part] = message.parts
    what = f"{type(part).__name__} of role {message.role}"
    return _said(what, _USER, message, words=[_WORDS[type(part)]])


#: What identifies the parts that are built here.
_WORDS: Final[Mapping[type[Part], str]] = {
    Image: base64.b64encode(_PICTURE).decode(),
    ToolCall: "Oslo-Quitte",
    ToolResult: _RESULT.text,
    Reasoning: "Grund-Quitte",
}

_SAID: Final = (
    _said("a system message", Message.system("Rat-Quitte"), _USER, words=["Rat-Quitte"]),
    _said(
        "a system message in mid-conversation",
        Message.user("A"),
        Message.system("Rat-Quitte"),
        _USER,
        words=["Rat-Quitte"],
    ),
    _said(
        "a conversation",
        Message.user("Frage-Quitte", " und Salz"),
        Message.assistant("Wort-Quitte"),
        _USER,
        words=["Frage-Quitte", " und Salz", "Wort-Quitte"],
    ),
    _said(
        "a picture's bytes",
        Message.user("Hi", Image(data=_PICTURE, media_type="image/png")),
        words=[base64.b64encode(_PICTURE).decode()],
    ),
    _said(
        "a picture's URL",
        Message.user("Hi", Image(url="https://host.example/Quitte.png")),
        words=["https://host.example/Quitte.png"],
    ),
    _said(
        "a tool call and its result",
        _USER,
        Message.assistant("Wort-Quitte", _CALL),
        Message.tool(_RESULT),
        words=["Wort-Quitte", "kit_tool", "Oslo-Quitte", "Sonne-Quitte"],
    ),
    _said(
        "a tool call with a signature",
        _USER,
        Message.assistant(attrs.evolve(_CALL, signature="Siegel-Quitte")),
        Message.tool(_RESULT),
        words=["Oslo-Quitte", "Siegel-Quitte"],
    ),
    _said(
        "a failed tool's result",
        _USER,
        Message.assistant(_CALL),
        Message.tool(attrs.evolve(_RESULT, is_error=True)),
        words=["Sonne-Quitte"],
    ),
    _said(
        "reasoning",
        _USER,
        Message.assistant(Reasoning("Grund-Quitte"), "Wort"),
        _USER,
        words=["Grund-Quitte"],
    ),
    _said(
        "reasoning with a signature",
        _USER,
        Message.assistant(Reasoning("Grund-Quitte", "Siegel-Quitte"), "Wort"),
        _USER,
        words=["Siegel-Quitte"],
    ),
    *(
        _misplaced(message)
        for message in (
            Message.system(_CALL),
            Message.system(_RESULT),
            Message.user(_CALL),
            Message.user(_RESULT),
            Message.user(Reasoning("Grund-Quitte")),
            Message.assistant(_RESULT),
            Message.assistant(Image(data=_PICTURE, media_type="image/png")),
            Message("tool", Image(data=_PICTURE, media_type="image/png")),
            Message("tool", _CALL),
        )
    ),
)


def check_description(sample: WireSample) -> None:
    """Its name, authentication and quirks are what configurations can use."""
    wire = sample.wire
    assert wire.kind, "Wire.kind is empty: configurations and errors use it"
    assert isinstance(wire.auth, AuthStyle), "Wire.auth is no AuthStyle: see AuthStyle.parse"
    for name, sentence in wire.quirks.items():
        assert sentence, f"Wire.quirks does not say what {name!r} does"
    wire.check_quirks(sample.quirks)
    told = ""
    try:
        wire.check_quirks({_NO_QUIRK: True})
    except ValueError as error:
        told = str(error)
    assert _NO_QUIRK in told, "check_quirks does not refuse a quirk that is none, or not by name"


def check_form(sample: WireSample) -> None:
    """A request is a path, JSON and headers, and the same for the same conversation."""
    path = sample.wire.path(sample.config, sample.quirks)
    assert _PATH.fullmatch(path), f"the path {path!r} is no slash and percent-encoded text"
    assert "?" not in path, "the path holds a query: that belongs into EncodedRequest.query"
    refusal = _refusal(sample, [_USER])
    assert refusal is None, (
        f"the plainest conversation is refused ({refusal}): give WireSample.config what is missing"
    )
    request = _encode(sample, [_USER])
    _members(request)
    assert "/" in request.accept, "EncodedRequest.accept is no media type"
    for name in request.headers:
        assert name == name.lower(), f"the header {name!r} is not in lower case"
    again = _encode(sample, [_USER])
    assert request == again, "encoding the same conversation twice gives two requests"


def check_empty_conversation(sample: WireSample) -> None:
    """A conversation without a message is refused."""
    assert _refusal(sample, []) is not None, (
        "an empty conversation was encoded: use `encoding.require_messages`"
    )


def check_said(sample: WireSample) -> None:
    """Every part is sent, or refused by an error that names it; none is dropped."""
    for case in _SAID:
        refusal = _refusal(sample, case.messages)
        if refusal is not None:
            _check_names_part(str(refusal), case)
        else:
            strings = _all_strings(_members(_encode(sample, case.messages)))
            for word in case.words:
                assert any(word in string for string in strings), (
                    f"{case.what}: {word!r} is not in the body: send it, or raise"
                    " LocalProtocolError"
                )


def _check_names_part(refusal: str, case: _Case) -> None:
    names = ("messages[", *(call.id for call in (_CALL,)))
    assert any(name in refusal for name in names), (
        f"{case.what}: the refusal {refusal!r} does not say which part it means: name messages[i],"
        " or the call's id"
    )


def check_settings(sample: WireSample) -> None:
    """Every setting is sent, also where it is zero, or refused by name."""
    for name, value in _SETTINGS:
        _check_setting(sample, sample.config, name, value)
    with_tools = attrs.evolve(sample.config, tools=[_TOOL])
    if _refusal(sample, [_USER], with_tools) is None:
        for choice in _TOOL_CHOICES:
            _check_setting(sample, with_tools, "tool_choice", choice)


def _check_setting(sample: WireSample, base: ProviderConfig, name: str, value: object) -> None:
    config = _evolved(base, name, value)
    refusal = _refusal(sample, [_USER], config)
    if refusal is not None:
        assert name in str(refusal), f"the refusal {str(refusal)!r} does not name {name}"
    else:
        assert _encode(sample, [_USER], config) != _encode(sample, [_USER], base), (
            f"{name} = {value!r} changes nothing: send it, or raise LocalProtocolError. Mind that"
            " zero and false are settings"
        )


def check_unset(sample: WireSample) -> None:
    """Unset means not sent: no default of ours, and no null."""
    base = _encode(sample, [_USER])
    for path, value in _leaves(_members(base)):
        assert value is not None, f"{path} is sent as null: use `encoding.without_unset`"
    for name, value in _SETTINGS:
        config = _evolved(sample.config, name, value)
        if getattr(sample.config, name) or _refusal(sample, [_USER], config) is not None:
            continue
        sent = dict(_leaves(_members(_encode(sample, [_USER], config))))
        for path, unset in _leaves(_members(base)):
            assert sent.get(path, unset) == unset, (
                f"{path} is sent while {name} is unset: leave the API its own default"
            )


def check_extra(sample: WireSample) -> None:
    """`ProviderConfig.extra` goes in as it is, and replaces nothing."""
    member = {"kit_member": {"Quitte": [1, None]}}
    config = attrs.evolve(sample.config, extra=member)
    refusal = _refusal(sample, [_USER], config)
    assert refusal is None, f"extra is refused: {refusal}"
    request = _encode(sample, [_USER], config)
    body = _members(request)
    # A message over a socket may hold what asks for the answer in a member.
    places = _objects(body) if request.opens_socket else [body]
    place = next((each for each in places if each.items() >= member.items()), None)
    assert place is not None, "extra is not in the body: use `encoding.add_extra`"
    for name in place.keys() - member.keys():
        taken = attrs.evolve(sample.config, extra={name: "Quitte"})
        assert _refusal(sample, [_USER], taken) is not None, (
            f"extra[{name!r}] replaces what the settings already say: use `encoding.add_extra`"
        )


def check_unwritable(sample: WireSample) -> None:
    """What JSON cannot hold is the caller's mistake, told without quoting it."""
    half = [Message.user(f"{PROMPT} \ud800")]
    assert _refusal(sample, half) is not None, "half a character was sent: use `encoding.to_json`"
    thing = attrs.evolve(sample.config, extra={"kit_member": object()})
    assert _refusal(sample, [Message.user(PROMPT)], thing) is not None, (
        "a value that is no JSON was sent: use `encoding.to_json`"
    )


def check_signatures_return(sample: WireSample, answer: AnswerSample, message: Message) -> None:
    """The signatures of an answer are in the request that goes on with it, as they came."""
    messages = [_USER, message]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    results = [ToolResult(call_id=call.id, name=call.name, text="done") for call in calls]
    messages.append(Message.tool(*results) if results else _USER)
    refusal = _refusal(sample, messages)
    assert refusal is None, f"the answer cannot be sent back: {refusal}"
    strings = _all_strings(_members(_encode(sample, messages)))
    for signature in answer.signatures:
        assert any(signature in string for string in strings), (
            f"the signature {signature!r} does not go back: keep it in a ReasoningDelta or"
            " ToolCallDelta, and send what Reasoning and ToolCall hold of it"
        )


def _encode(
    sample: WireSample, messages: Sequence[Message], config: ProviderConfig | None = None
) -> EncodedRequest:
    return sample.wire.encode(messages, config or sample.config, sample.quirks)


def _refusal(
    sample: WireSample, messages: Sequence[Message], config: ProviderConfig | None = None
) -> LocalProtocolError | None:
    """Return what the wire format refuses a request with, None if it takes it."""
    refusal = None
    try:
        _encode(sample, messages, config)
    except LocalProtocolError as error:
        refusal = error
    except Exception as error:
        raise AssertionError(
            f"encoding raised {type(error).__name__}: {error!s:.300}; what cannot be sent is a"
            " LocalProtocolError"
        ) from error
    for secret in (PROMPT, "Frage-Quitte", "Wort-Quitte", "Sonne-Quitte", "Grund-Quitte"):
        assert secret not in str(refusal), f"a refusal quotes the conversation: {refusal}"
    return refusal


def _evolved(config: ProviderConfig, name: str, value: object) -> ProviderConfig:
    return ProviderConfig(**{name: cast("Any", value)}).merged_over(config)


def _members(request: EncodedRequest) -> dict[str, Any]:
    """Return the body, or the messages that go over a socket in place of one."""
    if not request.opens_socket:
        return _object(request.body, "the body")
    return {"messages": [_object(line, "a message") for line in request.body.split(b"\n")]}


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise AssertionError(f"{what} is no JSON object: {error}") from None


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """Give an object and every one in it."""
    match value:
        case Mapping():
            members = cast("Mapping[str, object]", value)
            yield members
            for child in members.values():
                yield from _objects(child)
        case list():
            for child in cast("list[object]", value):
                yield from _objects(child)
        case _:
            pass


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Give what is neither object nor array in a body, by its place."""
    match value:
        case Mapping():
            for name, child in cast("Mapping[str, object]", value).items():
                yield from _leaves(child, f"{path}.{name}" if path else name)
        case list():
            for number, child in enumerate(cast("list[object]", value)):
                yield from _leaves(child, f"{path}[{number}]")
        case _:
            yield path, value


def _all_strings(body: Mapping[str, Any]) -> list[str]:
    return [value for _, value in _leaves(body) if isinstance(value, str)]
