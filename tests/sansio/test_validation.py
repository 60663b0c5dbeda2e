"""The checks that the configuration types share."""

import inspect
import math
import re
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from tests.sansio.leaks import everything_in
from tokenwire import _validation as check

SECRET = "sk-proj-a1B2c3D4e5F6"


@attrs.frozen(kw_only=True)
class Settings:
    """One field for each check."""

    amount: float | None = attrs.field(
        default=None, validator=check.number(at_least=-1, at_most=2.5)
    )
    positive: float | None = attrs.field(default=None, validator=check.number(above=0))
    size: float = attrs.field(default=1, validator=check.number())
    count: int | None = attrs.field(default=None, validator=check.integer(at_least=1, at_most=9))
    label: str | None = attrs.field(default=None, validator=check.text)
    note: str = attrs.field(default="", validator=check.string)
    flag: bool | None = attrs.field(default=None, validator=check.boolean)
    switch: bool = attrs.field(default=False, validator=check.boolean)
    mode: str = attrs.field(default="a", validator=check.one_of("a", "b"))
    table: Mapping[str, Any] = attrs.field(
        factory=check.empty, converter=check.frozen_mapping, validator=check.mapping
    )


def with_field(name: str, value: Any) -> Settings:
    """Make settings with one field set, to a value of any type."""
    given: dict[str, Any] = {name: value}
    return Settings(**given)


@attrs.frozen(kw_only=True)
class Named:
    """A class with a required field."""

    name: str = attrs.field(validator=check.text)
    size: int | None = attrs.field(default=None, validator=check.integer(at_least=0))


@pytest.mark.parametrize(
    "settings",
    [
        {"amount": -1},
        {"amount": 2.5},
        {"amount": 0},
        {"positive": 5e-324},
        {"size": -(2**63)},
        {"size": 2**63 - 1},
        {"count": 1},
        {"count": 9},
        {"label": "x"},
        {"note": ""},
        {"flag": False},
        {"switch": True},
        {"mode": "b"},
        {"table": {"a": 1}},
    ],
)
def test_values_within_bounds_are_taken_as_they_are(settings: dict[str, Any]) -> None:
    """Bounds are inclusive unless they say "above", and nothing is converted."""
    [(name, value)] = settings.items()
    assert getattr(Settings(**settings), name) == value


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("amount", -1.001, "amount must be at least -1, not -1.001"),
        ("amount", 2.75, "amount must be at most 2.5, not 2.75"),
        ("amount", math.nan, "amount must be a finite number of 64 bits"),
        ("amount", math.inf, "amount must be a finite number of 64 bits"),
        ("amount", -math.inf, "amount must be a finite number of 64 bits"),
        ("amount", 2**63, "amount must be a finite number of 64 bits"),
        ("amount", -(2**63) - 1, "amount must be a finite number of 64 bits"),
        ("amount", 10**400, "amount must be a finite number of 64 bits"),
        ("amount", True, "amount must be a number, not bool"),
        ("amount", "1", "amount must be a number, not str"),
        ("positive", 0, "positive must be more than 0, not 0"),
        ("positive", -0.5, "positive must be more than 0, not -0.5"),
        ("size", None, "size must be a number, not NoneType"),
        ("count", 0, "count must be at least 1, not 0"),
        ("count", 10, "count must be at most 9, not 10"),
        ("count", 1.0, "count must be a whole number, not 1.0"),
        ("count", True, "count must be a number, not bool"),
        ("label", "", "label is empty: set it, or leave it out"),
        ("label", 5, "label must be a string, not int"),
        ("note", None, "note must be a string, not NoneType"),
        ("flag", 1, "flag must be true or false, not int"),
        ("switch", None, "switch must be true or false, not NoneType"),
        ("mode", "c", 'mode must be "a" or "b"'),
        ("mode", 5, "mode must be a string, not int"),
        ("table", [("a", 1)], "table must be a table (a mapping), not list"),
        ("table", {5: 1}, "table: the keys of a mapping must be strings"),
    ],
)
def test_every_other_value_is_refused_by_name(name: str, value: Any, error: str) -> None:
    """The sentence begins with the field, and says what it takes."""
    with pytest.raises((TypeError, ValueError)) as caught:
        with_field(name, value)
    assert str(caught.value) == error


@pytest.mark.parametrize("name", ["amount", "positive", "count", "label", "flag"])
def test_none_is_taken_where_it_is_the_default(name: str) -> None:
    """Passing None is the same as leaving a field unset."""
    assert with_field(name, None) == Settings()


@pytest.mark.parametrize("name", ["amount", "count", "label", "note", "flag", "mode", "table"])
def test_no_check_shows_what_it_was_given(name: str) -> None:
    """A key that was put in the wrong place does not appear in the error."""
    with pytest.raises((TypeError, ValueError)) as caught:
        with_field(name, [SECRET])
    assert SECRET not in everything_in(caught.value)


