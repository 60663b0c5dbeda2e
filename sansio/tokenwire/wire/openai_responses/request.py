"""From messages and settings to the JSON body of a request for a response.

Reference: https://developers.openai.com/api/reference/resources/responses (create a response).
Nothing is sent that was not set, and nothing that was given is left out: what this API cannot carry
raises `LocalProtocolError` and names the part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.wire.encoding import (
    add_extra,
    cannot_carry,
    encoded_tools,
    foreign_signature,
    image_url,
    plain_text,
    refuse_set,
    require_messages,
    to_json,
    tool_choice,
    without_unset,
)
from tokenwire.wire.openai_responses.quirks import Quirks
from tokenwire.wire.openai_responses.reasoning import shown_text, unpack_item


def encode_body(messages: Sequence[Message], config: ProviderConfig, quirks: Quirks) -> bytes:
    """Encode the body of a request that asks for an event stream.

    Raises:
        LocalProtocolError: If there is no message, or one holds what this API cannot carry.
    """
    return encode_members({"stream": True}, messages, config, quirks)


def encode_members(
    opening: Mapping[str, Any],
    messages: Sequence[Message],
    config: ProviderConfig,
    quirks: Quirks,
) -> bytes:
    """Encode what asks for a response, as a JSON object.

    Args:
        opening: Its first members, which `ProviderConfig.extra` cannot replace.
        messages: The conversation.
        config: The settings of this call.
        quirks: What the server wants otherwise.

    Raises:
        LocalProtocolError: If there is no message, or one holds what this API cannot carry.
    """
    require_messages(messages)
    refuse_set(
        {"stop": config.stop, "seed": config.seed, "n": config.n},
        "the Responses API has no such parameter",
    )
    body: dict[str, Any] = {**opening}
    if config.model is not None:
        body["model"] = config.model
    body["input"] = [
        item
        for position, message in enumerate(messages)
        for item in _Encoder(position, message, quirks).encode()
    ]
    body.update(_settings(config, quirks))
    add_extra(body, config.extra)
    return to_json(body)


def _settings(config: ProviderConfig, quirks: Quirks) -> dict[str, Any]:
    """Encode every setting that is set."""
    settings = {
        "max_output_tokens": config.max_output_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "tools": encoded_tools(config, _tool),
        "tool_choice": _tool_choice(config),
        "text": _text(config),
        "reasoning": _reasoning(config, quirks) or None,
        "top_logprobs": config.logprobs or None,
        "include": _include(config, quirks) or None,
    }
    return without_unset(settings)


def _tool(tool: Tool) -> dict[str, Any]:
    members = {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        # Unlike in chat completions, a function without parameters has to say so.
        "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
        "strict": tool.strict,
    }
    return without_unset(members)


def _tool_choice(config: ProviderConfig) -> object:
    match tool_choice(config):
        case ForcedTool(name):
            return {"type": "function", "name": name}
        case choice:
            return choice


def _text(config: ProviderConfig) -> object:
    schema = config.response_schema
    if schema is None:
        return None
    members = {
        "type": "json_schema",
        "name": schema.name,
        "schema": dict(schema.schema),
        "strict": schema.strict,
    }
    return {"format": without_unset(members)}


def _reasoning(config: ProviderConfig, quirks: Quirks) -> dict[str, Any]:
    effort = None
    if config.reasoning is not None:
        refuse_set(
            {"reasoning.max_tokens": config.reasoning.max_tokens},
            "this API counts no reasoning tokens, it has reasoning.effort",
        )
        effort = config.reasoning.effort
    return without_unset({"effort": effort, "summary": quirks.reasoning_summary})


def _include(config: ProviderConfig, quirks: Quirks) -> list[str]:
    wanted = {
        "reasoning.encrypted_content": quirks.encrypted_reasoning,
        "message.output_text.logprobs": config.logprobs is not None,
    }
    return [name for name, is_wanted in wanted.items() if is_wanted]


class _Encoder:
    """Encodes one message as input items, in the order of its parts."""

    def __init__(self, position: int, message: Message, quirks: Quirks) -> None:
        self._position = position
        self._message = message
        self._quirks = quirks
        self._placed: set[str] = set()  # signatures of reasoning that stands before its place

    def encode(self) -> list[dict[str, Any]]:
        match self._message.role:
            case "system":
                text = plain_text(self._position, self._message)
                return [_message(self._quirks.system_role, text)]
            case "user":
                return [_message("user", self._user_content())]
            case "assistant":
                return self._assistant()
            case "tool":
                return [self._tool_result(part) for part in self._message.parts]
            case _ as role:
                assert_never(role)

    def _user_content(self) -> str | list[dict[str, Any]]:
        """Return a string where there is only text: every server understands that."""
        parts = self._message.parts
        if all(isinstance(part, Text) for part in parts):
            return self._message.text
        return [self._user_part(part) for part in parts]

    def _user_part(self, part: Part) -> dict[str, Any]:
        match part:
            case Text():
                return {"type": "input_text", "text": part.text}
            case Image():
                image = {"image_url": image_url(part), "detail": part.detail}
                return {"type": "input_image", **without_unset(image)}
            case ToolCall() | ToolResult() | Reasoning():
                raise cannot_carry(self._position, self._message, part)
            case _:
                assert_never(part)

    def _assistant(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        for part in self._message.parts:
            match part:
                case Text():
                    items.append(_message("assistant", part.text))
                case ToolCall():
                    items.append(self._call(part))
                case Reasoning():
                    items += self._reasoning(part)
                case Image() | ToolResult():
                    raise cannot_carry(self._position, self._message, part)
                case _:
                    assert_never(part)
        return items

    def _call(self, call: ToolCall) -> dict[str, Any]:
        if call.signature is not None:
            raise foreign_signature(self._position, f"tool call {call.id!r}")
        return {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments or "{}",
        }

    def _reasoning(self, part: Reasoning) -> list[dict[str, Any]]:
        """Return a reasoning item at the place where its text begins.

        OpenRouter and llama.cpp end an item of reasoning after the message that follows it. Text
        and signature are then two parts, and the signature says it all.
        """
        if part.signature is not None:
            is_placed = part.signature in self._placed
            return [] if is_placed else [self._reasoning_item(part.signature)]
        for other in self._message.parts:
            if isinstance(other, Reasoning) and other.signature is not None:
                item = self._reasoning_item(other.signature)
                if part.text and part.text in shown_text(item):
                    self._placed.add(other.signature)
                    return [item]
        raise LocalProtocolError(
            f"messages[{self._position}]: this API takes reasoning back only with the signature"
            " that came with it: send message.without_reasoning()"
        )

    def _reasoning_item(self, signature: str) -> dict[str, Any]:
        item = unpack_item(signature)
        if item is None:
            raise foreign_signature(self._position, "its reasoning")
        return item

    def _tool_result(self, part: Part) -> dict[str, Any]:
        if not isinstance(part, ToolResult):
            raise cannot_carry(self._position, self._message, part)
        # The API has no flag for a failed tool: the text has to say it, and does.
        return {"type": "function_call_output", "call_id": part.call_id, "output": part.text}


def _message(role: str, content: str | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # The type may be left out, but llama.cpp then takes no message of the assistant.
    return {"type": "message", "role": role, "content": content}
