"""From messages and settings to the JSON body of a chat request.

Reference: https://docs.ollama.com/api/chat. Nothing is sent that was not set, and nothing that was
given is left out: what this API cannot carry raises `LocalProtocolError` and names the part. What
only this API has goes in by `ProviderConfig.extra`: ``keep_alive``, ``think`` as a boolean, and
``options``, which are merged with those that the settings make, for instance ``num_ctx``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ProviderConfig, Tool
from tokenwire.wire.encoding import (
    add_extra,
    arguments_object,
    base64_text,
    cannot_carry,
    encoded_tools,
    foreign_signature,
    plain_text,
    refuse_detail,
    refuse_set,
    require_messages,
    to_json,
    tool_choice,
    without_unset,
)


def encode_body(messages: Sequence[Message], config: ProviderConfig) -> bytes:
    """Encode the body.

    Raises:
        LocalProtocolError: If there is no message, or something is set or said that this API cannot
            carry.
    """
    require_messages(messages)
    _refuse_settings(config)
    names: dict[str, str] = {}
    body: dict[str, Any] = without_unset(
        {
            "model": config.model,
            "messages": [
                item
                for position, message in enumerate(messages)
                for item in _Encoder(position, message, names).encode()
            ],
            "stream": True,
            **_settings(config),
        }
    )
    add_extra(body, config.extra)
    return to_json(body)


def _refuse_settings(config: ProviderConfig) -> None:
    refuse_set({"n": config.n}, "this API gives one answer")
    choice = tool_choice(config)
    refuse_set(
        {"tool_choice": choice if choice != "auto" else None},
        'this API knows none but "auto"',
    )
    if config.reasoning is not None:
        refuse_set(
            {"reasoning.max_tokens": config.reasoning.max_tokens},
            "this API counts no reasoning tokens, it knows reasoning.effort",
        )


def _settings(config: ProviderConfig) -> dict[str, Any]:
    """Encode every setting that is set."""
    schema = config.response_schema
    return {
        "tools": encoded_tools(config, _tool),
        "format": dict(schema.schema) if schema is not None else None,
        "options": _options(config) or None,
        "think": _think(config),
        "logprobs": True if config.logprobs is not None else None,
        "top_logprobs": config.logprobs or None,
    }


def _options(config: ProviderConfig) -> dict[str, Any]:
    return without_unset(
        {
            "num_predict": config.max_output_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "seed": config.seed,
            "stop": config.stop,
        }
    )


def _think(config: ProviderConfig) -> str | bool | None:
    effort = config.reasoning.effort if config.reasoning is not None else None
    return False if effort == "none" else effort


def _tool(tool: Tool) -> dict[str, Any]:
    if tool.strict:
        raise LocalProtocolError(
            f"tool {tool.name!r}: this API does not enforce schemas; leave strict unset"
        )
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or None,
    }
    return {"type": "function", "function": without_unset(function)}


class _Encoder:
    """Encodes one message, and knows how to call its parts when they cannot be sent.

    Args:
        position: Its place in the conversation.
        message: The message.
        names: Tools by the ids of their calls so far: this API knows a result by the tool's name.
    """

    def __init__(self, position: int, message: Message, names: dict[str, str]) -> None:
        self._position = position
        self._message = message
        self._names = names

    def encode(self) -> list[dict[str, Any]]:
        """Return one object; for tool results one each."""
        match self._message.role:
            case "system":
                text = plain_text(self._position, self._message)
                return [{"role": "system", "content": text}]
            case "user":
                return [self._user()]
            case "assistant":
                return [self._assistant()]
            case "tool":
                return [self._tool_result(part) for part in self._message.parts]
            case _ as role:
                assert_never(role)

    def _user(self) -> dict[str, Any]:
        images: list[str] = []
        for part in self._message.parts:
            match part:
                case Text():
                    pass
                case Image():
                    images.append(self._image(part))
                case ToolCall() | ToolResult() | Reasoning():
                    raise cannot_carry(self._position, self._message, part)
                case _:
                    assert_never(part)
        members = {"role": "user", "content": self._message.text, "images": images or None}
        return without_unset(members)

    def _image(self, image: Image) -> str:
        refuse_detail(self._position, image)
        if image.data is None:
            raise LocalProtocolError(
                f"messages[{self._position}]: this API takes no URL of a picture: give Image its"
                " data"
            )
        return base64_text(image.data)

    def _assistant(self) -> dict[str, Any]:
        calls: list[dict[str, Any]] = []
        thinking = ""
        for part in self._message.parts:
            match part:
                case Text():
                    pass
                case ToolCall():
                    calls.append(self._tool_call(part))
                case Reasoning():
                    thinking += self._thinking(part)
                case Image() | ToolResult():
                    raise cannot_carry(self._position, self._message, part)
                case _:
                    assert_never(part)
        members = {
            "role": "assistant",
            "content": self._message.text,
            "thinking": thinking or None,
            "tool_calls": calls or None,
        }
        return without_unset(members)

    def _tool_call(self, call: ToolCall) -> dict[str, Any]:
        if call.signature is not None:
            raise foreign_signature(self._position, f"tool call {call.id!r}")
        self._names[call.id] = call.name
        return {"function": {"name": call.name, "arguments": arguments_object(call)}}

    def _thinking(self, reasoning: Reasoning) -> str:
        if reasoning.signature is not None:
            raise foreign_signature(self._position, "its reasoning")
        return reasoning.text

    def _tool_result(self, part: Part) -> dict[str, Any]:
        if not isinstance(part, ToolResult):
            raise cannot_carry(self._position, self._message, part)
        name = part.name or self._names.get(part.call_id)
        if name is None:
            raise LocalProtocolError(
                f"messages[{self._position}]: this API knows a tool's result by the tool's name:"
                " set ToolResult.name, or send the call that it answers as well"
            )
        # The API has no flag for a failed tool: the text has to say it, and does.
        return {"role": "tool", "content": part.text, "tool_name": name}
