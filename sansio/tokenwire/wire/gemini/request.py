"""From messages and settings to the JSON body of a request to generate content.

Reference: https://ai.google.dev/api/generate-content. Nothing is sent that was not set, and nothing
that was given is left out: what this API cannot carry raises `LocalProtocolError` and names the
part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never
from urllib.parse import quote

from tokenwire.errors import LocalProtocolError
from tokenwire.messages import Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from tokenwire.provider_config import ForcedTool, ProviderConfig, Tool
from tokenwire.wire.encoding import (
    add_extra,
    arguments_object,
    base64_text,
    cannot_carry,
    encoded_tools,
    foreign_signature,
    json_or_none,
    plain_text,
    refuse_detail,
    refuse_set,
    require_messages,
    to_json,
    tool_choice,
    without_unset,
)
from tokenwire.wire.gemini.call_ids import is_made_up
from tokenwire.wire.gemini.quirks import Quirks
from tokenwire.wire.gemini.signatures import Signature, text_part

_TOOL_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def model_path(config: ProviderConfig) -> str:
    """Return the path of a streamed request.

    Raises:
        LocalProtocolError: If no model is set: here it is part of the address.
    """
    if config.model is None:
        raise LocalProtocolError("model: this API has the model in its address; set it")
    # The API lists models by their resource names, such as "models/some-model".
    name = config.model if "/" in config.model else f"models/{config.model}"
    return f"/{quote(name)}:streamGenerateContent"


def encode_body(messages: Sequence[Message], config: ProviderConfig, quirks: Quirks) -> bytes:
    """Encode the body.

    Raises:
        LocalProtocolError: If there is no message, or one holds what this API cannot carry.
    """
    require_messages(messages)
    refuse_set({"logprobs": config.logprobs}, "this wire format carries no log probabilities")
    instructions = _instructions(messages)
    contents = _Encoder(messages, quirks).encode(first=len(instructions))
    if not contents:
        raise LocalProtocolError("there are only system messages: this API wants one from the user")
    members = {
        "systemInstruction": {"parts": instructions} if instructions else None,
        "contents": contents,
        "generationConfig": _generation_config(config, quirks) or None,
        "tools": _tools(config, quirks),
        "toolConfig": _tool_config(config),
    }
    body = without_unset(members)
    add_extra(body, config.extra)
    return to_json(body)


def _instructions(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the system messages that stand above the conversation."""
    texts: list[dict[str, Any]] = []
    for position, message in enumerate(messages):
        if message.role != "system":
            break
        texts.append(text_part(plain_text(position, message)))
    return texts


def _generation_config(config: ProviderConfig, quirks: Quirks) -> dict[str, Any]:
    """Encode every setting that is set."""
    settings = {
        "maxOutputTokens": config.max_output_tokens,
        "temperature": config.temperature,
        "topP": config.top_p,
        "stopSequences": config.stop,
        "seed": config.seed,
        "candidateCount": config.n,
        "thinkingConfig": _thinking_config(config, quirks) or None,
        **_response_schema(config, quirks),
    }
    return without_unset(settings)


def _thinking_config(config: ProviderConfig, quirks: Quirks) -> dict[str, Any]:
    reasoning = config.reasoning
    members = {
        "includeThoughts": quirks.include_thoughts or None,
        "thinkingLevel": reasoning.effort if reasoning else None,
        "thinkingBudget": reasoning.max_tokens if reasoning else None,
    }
    return without_unset(members)


def _response_schema(config: ProviderConfig, quirks: Quirks) -> dict[str, Any]:
    if config.response_schema is None:
        return {}
    is_json_schema = quirks.schema_dialect == "json_schema"
    return {
        "responseMimeType": "application/json",
        "responseJsonSchema" if is_json_schema else "responseSchema": dict(
            config.response_schema.schema
        ),
    }


def _tools(config: ProviderConfig, quirks: Quirks) -> list[dict[str, Any]] | None:
    declarations = encoded_tools(config, lambda tool: _declaration(tool, quirks))
    return [{"functionDeclarations": declarations}] if declarations is not None else None


def _declaration(tool: Tool, quirks: Quirks) -> dict[str, Any]:
    if tool.strict:
        raise LocalProtocolError(
            f"tool {tool.name!r}: this API cannot be asked to be strict; leave strict unset"
        )
    is_json_schema = quirks.schema_dialect == "json_schema"
    members = {
        "name": tool.name,
        "description": tool.description,
        "parametersJsonSchema" if is_json_schema else "parameters": dict(tool.parameters) or None,
    }
    return without_unset(members)


def _tool_config(config: ProviderConfig) -> dict[str, Any] | None:
    calling: dict[str, Any]
    match tool_choice(config):
        case None:
            return None
        case ForcedTool(name):
            calling = {"mode": "ANY", "allowedFunctionNames": [name]}
        case choice:
            calling = {"mode": _TOOL_MODES[choice]}
    return {"functionCallingConfig": calling}


