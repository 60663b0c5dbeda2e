r"""Conversations as JSON, for ``--messages FILE.json``.

```json
[
  {"role": "system", "content": "You are terse."},
  {"role": "user", "content": [
    {"type": "text", "text": "What is this?"},
    {"type": "image", "file": "cat.png", "media_type": "image/png", "detail": "low"},
    {"type": "image", "url": "https://host.example/cat.png"}]},
  {"role": "assistant", "content": [
    {"type": "reasoning", "text": "…", "signature": "…"},
    {"type": "tool_call", "id": "call_1", "name": "look_up", "arguments": "{\"name\": 1}"}]},
  {"role": "tool", "content": [
    {"type": "tool_result", "call_id": "call_1", "text": "a mammal", "is_error": false}]}
]
```

``content`` is a string or a list of parts, and the parts are those of `tokenwire.messages` under
the same names. An image has one of ``file`` (relative to the JSON file), ``url`` and ``data``
(base64).
"""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias, assert_never, get_args

import msgspec

from tokenwire.messages import Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from tokenwire_trio.misspelt_member import with_nearest

#: For those whose document is another one altogether.
_EXPECTED: Final = 'a conversation is a list such as [{"role": "user", "content": "Hi"}]'


class _Strict(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", omit_defaults=True):
    """A misspelt member is an error, not a member that is silently left out."""


class _Text(_Strict, tag="text"):
    text: str


class _Image(_Strict, tag="image"):
    file: str | None = None
    url: str | None = None
    data: bytes | None = None
    media_type: str | None = None
    detail: str | None = None


class _Reasoning(_Strict, tag="reasoning"):
    text: str = ""
    signature: str | None = None


class _ToolCall(_Strict, tag="tool_call"):
    id: str
    name: str
    arguments: str = ""
    signature: str | None = None


class _ToolResult(_Strict, tag="tool_result"):
    call_id: str
    text: str
    name: str | None = None
    is_error: bool = False


_AnyPart: TypeAlias = _Text | _Image | _Reasoning | _ToolCall | _ToolResult


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: Role
    content: str | list[_AnyPart]


def read_messages(file: Path) -> Sequence[Message]:
    """Read the conversation.

    Raises:
        ValueError: If the file has another form; the message says where.
        OSError: If it, or an image that it names, can't be read.
    """
    return decode_messages(file.read_bytes(), file.parent)


def decode_messages(document: bytes | msgspec.Raw, folder: Path) -> Sequence[Message]:
    """Read a conversation whose images are named relative to a folder.

    Raises:
        ValueError: If the document has another form; the message says where.
        OSError: If an image that it names can't be read.
    """
    try:
        messages = msgspec.json.decode(document, type=list[_Message])
    except msgspec.ValidationError as error:
        kinds = get_args(_AnyPart)
        complaint = with_nearest(error, _Message, *kinds, choices=get_args(Role))
    except msgspec.DecodeError as error:
        complaint = str(error)
    else:
        return [_message(message, folder) for message in messages]
    is_of_a_member = " at `$" in complaint
    raise ValueError(complaint if is_of_a_member else f"{complaint}; {_EXPECTED}")


def _message(message: _Message, folder: Path) -> Message:
    if isinstance(message.content, str):
        return Message(message.role, message.content)
    return Message(message.role, tuple(_part(part, folder) for part in message.content))


def _part(part: _AnyPart, folder: Path) -> Part:
    match part:
        case _Text():
            return Text(part.text)
        case _Image():
            return _image(part, folder)
        case _Reasoning():
            return Reasoning(part.text, part.signature)
        case _ToolCall():
            return ToolCall(
                id=part.id, name=part.name, arguments=part.arguments, signature=part.signature
            )
        case _ToolResult():
            return ToolResult(
                call_id=part.call_id, text=part.text, name=part.name, is_error=part.is_error
            )
        case _:
            assert_never(part)


def _image(part: _Image, folder: Path) -> Image:
    data, media_type = part.data, part.media_type
    if part.file is not None:
        if data is not None:
            raise ValueError("an image has one of file, url and data")
        data = (folder / part.file).read_bytes()
        media_type = media_type or mimetypes.guess_type(part.file)[0]
    return Image(data=data, media_type=media_type, url=part.url, detail=part.detail)


def write_messages(file: Path, messages: Sequence[Message]) -> None:
    """Write a conversation for `read_messages`; pictures become part of the file.

    Raises:
        OSError: If it can't be written.
    """
    written = [_Message(message.role, _content(message)) for message in messages]
    file.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n")


def _content(message: Message) -> str | list[_AnyPart]:
    match message.parts:
        case (Text(text),):
            return text
        case parts:
            return [_written(part) for part in parts]


def _written(part: Part) -> _AnyPart:
    match part:
        case Text():
            return _Text(part.text)
        case Image():
            return _Image(
                url=part.url, data=part.data, media_type=part.media_type, detail=part.detail
            )
        case Reasoning():
            return _Reasoning(part.text, part.signature)
        case ToolCall():
            return _ToolCall(part.id, part.name, part.arguments, part.signature)
        case ToolResult():
            return _ToolResult(part.call_id, part.text, part.name, part.is_error)
        case _:
            assert_never(part)
