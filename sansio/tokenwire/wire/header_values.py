"""Header values that mean the same wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def first_of(headers: Mapping[str, str], names: Iterable[str]) -> str | None:
    """Return the value of the first of these headers that was sent."""
    return next((headers[name] for name in names if name in headers), None)


def count(text: str | None) -> int | None:
    """Read a number of things, None where it is none."""
    digits = text or ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
