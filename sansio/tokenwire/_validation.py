"""Checks shared by the types that callers fill in: each refuses with one sentence.

The sentence begins with the field's name, so that whoever knows where the field stands (a table of
a configuration file, an environment variable) can put that before it. It never shows a string that
was given: that may be a prompt or a key. None passes where it is a field's default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from types import MappingProxyType, UnionType
from typing import Any, Final, TypeAlias, TypeVar, cast

import attrs

Check: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], None]
_T = TypeVar("_T")

#: What JSON readers of other languages take: integers of 64 bits.
_MIN_INTEGER: Final = -(2**63)
_MAX_INTEGER: Final = 2**63 - 1

#: The one empty mapping, so that what is unset need not be copied and checked each time.
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _where_set(check: Check) -> Check:
    """Leave out what is unset: None where that is the default."""

    def check_if_set(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None or attribute.default is not None:
            check(instance, attribute, value)

    return check_if_set


def number(
    *, at_least: float | None = None, above: float | None = None, at_most: float | None = None
) -> Check:
    """Accept finite numbers within the bounds; a bool is not a number."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{attribute.name} must be a number, not {type(value).__name__}")
        if not _MIN_INTEGER <= value <= _MAX_INTEGER:
            raise ValueError(f"{attribute.name} must be a finite number of 64 bits")
        if at_least is not None and value < at_least:
            raise ValueError(f"{attribute.name} must be at least {at_least:g}, not {value:g}")
        if above is not None and value <= above:
            raise ValueError(f"{attribute.name} must be more than {above:g}, not {value:g}")
        if at_most is not None and value > at_most:
            raise ValueError(f"{attribute.name} must be at most {at_most:g}, not {value:g}")

    return _where_set(check)


def integer(*, at_least: int | None = None, at_most: int | None = None) -> Check:
    """Accept whole numbers of 64 bits within the bounds."""
    in_range = number(at_least=at_least, at_most=at_most)

    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        in_range(instance, attribute, value)
        if isinstance(value, float):
            raise TypeError(f"{attribute.name} must be a whole number, not {value!r}")

    return _where_set(check)


def instance_of(kind: type | UnionType, what: str) -> Check:
    """Accept instances of a class, which `what` describes."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"{attribute.name} must be {what}, not {type(value).__name__}")

    return _where_set(check)


#: Accepts strings, the empty one as well.
string: Final = instance_of(str, "a string")

#: Accepts real booleans.
boolean: Final = instance_of(bool, "true or false")

#: Accepts mappings whose keys are strings.
_is_mapping: Final = instance_of(Mapping, "a table (a mapping)")


def text(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Accept non-empty strings."""
    string(instance, attribute, value)
    if value == "":
        raise ValueError(f"{attribute.name} is empty: set it, or leave it out")


def one_of(*choices: str) -> Check:
    """Accept one of these strings."""

    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        string(instance, attribute, value)
        if value not in choices:
            known = " or ".join(f'"{choice}"' for choice in choices)
            raise ValueError(f"{attribute.name} must be {known}")

    return check