def test_a_choice_that_is_not_known_is_not_shown() -> None:
    """Not even where the wrong value is a string."""
    with pytest.raises(ValueError, match="must be") as caught:
        Settings(mode=SECRET)
    assert SECRET not in everything_in(caught.value)


def test_a_mapping_is_copied_and_frozen() -> None:
    """Later changes to the original do not reach us, and nobody changes ours."""
    original = {"a": 1}
    table = Settings(table=original).table
    original["b"] = 2
    assert table == {"a": 1}
    with pytest.raises(TypeError):
        table["c"] = 3  # type: ignore[index]  # what is tested


def test_no_mapping_is_an_empty_one() -> None:
    """None stands for nothing to add."""
    assert check.frozen_mapping(None) == check.empty() == {}


def test_a_mapping_is_shown_by_its_names() -> None:
    """Values may be keys or prompts."""
    assert check.names_only({"a": SECRET, "b": 1}) == "{a: …, b: …}"
    assert check.names_only({}) == "{}"


def test_a_table_becomes_an_object() -> None:
    """The keys of a table are the fields of the class."""
    assert check.from_table(Named, "here", {"name": "x", "size": 1}) == Named(name="x", size=1)


@pytest.mark.parametrize(
    ("where", "table", "error"),
    [
        ("here", {"nmae": "x"}, "here: unknown key 'nmae' (did you mean 'name'?)"),
        ("", {"nmae": "x"}, "unknown key 'nmae' (did you mean 'name'?)"),
        ("here", {"zzz": "x"}, "here: unknown key 'zzz' (known: name, size)"),
        ("here", {5: "x"}, "here: unknown key 5 (known: name, size)"),
        ("here", {"size": 1}, "here.name is missing"),
        ("", {}, "name is missing"),
        ("here", {"name": ""}, "here.name is empty: set it, or leave it out"),
        ("here", {"name": "x", "size": -1}, "here.size must be at least 0, not -1"),
        ("", {"name": "x", "size": "1"}, "size must be a number, not str"),
    ],
)
def test_a_bad_table_is_refused_by_its_place(where: str, table: Any, error: str) -> None:
    """What is unknown, missing or wrong is told with where it stands."""
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        check.from_table(Named, where, table)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("temperatur", " (did you mean 'temperature'?)"),
        ("top-p", " (did you mean 'top_p'?)"),
        ("x", " (known: temperature, top_p)"),
    ],
)
def test_the_nearest_known_name_is_told(name: str, hint: str) -> None:
    """A misspelt name gets a suggestion, a strange one the list."""
    assert check.nearest(name, ["top_p", "temperature"]) == hint


def test_an_endless_name_makes_a_short_error() -> None:
    """However long a key is, the error stays readable, and comparing it stays cheap."""
    with pytest.raises(ValueError, match="unknown key") as caught:
        check.refuse_unknown("here", ["x" * 1_000_000], ["name"])
    assert len(str(caught.value)) < 200


@check.names_nearest_field
@attrs.frozen(kw_only=True)
class Hinting:
    """Settings whose unknown names are answered with a hint."""

    max_size: int | None = attrs.field(default=None, validator=check.integer())
    _hidden: int = attrs.field(default=0, alias="shown")
    _made: int = attrs.field(default=0, init=False)


#: For calls that a type checker would refuse.
MISTAKEN: Any = Hinting


def test_an_argument_that_is_no_field_is_refused_with_the_nearest() -> None:
    """What other libraries call a setting is tried first; the answer is what it is called here."""
    with pytest.raises(TypeError) as caught:
        MISTAKEN(maximum_size=1)
    assert str(caught.value) == "Hinting has no field 'maximum_size' (did you mean 'max_size'?)"
    with pytest.raises(TypeError, match=r"no field 'q' \(known: max_size, shown\)$"):
        MISTAKEN(q=1)


def test_another_mistake_keeps_its_message() -> None:
    """A hint is only for names."""
    with pytest.raises(TypeError, match=r"^max_size must be a number, not str$"):
        MISTAKEN(max_size="1")
    with pytest.raises(TypeError, match="positional"):
        MISTAKEN(1)


def test_hints_change_nothing_else() -> None:
    """The class is made as before, and shows its arguments."""
    assert attrs.evolve(Hinting(shown=2), max_size=1) == Hinting(max_size=1, shown=2)
    assert list(inspect.signature(Hinting).parameters) == ["max_size", "shown"]


def test_what_was_given_to_an_unknown_name_is_not_in_the_traceback() -> None:
    """It may be a key: ``Endpoint(api_key=…)`` is a likely mistake."""
    with pytest.raises(TypeError) as caught:
        MISTAKEN(api_key=SECRET)
    frame = caught.traceback[-1].frame
    assert SECRET not in f"{frame.f_locals['values']}{everything_in(caught.value)}"
