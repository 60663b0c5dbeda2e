"""What a single call asks for: model, sampling, tools, shape of the answer.

Every field is optional and **unset means not sent**: providers refuse parameters that a model does
not take, even at their default values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, TypeAlias, cast, final

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire.messages import size_only


def _hidden(value: object) -> str:
    return "None" if value is None else "…"


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: Its name, as the model will write it.
        description: When and how to use it.
        parameters: JSON schema of its arguments, an object schema.
        strict: Ask the provider to enforce the schema; None leaves that to the provider.
    """

    name: str = field(validator=check.text)
    description: str | None = field(default=None, repr=size_only, validator=check.string)
    parameters: Mapping[str, Any] = field(
        factory=check.empty,
        converter=check.frozen_mapping,
        validator=check.json_mapping,
        repr=check.names_only,
        hash=False,
    )
    strict: bool | None = field(default=None, validator=check.boolean)


@final
@attrs.frozen
class ForcedTool:
    """A `tool_choice` that demands one certain tool."""

    name: str = field(validator=check.text)


#: ``"auto"``, ``"none"``, ``"required"`` (any tool, but one), or one certain tool.
ToolChoice: TypeAlias = str | ForcedTool


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class ResponseSchema:
    """The shape that the answer's text must have.

    Attributes:
        schema: A JSON schema.
        name: What to call it; some APIs show it to the model.
        strict: Ask the provider to enforce it; None leaves that to the provider.
    """

    schema: Mapping[str, Any] = field(
        converter=check.frozen_mapping,
        validator=check.json_mapping,
        repr=check.names_only,
        hash=False,
    )
    name: str = field(default="answer", validator=check.text)
    strict: bool | None = field(default=None, validator=check.boolean)


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class ReasoningOptions:
    """How much the model should reason.

    Attributes:
        effort: The provider's word for it, for instance ``"low"``, ``"high"`` or ``"none"``.
        max_tokens: Most tokens to spend on it, where the API counts in tokens.
    """

    effort: str | None = field(default=None, validator=check.text)
    max_tokens: int | None = field(default=None, validator=check.integer(at_least=0))