def mapping(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Accept mappings whose keys are strings."""
    _is_mapping(instance, attribute, value)
    if not all(isinstance(key, str) for key in value):
        raise TypeError(f"{attribute.name}: the keys of a mapping must be strings")


def json_mapping(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Accept mappings that go into a request's JSON, which has finite numbers only."""
    if value is _NOTHING:
        return
    mapping(instance, attribute, value)
    try:
        path = _path_to_infinite(value)
    except RecursionError:
        return  # deeper than any JSON that can be written, as the encoder will say
    if path is not None:
        raise ValueError(
            f"{attribute.name}{path:.300} must be a finite number, as JSON has no other"
        )


def _path_to_infinite(value: object) -> str | None:
    """Find a number that is not finite, None if there is none."""
    members: Iterable[tuple[object, object]]
    match value:
        case float():
            return None if math.isfinite(value) else ""
        case Mapping():
            members = cast("Mapping[object, object]", value).items()
        case list() | tuple():
            members = enumerate(cast("list[object]", value))
        case _:
            return None
    paths = ((name, _path_to_infinite(member)) for name, member in members)
    return next((f"[{name!r:.100}]{path}" for name, path in paths if path is not None), None)


def empty() -> Mapping[str, Any]:
    """Return an empty mapping, the default of mapping fields."""
    return _NOTHING


def frozen_mapping(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Copy a mapping so that later changes to the original do not reach us; None is an empty one.

    What is no mapping passes through: the validator `mapping`, which knows the field, refuses it.
    """
    if value is None or value is _NOTHING:
        return _NOTHING
    is_mapping = isinstance(cast("object", value), Mapping)  # callers may have no types
    return MappingProxyType(dict(value)) if is_mapping else value


def from_table(kind: Callable[..., _T], where: str, table: Mapping[str, Any]) -> _T:
    """Make an attrs class from a mapping whose keys are its fields.

    Args:
        kind: The class.
        where: What errors call the mapping; empty if the caller puts that before them.
        table: The fields by name.

    Raises:
        ValueError: If a key is unknown (the message names the nearest) or missing, or a value bad.
    """
    prefix = f"{where}." if where else ""
    known, required = _fields(kind)
    refuse_unknown(where, table, known)
    for name in required:
        if name not in table:
            raise ValueError(f"{prefix}{name} is missing")
    try:
        return kind(**table)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{prefix}{error}") from None


@cache
def _fields(kind: Callable[..., object]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of a class's fields, and of those without a default."""
    fields = attrs.fields_dict(cast("type[attrs.AttrsInstance]", kind))
    required = [name for name, field in fields.items() if field.default is attrs.NOTHING]
    return tuple(fields), tuple(required)


def refuse_unknown(where: str, table: Iterable[object], known: Iterable[str]) -> None:
    """Refuse keys that are not known, and name the nearest that is.

    Raises:
        ValueError: With `where`, the key and the hint.
    """
    known = set(known)
    for key in table:
        if key not in known:
            prefix = f"{where}: " if where else ""
            raise ValueError(f"{prefix}unknown key {key!r:.100}{nearest(str(key), known)}")


def names_nearest_field(kind: type[_T]) -> type[_T]:
    """Refuse a keyword argument that is no field with the name of the nearest; decorates a class.

    The names that other libraries have for a setting are what callers try first, and Python's own
    message says nothing of what there is.

    Args:
        kind: An attrs class.
    """
    fields = attrs.fields(cast("type[attrs.AttrsInstance]", kind))
    known = {field.alias for field in fields if field.alias is not None and field.init}
    init: Callable[..., None] = vars(kind)["__init__"]

    @wraps(init)
    def init_or_name_nearest(self: Any, *args: Any, **values: Any) -> None:
        try:
            init(self, *args, **values)
        except TypeError:
            unknown = next((name for name in values if name not in known), None)
            if unknown is None:
                raise
        else:
            return
        values.clear()  # tracebacks may show the variables of frames, and one may be a key
        raise TypeError(f"{kind.__name__} has no field {unknown!r:.100}{nearest(unknown, known)}")

    kind.__init__ = init_or_name_nearest  # type: ignore[method-assign]  # it takes the same
    return kind


def names_only(value: Mapping[str, object]) -> str:
    """Show a mapping by its keys alone: values may hold keys or prompts."""
    return "{" + ", ".join(f"{name}: …" for name in value) + "}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean …?)`` for the known name most like `name`, else the whole list."""
    import difflib  # only a mistake pays for it

    candidates = sorted(known)
    # What is longer than any name is like none, and would take long to compare.
    matches = difflib.get_close_matches(name[:100], candidates, n=1, cutoff=0.6)
    if matches:
        return f" (did you mean {matches[0]!r}?)"
    return f" (known: {', '.join(candidates)})"
