"""Messages as the conventions write them down, for those who ask for content.

The shapes are those of the conventions' JSON schemas for input and output messages and tool
definitions.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TypeAlias, assert_never

import msgspec

from tokenwire.completion import Choice, Completion
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire.tokens import Finish

_Object: TypeAlias = dict[str, object]


def request_content(messages: Sequence[Message], config: ProviderConfig) -> dict[str, str]:
    """Return the attributes that say what was asked, each as JSON text."""
    content = {"gen_ai.input.messages": _json([_message(message) for message in messages])}
    if config.tools:
        content["gen_ai.tool.definitions"] = _json([_tool(tool) for tool in config.tools])
    return content


def answer_content(answer: Completion) -> dict[str, str]:
    """Return the attribute that says what was answered, as JSON text."""
    return {"gen_ai.output.messages": _json([_choice(choice) for choice in answer.choices])}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _message(message: Message) -> _Object:
    return {"role": message.role, "parts": [_part(part) for part in message.parts]}


def _choice(choice: Choice) -> _Object:
    parts = [_part(part) for part in choice.parts]
    if choice.refusal:
        parts.append({"type": "text", "content": choice.refusal})
    return {"role": "assistant", "parts": parts, "finish_reason": _finish_word(choice.finish)}


def _finish_word(finish: Finish | None) -> str:
    """Return the conventions' word, which for an answer that broke off is an error."""
    if finish is None:
        return "error"
    return "tool_call" if finish.reason == "tool_calls" else finish.reason


def _tool(tool: Tool) -> _Object:
    definition: _Object = {"type": "function", "name": tool.name}
    if tool.description is not None:
        definition["description"] = tool.description
    return definition


def _part(part: Part) -> _Object:
    match part:
        case Text(text):
            return {"type": "text", "content": text}
        case Reasoning(text):
            return {"type": "reasoning", "content": text}
        case ToolCall():
            return {
                "type": "tool_call",
                "id": part.id,
                "name": part.name,
                "arguments": _arguments(part),
            }
        case ToolResult():
            return {"type": "tool_call_response", "id": part.call_id, "response": part.text}
        case Image():
            return _image(part)
        case _:
            assert_never(part)


def _arguments(call: ToolCall) -> object:
    """Return what the model wrote as JSON, or as text where it is none."""
    try:
        return msgspec.json.decode(call.arguments or "{}")
    except ValueError:
        return call.arguments


def _image(image: Image) -> _Object:
    kind: _Object = {"modality": "image", "mime_type": image.media_type}
    if image.data is None:
        return {"type": "uri", **kind, "uri": image.url}
    return {"type": "blob", **kind, "content": b64encode(image.data).decode()}
