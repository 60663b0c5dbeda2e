"""From messages and settings to the events that ask for an answer.

Each message becomes items of the connection's conversation, and ``response.create`` asks for what
follows them; out of band, it brings the items itself. Nothing is sent that was not set, and what
this API cannot carry raises `LocalProtocolError` and names the part.

Reference: https://developers.openai.com/api/reference/resources/realtime (client events).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, assert_never

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
from tokenwire.wire.openai_realtime.quirks import Quirks

#: What the event is called that makes a connection one for text.
SET_UP: Final = "set-up"

#: Members of a request that say where its answer belongs.
_SESSIONS_OWN: Final = ("conversation", "input")


def session_update() -> bytes:
    """Return the event that makes a connection one for text."""
    settings = {"type": "realtime", "output_modalities": ["text"]}
    return to_json({"type": "session.update", "event_id": SET_UP, "session": settings})


def cancel(response_id: str) -> bytes:
    """Return the event that stops a response."""
    return to_json({"type": "response.cancel", "event_id": "cancel", "response_id": response_id})


def instructions_of(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the message that goes with every request and is no item: the system's first one."""
    return tuple(messages[:1]) if messages and messages[0].role == "system" else ()


def encode_events(messages: Sequence[Message], config: ProviderConfig, quirks: Quirks) -> bytes:
    """Encode what asks for an answer: events, one a line.

    Args:
        messages: The conversation, or what is new of it.
        config: The settings of this call. The member ``event_id`` of `extra` names the request: its
            items are named after it, with a dot and a number.
        quirks: What the connection is used for.

    Raises:
        LocalProtocolError: If there is no message, or one holds what this API cannot carry.
    """
    require_messages(messages)
    extra = {name: value for name, value in config.extra.items() if name != "event_id"}
    refuse_set(
        {f"extra[{name!r}]": extra.get(name) for name in _SESSIONS_OWN},
        "the session decides where an answer belongs: see the quirk out_of_band",
    )
    response = _settings(config)
    if instructions_of(messages):
        response["instructions"] = plain_text(0, messages[0])
    items = [
        item
        for position, message in enumerate(messages)
        if position or message.role != "system"
        for item in _items(position, message)
    ]
    if quirks.out_of_band:
        response |= {"conversation": "none", "input": items}
    add_extra(response, extra)
    named = without_unset({"event_id": config.extra.get("event_id")})
    asking = {"type": "response.create", **named, "response": response}
    creating = () if quirks.out_of_band else _creating(items, config.extra.get("event_id"))
    return b"\n".join(to_json(event) for event in (*creating, asking))


def _creating(items: Sequence[dict[str, Any]], event_id: str | None) -> Iterator[dict[str, Any]]:
    for number, item in enumerate(items):
        named = {"event_id": f"{event_id}.{number}"} if event_id is not None else {}
        yield {"type": "conversation.item.create", **named, "item": item}


def _settings(config: ProviderConfig) -> dict[str, Any]:
    """Encode every setting that is set, and that the answer is to be text."""
    refuse_set(
        {
            "temperature": config.temperature,
            "top_p": config.top_p,
            "stop": config.stop,
            "seed": config.seed,
            "n": config.n,
            "response_schema": config.response_schema,
            "logprobs": config.logprobs,
        },
        "the Realtime API has no such parameter",
    )
    settings = {
        "output_modalities": ["text"],
        "max_output_tokens": config.max_output_tokens,
        "tools": encoded_tools(config, _tool),
        "tool_choice": _tool_choice(config),
        "reasoning": _reasoning(config),
    }
    return without_unset(settings)


def _tool(tool: Tool) -> dict[str, Any]:
    refuse_set(
        {f"strict of tool {tool.name!r:.100}": tool.strict},
        "the Realtime API has no such parameter",
    )
    members = {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
    }
    return without_unset(members)


def _tool_choice(config: ProviderConfig) -> object:
    match tool_choice(config):
        case ForcedTool(name):
            return {"type": "function", "name": name}
        case choice:
            return choice


def _reasoning(config: ProviderConfig) -> dict[str, Any] | None:
    if config.reasoning is None:
        return None
    refuse_set(
        {"reasoning.max_tokens": config.reasoning.max_tokens},
        "this API counts no reasoning tokens, it has reasoning.effort",
    )
    return without_unset({"effort": config.reasoning.effort}) or None


def _items(position: int, message: Message) -> list[dict[str, Any]]:
    """Encode one message as items, in the order of its parts."""
    match message.role:
        case "system":
            text = {"type": "input_text", "text": plain_text(position, message)}
            return [_message("system", [text])]
        case "user":
            return [_message("user", [_user_part(position, message, p) for p in message.parts])]
        case "assistant":
            return [_assistant_item(position, message, part) for part in message.parts]
        case "tool":
            return [_tool_result(position, message, part) for part in message.parts]
        case _ as role:
            assert_never(role)


def _message(role: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def _user_part(position: int, message: Message, part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Image():
            if part.data is None:
                raise LocalProtocolError(
                    f"messages[{position}]: this API takes pictures as bytes, not by URL"
                )
            image = {"image_url": image_url(part), "detail": part.detail}
            return {"type": "input_image", **without_unset(image)}
        case ToolCall() | ToolResult() | Reasoning():
            raise cannot_carry(position, message, part)
        case _:
            assert_never(part)


def _assistant_item(position: int, message: Message, part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return _message("assistant", [{"type": "output_text", "text": part.text}])
        case ToolCall():
            return _call(position, part)
        case Reasoning():
            raise LocalProtocolError(
                f"messages[{position}]: this API takes no reasoning back: send"
                " message.without_reasoning()"
            )
        case Image() | ToolResult():
            raise cannot_carry(position, message, part)
        case _:
            assert_never(part)


def _call(position: int, call: ToolCall) -> dict[str, Any]:
    if call.signature is not None:
        raise foreign_signature(position, f"tool call {call.id!r}")
    return {
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments or "{}",
    }


def _tool_result(position: int, message: Message, part: Part) -> dict[str, Any]:
    if not isinstance(part, ToolResult):
        raise cannot_carry(position, message, part)
    # The API has no flag for a failed tool: the text has to say it, and does.
    return {"type": "function_call_output", "call_id": part.call_id, "output": part.text}
