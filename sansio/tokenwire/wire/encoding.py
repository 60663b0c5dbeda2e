"""What the request encoders of all wire formats share.

Each format writes its own JSON; how a request is refused, how settings that are unset stay out of
it, and how `ProviderConfig.extra` gets in, is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from tokenwire import _validation as check
from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Text, ToolCall
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool, ToolChoice


def require_messages(messages: Sequence[Message]) -> None:
    """Refuse an empty conversation.

    Raises:
        LocalProtocolError: If there is no message.
    """
    if not messages:
        raise LocalProtocolError("there is no message to send: give at least one")


def cannot_carry(position: int, message: Message, part: Part) -> LocalProtocolError:
    """Return the error for a part that has no place in a message of its role."""
    return LocalProtocolError(
        f"messages[{position}]: this API's {message.role} messages cannot carry"
        f" {type(part).__name__}"
    )


def foreign_signature(position: int, of: str) -> LocalProtocolError:
    """Return the error for a signature that another API made."""
    return LocalProtocolError(
        f"messages[{position}]: the signature of {of} comes from another API: send"
        " message.without_reasoning()"
    )


def plain_text(position: int, message: Message) -> str:
    """Return the text of a message that may hold nothing else.

    Raises:
        LocalProtocolError: If it does.
    """
    for part in message.parts:
        if not isinstance(part, Text):
            raise cannot_carry(position, message, part)
    return message.text


def without_unset(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not None: unset means not sent."""
    return {name: value for name, value in members.items() if value is not None}


def refuse_set(settings: Mapping[str, object], reason: str) -> None:
    """Refuse settings that the API does not have.

    Args:
        settings: Their values by name; None is unset.
        reason: What the API lacks, to follow the name.

    Raises:
        LocalProtocolError: If one is set; the message names it.
    """
    for name, value in settings.items():
        if value is not None:
            raise LocalProtocolError(f"{name}: {reason}; leave it unset")


def encoded_tools(
    config: ProviderConfig, encode: Callable[[Tool], dict[str, Any]]
) -> list[dict[str, Any]] | None:
    """Encode the tools; none at all are the same as unset, because APIs refuse an empty list."""
    return [encode(tool) for tool in config.tools or ()] or None


def tool_choice(config: ProviderConfig) -> ToolChoice | None:
    """Return what to say about the choice of tools, None if there is nothing to say.

    Without tools, ``"auto"`` and ``"none"`` go without saying; APIs refuse them there.

    Raises:
        LocalProtocolError: If a tool is demanded that there is not.
    """
    choice = config.tool_choice
    if choice is None or "tools" in config.extra:  # of those, only the server knows
        return choice
    names = [tool.name for tool in config.tools or ()]
    if not names and choice in ("auto", "none"):
        return None
    if not names:
        raise LocalProtocolError("tool_choice: there is no tool to choose: set tools as well")
    if isinstance(choice, ForcedTool) and choice.name not in names:
        hint = check.nearest(choice.name, names)
        raise LocalProtocolError(f"tool_choice: there is no tool {choice.name!r:.100}{hint}")
    return choice


def refuse_detail(position: int, image: Image) -> None:
    """Refuse the hint how closely to look at a picture, for APIs that have no place for it.

    Raises:
        LocalProtocolError: If it is set.
    """
    refuse_set(
        {f"messages[{position}]: Image.detail": image.detail}, "this API has no such parameter"
    )


def add_extra(body: dict[str, Any], extra: Mapping[str, Any], where: str = "extra") -> None:
    """Add `ProviderConfig.extra` to a request body; objects that are in both are merged.

    Args:
        body: What the settings say; changed in place.
        extra: What to add.
        where: How errors name `extra`.

    Raises:
        LocalProtocolError: If a member would replace one that is in the body already.
    """
    for name, value in extra.items():
        path = f"{where}[{name!r}]"
        present = body.get(name)
        if isinstance(present, dict) and isinstance(value, Mapping):
            merged: dict[str, Any] = {**present}  # it may be the caller's own
            add_extra(merged, cast("Mapping[str, Any]", value), path)
            body[name] = merged
        elif name in body:
            raise LocalProtocolError(
                f"{path} would replace what the settings already say: set only one"
            )
        else:
            body[name] = value


def to_json(body: Mapping[str, Any]) -> bytes:
    """Write a request body.

    Raises:
        LocalProtocolError: If it holds what JSON cannot; the message never quotes it.
    """
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError):
        # The error of the encoder might quote the value, which may be a prompt.
        pass
    raise LocalProtocolError(
        "a value cannot be written as JSON: extra, tools and schemas take only what JSON has, and"
        " text must be valid Unicode (no lone surrogates)"
    )


def json_or_none(text: str) -> object:
    """Decode a JSON text, None if it is none."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):  # ValueError also for half characters
        return None


def arguments_object(call: ToolCall) -> dict[str, Any]:
    """Return a tool call's arguments for an API that takes them as JSON, not as text.

    Raises:
        LocalProtocolError: If they are no object, as where the answer that held them broke off.
    """
    arguments = json_or_none(call.arguments or "{}")
    if not isinstance(arguments, dict):
        raise LocalProtocolError(
            f"the arguments of tool call {call.id!r} are no JSON object: leave out a call that"
            " never came whole, with its result"
        )
    return arguments  # pyright: ignore[reportUnknownVariableType]  # JSON


def base64_text(data: bytes) -> str:
    """Return bytes in base64."""
    import base64  # only those who send images pay for it

    return base64.b64encode(data).decode()


def image_url(image: Image) -> str:
    """Return a picture's URL, one that holds the picture itself where there is no other."""
    if image.data is None:
        return image.url or ""
    return f"data:{image.media_type};base64,{base64_text(image.data)}"
