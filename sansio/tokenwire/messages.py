"""What goes in: a conversation as `Message`s made of parts.

Parts are facts that providers share; each wire format writes them in its own way, and raises
`LocalProtocolError` for what it cannot carry. Nothing is dropped silently. A part's `repr` shows
what kind of thing it is and how large, never its content: prompts do not belong in logs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, assert_never, cast, final

import attrs
from attrs import field

from tokenwire import _validation as check

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


def size_only(value: str | bytes | None) -> str:
    """Describe content by its size, for a `repr` that shows no prompt."""
    match value:
        case None:
            return "None"
        case str():
            return f"<{len(value)} characters>"
        case bytes():
            return f"<{len(value)} bytes>"
        case _:
            assert_never(value)


@final
@attrs.frozen
class Text:
    """Plain text."""

    text: str = field(repr=size_only, validator=check.string)


@final
@attrs.frozen(kw_only=True)
class Image:
    """A picture, as bytes or by URL: exactly one of `data` and `url`.

    Attributes:
        data: The encoded picture, for instance the bytes of a PNG file.
        media_type: Type of `data`, for instance ``"image/png"``; required with it.
        url: Where the provider fetches the picture.
        detail: How closely to look, where the API knows that: for instance ``"low"``.
    """

    data: bytes | None = field(
        default=None, repr=size_only, validator=check.instance_of(bytes, "bytes")
    )
    media_type: str | None = field(default=None, validator=check.text)
    url: str | None = field(default=None, repr=size_only, validator=check.text)
    detail: str | None = field(default=None, validator=check.text)

    def __attrs_post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            raise ValueError("an Image has either data or a url")
        if self.data is not None and self.media_type is None:
            raise ValueError('an Image with data needs its media_type, for instance "image/png"')


@final
@attrs.frozen(kw_only=True)
class ToolCall:
    """The model's wish to call a tool.

    Attributes:
        id: Names the call; its `ToolResult` carries the same.
        name: The tool's name.
        arguments: JSON text as the model wrote it; empty means no arguments.
        signature: Opaque data that came with the call and goes back with it.
    """

    id: str = field(validator=check.string)
    name: str = field(validator=check.string)
    arguments: str = field(
        default="", repr=size_only, validator=check.instance_of(str, "JSON text (a string)")
    )
    signature: str | None = field(default=None, repr=size_only, validator=check.string)


@final
@attrs.frozen(kw_only=True)
class ToolResult:
    """What a tool answered.

    Attributes:
        call_id: The `ToolCall.id` that it answers.
        text: The answer; often JSON text.
        name: The tool's name, which some APIs ask for.
        is_error: The tool failed and `text` says how.
    """

    call_id: str = field(validator=check.string)
    text: str = field(repr=size_only, validator=check.string)
    name: str | None = field(default=None, validator=check.text)
    is_error: bool = field(default=False, validator=check.boolean)


@final
@attrs.frozen
class Reasoning:
    """The model's reasoning, to be sent back where a provider wants it.

    Attributes:
        text: The reasoning as far as it was shown; may be empty.
        signature: Opaque proof or encrypted content, sent back exactly as it came.
    """

    text: str = field(default="", repr=size_only, validator=check.string)
    signature: str | None = field(default=None, repr=size_only, validator=check.string)


Part: TypeAlias = Text | Image | ToolCall | ToolResult | Reasoning
_PART_TYPES = (Text, Image, ToolCall, ToolResult, Reasoning)


def _to_parts(content: str | Part | tuple[str | Part, ...] | list[str | Part]) -> tuple[Part, ...]:
    items = content if isinstance(content, tuple | list) else (content,)
    return tuple(Text(item) if isinstance(item, str) else item for item in items)


def _check_parts(_: object, __: object, parts: tuple[object, ...]) -> None:
    if not parts:
        raise ValueError("parts is empty: a message needs at least one part")
    for position, part in enumerate(parts):
        if not isinstance(part, _PART_TYPES):
            raise TypeError(
                f"parts[{position}] must be a string, Text, Image, ToolCall, ToolResult or"
                f" Reasoning, not {type(part).__name__}"
            )


@final
@attrs.frozen
class Message:
    """One turn of a conversation.

    ``Message.user("Hi")`` and its siblings are the short way to build one; they take strings and
    parts in any mixture.

    Attributes:
        role: Who speaks: system, user, assistant or tool.
        parts: What is said, at least one part.
    """

    role: Role = field(validator=check.one_of("system", "user", "assistant", "tool"))
    parts: tuple[Part, ...] = field(converter=_to_parts, validator=_check_parts)

    @classmethod
    def system(cls, *content: str | Part) -> Message:
        """Build the instructions that stand above the conversation."""
        return cls("system", content)

    @classmethod
    def user(cls, *content: str | Part) -> Message:
        """Build what the user says."""
        return cls("user", content)

    @classmethod
    def assistant(cls, *content: str | Part) -> Message:
        """Build what the model said: text, `Reasoning`, calls of tools."""
        return cls("assistant", content)

    @classmethod
    def tool(cls, *results: ToolResult) -> Message:
        """Build the answers of tools to the calls of the message before."""
        return cls("tool", results)

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    def without_reasoning(self) -> Message:
        """Return the message as every API takes it back, also one that it did not come from.

        It is without its `Reasoning` parts, and its tool calls are without their signatures.

        Raises:
            ValueError: If nothing else is in it.
        """
        kept = tuple(
            attrs.evolve(part, signature=None) if isinstance(part, ToolCall) else part
            for part in self.parts
            if not isinstance(part, Reasoning)
        )
        if not kept:
            raise ValueError("the message holds nothing but reasoning")
        return Message(self.role, kept)


def as_conversation(messages: object) -> tuple[Message, ...]:
    """Return what a caller gave as a conversation, if it is one.

    Type checkers see to that where callers use one; to all others this names the mistake.

    Raises:
        TypeError: It is no list (or other iterable) of `Message`.
    """
    if isinstance(messages, str) or not isinstance(messages, Iterable):
        raise TypeError(
            'messages must be a list of Message, such as [Message.user("…")], not'
            f" {type(messages).__name__}"
        )
    conversation = tuple(cast("Iterable[object]", messages))
    for position, message in enumerate(conversation):
        if not isinstance(message, Message):
            raise TypeError(
                f'messages[{position}] must be a Message, such as Message.user("…"), not'
                f" {type(message).__name__}"
            )
    return cast("tuple[Message, ...]", conversation)