class _Encoder:
    """Encodes a conversation as contents, one for each turn."""

    def __init__(self, messages: Sequence[Message], quirks: Quirks) -> None:
        self._messages = messages
        self._quirks = quirks
        self._calls: dict[str, tuple[int, str]] = {}  # place and tool by id, the latest counts
        self._results: list[tuple[int, ToolResult]] = []  # of the current turn, with its messages

    def encode(self, first: int) -> list[dict[str, Any]]:
        """Encode the messages from the `first` on."""
        contents: list[dict[str, Any]] = []
        for position in range(first, len(self._messages)):
            if self._messages[position].role == "tool":
                self._results += self._tool_results(position)
            else:
                contents += self._tool_turn()
                contents.append(self._turn(position))
        return contents + self._tool_turn()

    def _turn(self, position: int) -> dict[str, Any]:
        message = self._messages[position]
        if message.role == "system":
            raise LocalProtocolError(
                f"messages[{position}]: this API takes system messages only before all others"
            )
        if message.role == "assistant":
            return {"role": "model", "parts": self._model_parts(position, message)}
        return {
            "role": "user",
            "parts": [_user_part(position, message, part) for part in message.parts],
        }

    def _model_parts(self, position: int, message: Message) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        for part in message.parts:
            match part:
                case Text():
                    parts.append(text_part(part.text))
                case Reasoning():
                    _add_reasoning(position, part, parts)
                case ToolCall():
                    parts.append(self._call(position, part))
                case Image() | ToolResult():
                    raise cannot_carry(position, message, part)
                case _:
                    assert_never(part)
        return parts

    def _call(self, position: int, call: ToolCall) -> dict[str, Any]:
        self._calls[call.id] = (len(self._calls), call.name)
        function = {
            "name": call.name,
            "args": arguments_object(call),
            "id": self._call_id(call.id),
        }
        part: dict[str, Any] = {"functionCall": without_unset(function)}
        if call.signature is not None:
            signature = _unpack(position, call.signature, f"tool call {call.id!r}")
            part["thoughtSignature"] = signature.thought_signature
        return part

    def _call_id(self, call_id: str) -> str | None:
        return call_id if self._quirks.send_call_ids and not is_made_up(call_id) else None

    # Tool results: one turn for all of them, in the order of the calls

    def _tool_results(self, position: int) -> list[tuple[int, ToolResult]]:
        results: list[tuple[int, ToolResult]] = []
        message = self._messages[position]
        for part in message.parts:
            if not isinstance(part, ToolResult):
                raise cannot_carry(position, message, part)
            results.append((position, part))
        return results

    def _tool_turn(self) -> list[dict[str, Any]]:
        """Return the turn of the tool results that have gathered, if there are any."""
        nowhere = (len(self._calls), "")
        results = sorted(
            self._results, key=lambda item: self._calls.get(item[1].call_id, nowhere)[0]
        )
        self._results = []
        parts = [self._function_response(position, result) for position, result in results]
        return [{"role": "user", "parts": parts}] if parts else []

    def _function_response(self, position: int, result: ToolResult) -> dict[str, Any]:
        _, name = self._calls.get(result.call_id, (0, result.name))
        if not (result.name or name):
            raise LocalProtocolError(
                f"messages[{position}]: this API wants the tool's name with its result, and no"
                f" message before has a call {result.call_id!r}: set ToolResult.name"
            )
        response = {
            "name": result.name or name,
            "response": _response(result),
            "id": self._call_id(result.call_id),
        }
        return {"functionResponse": without_unset(response)}


def _response(result: ToolResult) -> dict[str, Any]:
    """Return a tool's answer as the object that the API wants."""
    if result.is_error:
        return {"error": result.text}
    value = json_or_none(result.text)
    return value if isinstance(value, dict) else {"result": result.text}  # pyright: ignore[reportUnknownVariableType]  # JSON


def _user_part(position: int, message: Message, part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return text_part(part.text)
        case Image():
            return _image(position, part)
        case ToolCall() | ToolResult() | Reasoning():
            raise cannot_carry(position, message, part)
        case _:
            assert_never(part)


def _image(position: int, image: Image) -> dict[str, Any]:
    refuse_detail(position, image)
    if image.data is None:
        file = {"fileUri": image.url, "mimeType": image.media_type}
        return {"fileData": without_unset(file)}
    return {"inlineData": {"mimeType": image.media_type, "data": base64_text(image.data)}}


def _add_reasoning(position: int, part: Reasoning, parts: list[dict[str, Any]]) -> None:
    """Add reasoning, and the signature that belongs to it or to the text before it."""
    signature = None
    if part.signature is not None:
        signature = _unpack(position, part.signature, "its reasoning")
    if signature is not None and signature.of_thought:
        parts += signature.parts(part.text)
        return
    if part.text:
        parts.append(text_part(part.text, of_thought=True))
    if signature is not None:
        is_text_before = bool(parts) and parts[-1].keys() == {"text"}
        parts += signature.parts(parts.pop()["text"] if is_text_before else "")


def _unpack(position: int, text: str, of: str) -> Signature:
    signature = Signature.unpack(text)
    if signature is None:
        raise foreign_signature(position, of)
    return signature
