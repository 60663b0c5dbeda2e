"""The settings of one call: unset by default, checked when made, shown without content."""

import math
import re
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.sansio.leaks import everything_in
from tokenwire.provider_config import (
    ForcedTool,
    ProviderConfig,
    ReasoningOptions,
    ResponseSchema,
    Tool,
    as_settings,
)

PROMPT = "the secret recipe"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def test_everything_is_unset_by_default() -> None:
    """A config without arguments asks for nothing."""
    config = ProviderConfig()
    assert all(getattr(config, name) in (None, {}) for name in attrs.fields_dict(ProviderConfig))


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "m"},
        {"max_output_tokens": 1},
        {"temperature": 0},
        {"temperature": 2.0},
        {"top_p": 0.001},
        {"top_p": 1},
        {"seed": -(2**63)},
        {"seed": 2**63 - 1},
        {"seed": 0},
        {"n": 1},
        {"logprobs": 0},
        {"extra": {"top_k": 40}},
    ],
)
def test_a_setting_is_kept_as_given(settings: dict[str, Any]) -> None:
    """The edges of every range belong to it."""
    [(name, value)] = settings.items()
    assert getattr(ProviderConfig(**settings), name) == value


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"model": ""}, "model is empty: set it, or leave it out"),
    ({"model": 5}, "model must be a string, not int"),
    ({"max_output_tokens": 0}, "max_output_tokens must be at least 1, not 0"),
    ({"max_output_tokens": 1.5}, "max_output_tokens must be a whole number, not 1.5"),
    ({"temperature": float("nan")}, "temperature must be a finite number of 64 bits"),
    ({"temperature": float("inf")}, "temperature must be a finite number of 64 bits"),
    ({"temperature": -0.1}, "temperature must be at least 0, not -0.1"),
    ({"temperature": "hot"}, "temperature must be a number, not str"),
    ({"temperature": True}, "temperature must be a number, not bool"),
    ({"top_p": 0}, "top_p must be more than 0, not 0"),
    ({"top_p": 1.01}, "top_p must be at most 1, not 1.01"),
    ({"seed": 1.0}, "seed must be a whole number, not 1.0"),
    ({"seed": 2**63}, "seed must be a finite number of 64 bits"),
    ({"n": 0}, "n must be at least 1, not 0"),
    ({"logprobs": -1}, "logprobs must be at least 0, not -1"),
    ({"logprobs": True}, "logprobs must be a number, not bool"),
    ({"extra": [1]}, "extra must be a table (a mapping), not list"),
    ({"extra": {"a": math.nan}}, "extra['a'] must be a finite number, as JSON has no other"),
    (
        {"extra": {"options": {"x": [0.5, (1, -math.inf)]}}},
        "extra['options']['x'][1][1] must be a finite number, as JSON has no other",
    ),
    (
        {"tools": [{"name": "f", "parameters": {"minimum": math.nan}}]},
        "tools[0].parameters['minimum'] must be a finite number, as JSON has no other",
    ),
    (
        {"response_schema": {"schema": {"maximum": math.inf}}},
        "response_schema.schema['maximum'] must be a finite number, as JSON has no other",
    ),
    ({"extra": {1: 2}}, "extra: the keys of a mapping must be strings"),
    ({"stop": 5}, "stop must be a list, not int"),
    ({"stop": b"END"}, "stop must be a list, not bytes"),
    ({"stop": {"END": 1}}, "stop must be a list, not dict"),
    ({"stop": []}, "stop must be one or more non-empty strings"),
    ({"stop": ""}, "stop must be one or more non-empty strings"),
    ({"stop": ["a", ""]}, "stop must be one or more non-empty strings"),
    ({"stop": ["a", 5]}, "stop must be one or more non-empty strings"),
    ({"tools": 5}, "tools must be a list, not int"),
    ({"tools": "search"}, "tools must be a list, not str"),
    ({"tools": {"name": "search"}}, "tools must be a list, not dict"),
    ({"tools": [{"name": "a"}, 5]}, "tools[1] must be a Tool (a table), not int"),
    ({"tools": [{"nmae": "a"}]}, "tools[0]: unknown key 'nmae' (did you mean 'name'?)"),
    (
        {"tools": [{"name": "a"}, {"name": "b", "params": {}}]},
        "tools[1]: unknown key 'params' (did you mean 'parameters'?)",
    ),
    ({"tools": [{}]}, "tools[0].name is missing"),
    ({"tools": [{"name": ""}]}, "tools[0].name is empty: set it, or leave it out"),
    ({"tools": [{"name": None}]}, "tools[0].name must be a string, not NoneType"),
    (
        {"tools": [{"name": "a", "description": 5}]},
        "tools[0].description must be a string, not int",
    ),
    (
        {"tools": [{"name": "a", "parameters": "x"}]},
        "tools[0].parameters must be a table (a mapping), not str",
    ),
    (
        {"tools": [{"name": "a", "strict": "yes"}]},
        "tools[0].strict must be true or false, not str",
    ),
    (
        {"tool_choice": "search"},
        (
            'tool_choice must be "auto", "none" or "required"; a certain tool is named by a'
            " ForcedTool, in TOML by a table with its name"
        ),
    ),
    (
        {"tool_choice": 5},
        "tool_choice must be a string or a ForcedTool (a table), not int",
    ),
    ({"tool_choice": {"nam": "a"}}, "tool_choice: unknown key 'nam' (did you mean 'name'?)"),
    ({"tool_choice": {}}, "tool_choice.name is missing"),
    ({"tool_choice": {"name": 5}}, "tool_choice.name must be a string, not int"),
    (
        {"response_schema": "x"},
        "response_schema must be a JSON schema (a table), not str",
    ),
    (
        {"response_schema": {"schema": SCHEMA, "nmae": "a"}},
        "response_schema: unknown key 'nmae' (did you mean 'name'?)",
    ),
    (
        {"response_schema": {"name": "a", "shema": SCHEMA}},
        "response_schema: unknown key 'shema' (did you mean 'schema'?)",
    ),
    ({"response_schema": {"strict": True}}, "response_schema.schema is missing"),
    (
        {"response_schema": {"schema": 5}},
        "response_schema.schema must be a table (a mapping), not int",
    ),
    (
        {"response_schema": {"schema": SCHEMA, "strict": "yes"}},
        "response_schema.strict must be true or false, not str",
    ),
    (
        {"response_schema": {"schema": SCHEMA, "name": ""}},
        "response_schema.name is empty: set it, or leave it out",
    ),
    (
        {"reasoning": True},
        "reasoning must be a string or ReasoningOptions (a table), not bool",
    ),
    ({"reasoning": ""}, "reasoning.effort is empty: set it, or leave it out"),
    ({"reasoning": {"efort": "x"}}, "reasoning: unknown key 'efort' (did you mean 'effort'?)"),
    ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens must be at least 0, not -1"),
]


