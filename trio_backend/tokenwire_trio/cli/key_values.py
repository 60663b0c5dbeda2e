"""Option values made of a name and a value, as click callbacks for repeatable options.

Each takes what was given, ``()`` where nothing was, and returns it by name; what is given again
replaces what was given before.
"""

from collections.abc import Iterable

import click
import msgspec

from tokenwire.secret import Secret, names_credential


def json_items(_: click.Context, __: click.Parameter, items: tuple[str, ...]) -> dict[str, object]:
    """Read ``KEY=JSON``."""
    return {key: _json(key, value) for key, value in _split(items, "=", "KEY=JSON")}


def text_items(_: click.Context, __: click.Parameter, items: tuple[str, ...]) -> dict[str, str]:
    """Read ``NAME=VALUE``."""
    return dict(_split(items, "=", "NAME=VALUE"))


def header_lines(
    _: click.Context, __: click.Parameter, lines: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Read ``Name: value``, keeping order and repetitions."""
    return [(name.strip(), value.strip()) for name, value in _split(lines, ":", "'Name: value'")]


def guarded(headers: Iterable[tuple[str, str]]) -> dict[str, str | Secret]:
    """Make request headers of header lines, hiding the values that are credentials."""
    return {name: _guarded_value(name, value) for name, value in headers}


def _guarded_value(name: str, value: str) -> str | Secret:
    if not names_credential(name):
        return value
    try:
        return Secret(value)
    except ValueError as error:
        raise click.BadParameter(f"the value of header {name!r}: {error}") from None


def _split(items: tuple[str, ...], separator: str, form: str) -> Iterable[tuple[str, str]]:
    for item in items:
        name, found, value = item.partition(separator)
        if not (found and name.strip()):
            # The item itself may be a key that was pasted in the wrong place.
            raise click.BadParameter(f"expected {form}")
        yield name, value


def _json(key: str, value: str) -> object:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        raise click.BadParameter(
            f"the value of {key!r} is no JSON; a string needs its own quotes, like {key}='\"text\"'"
        ) from None
