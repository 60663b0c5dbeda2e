"""From messages and settings to the JSON body of a chat completion request.

Reference: https://developers.openai.com/api/reference/resources/chat (create chat completion).
Nothing is sent that was not set, and nothing that was given is left out: what this API cannot carry
raises `LocalProtocolError` and names the part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from tokenwire import lenient_json as lenient
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.wire.encoding import (
    add_extra,
    cannot_carry,
    encoded_tools,
    foreign_signature,
    image_url,
    json_or_none,
    plain_text,
    require_messages,
    to_json,
    tool_choice,
    without_unset,
)
from tokenwire.wire.openai_chat.quirks import Quirks


def encode_body(messages: Sequence[Message], config: ProviderConfig, quirks: Quirks) -> bytes:
    """Encode the body.

    Raises:
        LocalProtocolError: If there is no message, or one holds what this API cannot carry.
    """
    require_messages(messages)
    body: dict[str, Any] = {}
    if config.model is not None:
        body["model"] = config.model
    body["messages"] = [
        item
        for position, message in enumerate(messages)
        for item in _Encoder(position, message, quirks).encode()
    ]
    body["stream"] = True
    if quirks.include_usage:
        body["stream_options"] = {"include_usage": True}
    body.update(_settings(config, quirks))
    add_extra(body, config.extra)
    return to_json(body)


def _settings(config: ProviderConfig, quirks: Quirks) -> dict[str, Any]:
    """Encode every setting that is set."""
    settings = {
        quirks.max_tokens_field: config.max_output_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "stop": config.stop,
        "seed": config.seed,
        "tools": encoded_tools(config, _tool),
        "tool_choice": _tool_choice(config),
        "response_format": _response_format(config),
        "reasoning_effort": _reasoning_effort(config),
        "n": config.n,
        "logprobs": True if config.logprobs is not None else None,
        "top_logprobs": config.logprobs or None,
    }
    return without_unset(settings)


def _tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or None,
        "strict": tool.strict,
    }
    return {"type": "function", "function": without_unset(function)}


def _tool_choice(config: ProviderConfig) -> object:
    match tool_choice(config):
        case ForcedTool(name):
            return {"type": "function", "function": {"name": name}}
        case choice:
            return choice


def _response_format(config: ProviderConfig) -> object:
    schema = config.response_schema
    if schema is None:
        return None
    members = {"name": schema.name, "schema": dict(schema.schema), "strict": schema.strict}
    return {"type": "json_schema", "json_schema": without_unset(members)}


def _reasoning_effort(config: ProviderConfig) -> str | None:
    if config.reasoning is None:
        return None
    if config.reasoning.max_tokens is not None:
        raise LocalProtocolError(
            "reasoning.max_tokens: this API counts no reasoning tokens; set reasoning.effort"
        )
    return config.reasoning.effort


class _Encoder:
    """Encodes one message, and knows how to call its parts when they cannot be sent."""

    def __init__(self, position: int, message: Message, quirks: Quirks) -> None:
        self._position = position
        self._message = message
        self._quirks = quirks

    def encode(self) -> list[dict[str, Any]]:
        """Return one object; for tool results one each."""
        match self._message.role:
            case "system":
                return [
                    {
                        "role": self._quirks.system_role,
                        "content": plain_text(self._position, self._message),
                    }
                ]
            case "user":
                return [{"role": "user", "content": self._user_content()}]
            case "assistant":
                return [self._assistant()]
            case "tool":
                return [self._tool_result(part) for part in self._message.parts]
            case _ as role:
                assert_never(role)

    def _user_content(self) -> str | list[dict[str, Any]]:
        """Return a string where there is only text: every server understands that."""
        parts = self._message.parts
        texts = [part.text for part in parts if isinstance(part, Text)]
        if len(texts) == len(parts):
            return "".join(texts)
        return [self._user_part(part) for part in parts]

    def _user_part(self, part: Part) -> dict[str, Any]:
        match part:
            case Text():
                return {"type": "text", "text": part.text}
            case Image():
                image = without_unset({"url": image_url(part), "detail": part.detail})
                return {"type": "image_url", "image_url": image}
            case ToolCall() | ToolResult() | Reasoning():
                raise cannot_carry(self._position, self._message, part)
            case _:
                assert_never(part)

    def _assistant(self) -> dict[str, Any]:
        text = ""
        calls: list[dict[str, Any]] = []
        reasoning: list[Reasoning] = []
        for part in self._message.parts:
            match part:
                case Text():
                    text += part.text
                case ToolCall():
                    calls.append(self._tool_call(part))
                case Reasoning():
                    reasoning.append(part)
                case Image() | ToolResult():
                    raise cannot_carry(self._position, self._message, part)
                case _:
                    assert_never(part)
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if calls:
            message["tool_calls"] = calls
        elif not text:
            message["content"] = ""
        return message | self._reasoning(reasoning)

    def _tool_call(self, call: ToolCall) -> dict[str, Any]:
        encoded: dict[str, Any] = {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }
        if call.signature is not None:
            encoded["extra_content"] = self._extra_content(call.id, call.signature)
        return encoded

    def _extra_content(self, call_id: str, signature: str) -> dict[str, Any]:
        """Return what came with a call: an object for each vendor."""
        content = lenient.as_object(json_or_none(signature))
        if not content or not all(isinstance(value, dict | list) for value in content.values()):
            raise foreign_signature(self._position, f"tool call {call_id!r}")
        return content

    def _reasoning(self, parts: list[Reasoning]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        details = [detail for part in parts for detail in self._details(part)]
        if details:
            members["reasoning_details"] = details
        text = "".join(part.text for part in parts)
        if text and self._quirks.reasoning_field:
            members[self._quirks.reasoning_field] = text
        elif text and not details:
            raise LocalProtocolError(
                f"messages[{self._position}]: this API takes no reasoning back: send"
                " message.without_reasoning(), or name the member that your server wants in the"
                " quirk reasoning_field"
            )
        return members

    def _details(self, part: Reasoning) -> list[Any]:
        if part.signature is None:
            return []
        details = json_or_none(part.signature)
        if not isinstance(details, list):
            raise foreign_signature(self._position, "its reasoning")
        return details  # pyright: ignore[reportUnknownVariableType]  # JSON

    def _tool_result(self, part: Part) -> dict[str, Any]:
        if not isinstance(part, ToolResult):
            raise cannot_carry(self._position, self._message, part)
        # The API has no flag for a failed tool: the text has to say it, and does.
        return {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