@pytest.mark.parametrize(("settings", "error"), BAD_SETTINGS)
def test_a_bad_setting_is_refused_by_name(settings: dict[str, Any], error: str) -> None:
    """One line names the setting, also inside a table, and says what it takes."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}$"):
        ProviderConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"stop": [PROMPT, 5]},
        {"tools": [PROMPT]},
        {"tool_choice": PROMPT},
        {"response_schema": PROMPT},
        {"extra": PROMPT},
        {"model": [PROMPT]},
        {"reasoning": [PROMPT]},
    ],
)
def test_a_refused_setting_is_not_shown(settings: dict[str, Any]) -> None:
    """What was put in the wrong place may be a prompt."""
    with pytest.raises((TypeError, ValueError)) as caught:
        ProviderConfig(**settings)
    assert PROMPT not in everything_in(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("END", ("END",)), (["a", "b"], ("a", "b")), (("a",), ("a",))],
)
def test_stop_takes_one_string_or_several(given: Any, kept: object) -> None:
    """A lone string is one sequence, not one a character."""
    assert ProviderConfig(stop=given).stop == kept


def test_tools_come_as_objects_or_tables() -> None:
    """A configuration file writes tables where a program writes tools."""
    config = ProviderConfig(tools=[Tool(name="a"), {"name": "b", "parameters": SCHEMA}])
    assert config.tools == (Tool(name="a"), Tool(name="b", parameters=SCHEMA))


def test_tools_come_from_any_iterable() -> None:
    """A generator of tools is read once, when the config is made."""

    def tools() -> Iterator[Tool]:
        yield Tool(name="a")

    assert ProviderConfig(tools=tools()).tools == (Tool(name="a"),)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (ForcedTool("a"), ForcedTool("a")),
        ({"name": "a"}, ForcedTool("a")),
    ],
)
def test_tool_choice_is_a_word_or_a_tool(given: Any, kept: object) -> None:
    """A table with a name is how a file writes a certain tool."""
    assert ProviderConfig(tool_choice=given).tool_choice == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (SCHEMA, ResponseSchema(schema=SCHEMA)),
        ({}, ResponseSchema(schema={})),
        ({"schema": SCHEMA}, ResponseSchema(schema=SCHEMA)),
        (
            {"schema": SCHEMA, "name": "city", "strict": True},
            ResponseSchema(schema=SCHEMA, name="city", strict=True),
        ),
        (ResponseSchema(schema=SCHEMA), ResponseSchema(schema=SCHEMA)),
    ],
)
def test_a_response_schema_is_bare_or_named(given: Any, kept: object) -> None:
    """A JSON schema stands for itself; a table may add a name and strictness."""
    assert ProviderConfig(response_schema=given).response_schema == kept


def test_a_response_schema_has_a_name() -> None:
    """The API wants one; nobody else cares which."""
    assert ResponseSchema(schema=SCHEMA).name == "answer"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("low", ReasoningOptions(effort="low")),
        ({"effort": "low"}, ReasoningOptions(effort="low")),
        ({"max_tokens": 0}, ReasoningOptions(max_tokens=0)),
        (ReasoningOptions(max_tokens=100), ReasoningOptions(max_tokens=100)),
    ],
)
def test_reasoning_is_an_effort_or_a_table(given: Any, kept: object) -> None:
    """The usual setting is one word."""
    assert ProviderConfig(reasoning=given).reasoning == kept


def test_mappings_are_copied() -> None:
    """Changing a schema later does not change a config that was made from it."""
    schema: dict[str, Any] = {"type": "object"}
    config = ProviderConfig(extra=schema, response_schema=schema, tools=[Tool(name="a")])
    schema["type"] = "array"
    assert config.extra == {"type": "object"}
    assert config.response_schema == ResponseSchema(schema={"type": "object"})


def test_what_a_call_sets_wins_over_defaults() -> None:
    """A default counts only where the call says nothing."""
    call = ProviderConfig(model="mine", temperature=0)
    defaults = ProviderConfig(model="theirs", temperature=1, seed=7, stop="END")
    assert call.merged_over(defaults) == ProviderConfig(
        model="mine", temperature=0, seed=7, stop="END"
    )


def test_every_default_survives_merging() -> None:
    """A call that sets nothing gets the defaults, whole."""
    defaults = ProviderConfig(
        model="m",
        max_output_tokens=1,
        temperature=0.5,
        top_p=0.5,
        stop=["END"],
        seed=1,
        tools=[Tool(name="a")],
        tool_choice="none",
        response_schema=SCHEMA,
        reasoning="low",
        n=2,
        logprobs=0,
        extra={"a": 1},
    )
    assert ProviderConfig().merged_over(defaults) == defaults
    assert defaults.merged_over(ProviderConfig()) == defaults


def test_extra_is_merged_member_by_member() -> None:
    """A call may add one member to those of the defaults, or replace one."""
    call = ProviderConfig(extra={"a": 1, "b": 2})
    defaults = ProviderConfig(extra={"b": 0, "c": 0})
    assert call.merged_over(defaults).extra == {"a": 1, "b": 2, "c": 0}


def test_the_repr_shows_no_content() -> None:
    """Schemas, descriptions, stop strings and extras may all come from a prompt."""
    config = ProviderConfig(
        model="m",
        stop=[PROMPT],
        tools=[Tool(name="a", description=PROMPT, parameters={"x": PROMPT})],
        response_schema={"description": PROMPT},
        extra={"metadata": PROMPT},
    )
    shown = repr(config)
    assert PROMPT not in shown
    for part in ("model='m'", "stop=…", "name='a'", "description=<17 characters>"):
        assert part in shown
    assert "parameters={x: …}" in shown
    assert "extra={metadata: …}" in shown


def test_the_repr_shows_that_stop_is_unset() -> None:
    """Hidden is not the same as unset."""
    assert "stop=None" in repr(ProviderConfig())


def test_configs_are_hashable() -> None:
    """Configs are values, also those that hold schemas."""
    assert len({ProviderConfig(tools=[Tool(name="a", parameters=SCHEMA)]) for _ in range(2)}) == 1


def test_what_contains_itself_is_left_to_the_encoder() -> None:
    """It knows best what cannot be written."""
    extra: dict[str, Any] = {}
    extra["a"] = extra
    assert ProviderConfig(extra=extra).extra.keys() == {"a"}


def test_a_name_of_other_libraries_is_answered_with_ours() -> None:
    """The bound on tokens has another name with each of them."""
    with pytest.raises(TypeError) as caught:
        ProviderConfig(max_tokens=3)  # type: ignore[call-arg]  # the mistake
    assert str(caught.value).endswith(
        "has no field 'max_tokens' (did you mean 'max_output_tokens'?)"
    )


def test_settings_are_told_from_what_is_none() -> None:
    """Also where no type checker has seen to that."""
    config = ProviderConfig(model="m")
    assert as_settings(config) is config
    with pytest.raises(TypeError, match=r'such as ProviderConfig\(model="…"\), not dict$'):
        as_settings({"model": "m"})
