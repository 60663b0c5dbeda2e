"""Checks shared by the configuration types: each refuses with a sentence that says what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

Check: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def number(*, at_least: float | None = None, above: float | None = None) -> Check:
    """Accept None and finite numbers within the bounds; a bool is not a number."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{attribute.name} must be a number, not {type(value).__name__}")
        if not math.isfinite(value):
            raise ValueError(f"{attribute.name} must be a finite number, not {value}")
        if at_least is not None and value < at_least:
            raise ValueError(f"{attribute.name} must be at least {at_least:g}, not {value:g}")
        if above is not None and value <= above:
            raise ValueError(f"{attribute.name} must be more than {above:g}, not {value:g}")

    return check


def integer(*, at_least: int) -> Check:
    """Accept None and whole numbers from `at_least` up."""
    in_range = number(at_least=at_least)

    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        in_range(instance, attribute, value)
        if isinstance(value, float):
            raise TypeError(f"{attribute.name} must be a whole number, not {value!r}")

    return check


def require_text(name: str, value: Any) -> None:
    """Refuse what is no string, or an empty one."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{name} is empty: set it, or leave it out")


def text(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Accept None and non-empty strings."""
    if value is not None:
        require_text(attribute.name, value)


def boolean(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Accept None and real booleans."""
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be true or false, not {type(value).__name__}")


def empty() -> Mapping[str, Any]:
    """Return an empty mapping, the default of mapping fields."""
    return MappingProxyType({})


def frozen_mapping(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Copy a mapping so that later changes to the original do not reach us.

    Raises:
        TypeError: If it is no mapping, or a key is no string.
    """
    if value is None:
        return MappingProxyType({})
    if not isinstance(value, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"expected a mapping, not {type(value).__name__}")
    if not all(isinstance(key, str) for key in value):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError("the keys of a mapping must be strings")
    return MappingProxyType(dict(value))


def names_only(value: Mapping[str, object]) -> str:
    """Show a mapping by its keys alone: values may hold keys or prompts."""
    return "{" + ", ".join(f"{name}: …" for name in value) + "}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean …?)`` for the known name most like `name`, else the whole list."""
    import difflib  # only a mistake pays for it

    candidates = sorted(known)
    matches = difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
    if matches:
        return f" (did you mean {matches[0]!r}?)"
    return f" (known: {', '.join(candidates)})"
