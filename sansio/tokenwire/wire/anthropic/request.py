"""From messages and settings to the JSON body of a request.

Reference: https://platform.claude.com/docs/en/api/messages. Nothing is sent that was not set, and
nothing that was given is left out: what this API cannot carry raises `LocalProtocolError` and names
the part. Settings go where the API has them:

* ``reasoning.max_tokens`` is the budget of ``thinking``; ``reasoning.effort`` is the effort of
  ``output_config``, with ``thinking`` left to the model (``adaptive``), or off for ``"none"``;
* ``response_schema`` is the format of ``output_config``; the API always enforces it;
* system messages stand above the conversation, tool results in the user's turn, and turns of one
  side in a row become one turn, so that the two sides alternate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, ReasoningOptions, Tool
from tokenwire.wire.anthropic.quirks import CURRENT_VERSION, SAMPLING_VERSION, Quirks
from tokenwire.wire.anthropic.thinking import thinking_block
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

_Blocks: TypeAlias = list[dict[str, Any]]

#: What the API takes as the id of a tool call; those of other APIs may hold dots and colons.
_NOT_IN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


def encode_body(messages: Sequence[Message], config: ProviderConfig, quirks: Quirks) -> bytes:
    """Encode the body.

    Raises:
        LocalProtocolError: If a required setting is missing, or something is set or said that this
            API cannot carry.
    """
    require_messages(messages)
    _refuse_settings(config, quirks)
    above = _system_messages_above(messages, quirks)
    turns = _turns(messages, above)
    if not turns:
        raise LocalProtocolError("this API needs a message besides the system's: add the user's")
    body: dict[str, Any] = without_unset(
        {
            "model": config.model,
            "max_tokens": config.max_output_tokens,
            "system": _content([block for index in above for block in _text(index, messages)]),
            "messages": turns,
            "stream": True,
            **_settings(config),
        }
    )
    add_extra(body, config.extra)
    return to_json(body)


def _refuse_settings(config: ProviderConfig, quirks: Quirks) -> None:
    if config.max_output_tokens is None:
        raise LocalProtocolError(
            "max_output_tokens: this API requires a bound on the answer's tokens; set it"
        )
    refuse_set({"n": config.n}, "this API gives one answer")
    refuse_set({"seed": config.seed}, "this API has no repeatable sampling")
    refuse_set({"logprobs": config.logprobs}, "this API has no log probabilities")
    if quirks.version == CURRENT_VERSION:
        refuse_set(
            {"temperature": config.temperature, "top_p": config.top_p},
            f"version {CURRENT_VERSION} of this API refuses it (the quirk"
            f' version = "{SAMPLING_VERSION}" asks for the one that takes it)',
        )


# Settings


def _settings(config: ProviderConfig) -> dict[str, Any]:
    """Encode every setting that is set."""
    return {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "stop_sequences": config.stop,
        "tools": encoded_tools(config, _tool),
        "tool_choice": _tool_choice(config),
        "thinking": _thinking(config.reasoning or ReasoningOptions()),
        "output_config": _output_config(config),
    }


def _tool(tool: Tool) -> dict[str, Any]:
    members = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": dict(tool.parameters) or {"type": "object", "properties": {}},
        "strict": tool.strict,
    }
    return without_unset(members)


def _tool_choice(config: ProviderConfig) -> dict[str, Any] | None:
    match tool_choice(config):
        case ForcedTool(name):
            return {"type": "tool", "name": name}
        case "required":
            return {"type": "any"}
        case None:
            return None
        case choice:
            return {"type": choice}


def _thinking(reasoning: ReasoningOptions) -> dict[str, Any] | None:
    if reasoning.effort == "none" and reasoning.max_tokens:
        raise LocalProtocolError('reasoning: effort "none" leaves no use for max_tokens; unset one')
    if reasoning.effort == "none" or reasoning.max_tokens == 0:
        return {"type": "disabled"}
    if reasoning.max_tokens is not None:
        return {"type": "enabled", "budget_tokens": reasoning.max_tokens}
    return {"type": "adaptive"} if reasoning.effort is not None else None


def _output_config(config: ProviderConfig) -> dict[str, Any] | None:
    effort = config.reasoning.effort if config.reasoning is not None else None
    schema = config.response_schema
    members = {
        "effort": effort if effort != "none" else None,
        "format": {"type": "json_schema", "schema": dict(schema.schema)} if schema else None,
    }
    return without_unset(members) or None


# Messages


def _system_messages_above(messages: Sequence[Message], quirks: Quirks) -> list[int]:
    """Return which messages stand above the conversation."""
    turns = [index for index, message in enumerate(messages) if message.role != "system"]
    first_turn = turns[0] if turns else len(messages)
    end = first_turn if quirks.system_messages == "in_place" else len(messages)
    return [index for index in range(end) if messages[index].role == "system"]


def _turns(messages: Sequence[Message], above: list[int]) -> list[dict[str, Any]]:
    """Encode the conversation, messages of one side in a row as one turn."""
    turns: list[tuple[str, _Blocks]] = []
    for index, message in enumerate(messages):
        if index in above:
            continue
        role = "user" if message.role == "tool" else message.role
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(_blocks(index, messages))
    return [{"role": role, "content": _content(blocks)} for role, blocks in turns]


def _content(blocks: _Blocks) -> str | _Blocks | None:
    """Return a string where there is only one text: every server understands that."""
    match blocks:
        case []:
            return None
        case [{"type": "text", "text": str(text)}]:
            return text
        case _:
            return blocks


def _blocks(index: int, messages: Sequence[Message]) -> _Blocks:
    message = messages[index]
    match message.role:
        case "system":
            return _text(index, messages)
        case "user":
            return [_user_block(index, message, part) for part in message.parts]
        case "assistant":
            return [_assistant_block(index, message, part) for part in message.parts]
        case "tool":
            return [_tool_result(index, message, part) for part in message.parts]
        case _ as role:
            assert_never(role)


def _text(index: int, messages: Sequence[Message]) -> _Blocks:
    return [{"type": "text", "text": plain_text(index, messages[index])}]


def _user_block(index: int, message: Message, part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            refuse_detail(index, part)
            return {"type": "image", "source": _image_source(part)}
        case ToolCall() | ToolResult() | Reasoning():
            raise cannot_carry(index, message, part)
        case _:
            assert_never(part)


def _image_source(image: Image) -> Mapping[str, Any]:
    if image.data is None:
        return {"type": "url", "url": image.url}
    return {
        "type": "base64",
        "media_type": image.media_type,
        "data": base64_text(image.data),
    }


def _assistant_block(index: int, message: Message, part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case ToolCall():
            return _tool_use(index, part)
        case Reasoning():
            return _reasoning(index, part)
        case Image() | ToolResult():
            raise cannot_carry(index, message, part)
        case _:
            assert_never(part)


def _tool_use(index: int, call: ToolCall) -> dict[str, Any]:
    if call.signature is not None:
        raise foreign_signature(index, f"tool call {call.id!r}")
    return {
        "type": "tool_use",
        "id": _tool_id(call.id),
        "name": call.name,
        "input": arguments_object(call),
    }


def _reasoning(index: int, reasoning: Reasoning) -> dict[str, Any]:
    block = thinking_block(reasoning)
    if block is None:
        raise LocalProtocolError(
            f"messages[{index}]: its reasoning has no signature of this API, which takes no other"
            " back: send message.without_reasoning()"
        )
    return block


def _tool_result(index: int, message: Message, part: Part) -> dict[str, Any]:
    if not isinstance(part, ToolResult):
        raise cannot_carry(index, message, part)
    members = {
        "type": "tool_result",
        "tool_use_id": _tool_id(part.call_id),
        "content": part.text,
        "is_error": part.is_error or None,
    }
    return without_unset(members)


def _tool_id(call_id: str) -> str:
    """Return an id that the API takes, the same for a call and its result."""
    return _NOT_IN_ID.sub("_", call_id)
