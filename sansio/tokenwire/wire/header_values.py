"""Header values that mean the same wherever they come from."""

from __future__ import annotations


def count(text: str | None) -> int | None:
    """Read a number of things, None where it is none."""
    digits = text or ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