def _to_stop(value: str | Iterable[Any] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    sequences = (value,) if isinstance(value, str) else _items("stop", value)
    if not sequences or not all(isinstance(item, str) and item for item in sequences):
        raise ValueError("stop must be one or more non-empty strings")
    return sequences


def _items(name: str, value: Any) -> tuple[Any, ...]:
    """Return what a list holds; a lone item or table in its place is a mistake."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list, not {type(value).__name__}")  # pyright: ignore[reportUnknownArgumentType]  # callers without types
    return tuple(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # the same


def _to_tools(value: Iterable[Tool | Mapping[str, Any]] | None) -> tuple[Tool, ...] | None:
    if value is None:
        return None
    return tuple(_to_tool(f"tools[{i}]", tool) for i, tool in enumerate(_items("tools", value)))


def _to_tool(where: str, value: Any) -> Tool:
    if isinstance(value, Mapping):
        return check.from_table(Tool, where, cast("Mapping[str, Any]", value))
    if not isinstance(value, Tool):
        raise TypeError(f"{where} must be a Tool (a table), not {type(value).__name__}")
    return value


def _to_tool_choice(value: ToolChoice | Mapping[str, Any] | None) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, str) and value not in ("auto", "none", "required"):
        raise ValueError(
            'tool_choice must be "auto", "none" or "required"; a certain tool is named by a'
            " ForcedTool, in TOML by a table with its name"
        )
    if isinstance(value, Mapping):
        return check.from_table(ForcedTool, "tool_choice", value)
    return value


def _to_response_schema(
    value: ResponseSchema | Mapping[str, Any] | None,
) -> ResponseSchema | None:
    """Take a bare JSON schema for a `ResponseSchema` with the default name."""
    if value is None or not isinstance(value, Mapping):
        return value
    # None of the names of our fields is a keyword of JSON schema.
    if attrs.fields_dict(ResponseSchema).keys() & value.keys():
        return check.from_table(ResponseSchema, "response_schema", value)
    return ResponseSchema(schema=value)


def _to_reasoning(
    value: ReasoningOptions | str | Mapping[str, Any] | None,
) -> ReasoningOptions | None:
    match value:
        case None:
            return None
        case str():
            return check.from_table(ReasoningOptions, "reasoning", {"effort": value})
        case Mapping():
            return check.from_table(ReasoningOptions, "reasoning", value)
        case _:
            return value


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class ProviderConfig:
    """The settings of one call; every field is optional, and what is unset is not sent.

    Attributes:
        model: The model's name; on some APIs a deployment's.
        max_output_tokens: Most model tokens to generate, with the reasoning where the API
            counts it in.
        temperature: Sampling temperature, a finite number from 0 up.
        top_p: Nucleus sampling, above 0 and at most 1.
        stop: Strings that end the answer; a single string is taken for one.
        seed: For repeatable sampling, where the provider offers it.
        tools: Functions the model may call.
        tool_choice: ``"auto"``, ``"none"``, ``"required"`` or a `ForcedTool`.
        response_schema: The shape of the answer; a plain JSON schema is taken as one, and a mapping
            with any of the keys ``schema``, ``name`` and ``strict`` as a `ResponseSchema`.
        reasoning: How much to reason; a string is taken as the effort.
        n: How many alternative answers to generate.
        logprobs: Send log probabilities, with this many alternatives for each model token.
        extra: Members added to the request body as they are, for what this library does not name.

    Raises:
        ValueError: If a value is out of its range, for instance NaN, also in `extra` and schemas.
        TypeError: If a value has the wrong type.
    """

    model: str | None = field(default=None, validator=check.text)
    max_output_tokens: int | None = field(default=None, validator=check.integer(at_least=1))
    temperature: float | None = field(default=None, validator=check.number(at_least=0))
    top_p: float | None = field(default=None, validator=check.number(above=0, at_most=1))
    stop: tuple[str, ...] | None = field(default=None, converter=_to_stop, repr=_hidden)
    seed: int | None = field(default=None, validator=check.integer())
    tools: tuple[Tool, ...] | None = field(default=None, converter=_to_tools)
    tool_choice: ToolChoice | None = field(
        default=None,
        converter=_to_tool_choice,
        validator=check.instance_of(str | ForcedTool, "a string or a ForcedTool (a table)"),
    )
    response_schema: ResponseSchema | None = field(
        default=None,
        converter=_to_response_schema,
        validator=check.instance_of(ResponseSchema, "a JSON schema (a table)"),
    )
    reasoning: ReasoningOptions | None = field(
        default=None,
        converter=_to_reasoning,
        validator=check.instance_of(ReasoningOptions, "a string or ReasoningOptions (a table)"),
    )
    n: int | None = field(default=None, validator=check.integer(at_least=1))
    logprobs: int | None = field(default=None, validator=check.integer(at_least=0))
    extra: Mapping[str, Any] = field(
        factory=check.empty,
        converter=check.frozen_mapping,
        validator=check.json_mapping,
        repr=check.names_only,
        hash=False,
    )

    @cached_property
    def _set(self) -> Mapping[str, Any]:
        """What is set, by its name; `extra` aside."""
        values = {name: getattr(self, name) for name in _SETTINGS}
        return {name: value for name, value in values.items() if value is not None}

    def merged_over(self, defaults: ProviderConfig) -> ProviderConfig:
        """Return these settings, with `defaults` where this one is unset; `extra` is merged."""
        if not (defaults._set or defaults.extra):
            return self
        if not (self._set or self.extra):
            return defaults
        extra = {**defaults.extra, **self.extra}
        return ProviderConfig(**{**defaults._set, **self._set}, extra=extra)


def as_settings(config: object) -> ProviderConfig:
    """Return what a caller gave as the settings of a call, if they are.

    Type checkers see to that where callers use one; to all others this names the mistake.

    Raises:
        TypeError: It is no `ProviderConfig`.
    """
    if not isinstance(config, ProviderConfig):
        raise TypeError(
            'config must be a ProviderConfig, such as ProviderConfig(model="…"), not'
            f" {type(config).__name__}"
        )
    return config


#: All that is unset where it is None.
_SETTINGS: Final = frozenset(attrs.fields_dict(ProviderConfig)) - {"extra"}
