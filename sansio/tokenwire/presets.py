"""Well-known servers by name: where they are and how they depart from their wire format.

They are data, in ``presets.toml`` beside this module, which is read when the first one is asked
for; adding a server is adding a table there. A configuration names one with ``preset = "NAME"`` and
overrides whatever it likes.

No preset holds a key. Many name the environment variable in which people conventionally keep it;
the library reads that variable only where a configuration names it as its ``credential_env``. It is
``tokenwire --preset`` that takes it from there by itself, as long as the preset's own address is
asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any, Final, TypeAlias, cast, final

import attrs
from attrs import field

from tokenwire import _validation as check

_Table: TypeAlias = Mapping[str, Any]

#: No slash, colon, at-sign or bracket: what is filled in must not lead to another place.
_FILLING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@final
@attrs.frozen(kw_only=True)
class Preset:
    """One server that is known by name.

    Attributes:
        name: Its name in configurations, for instance ``"llama.cpp"``.
        kind: Name of its wire format.
        base_url: Where its API begins; words in braces are to be filled in.
        note: What is special about it, for people.
        source: Address of its documentation.
        key_env: Environment variable that conventionally holds the key; None where there is none.
        auth: How the key is sent, as `AuthStyle.parse` reads it; None leaves it to the wire format.
        quirks: How the server departs from the wire format's reference.
    """

    name: str = field(validator=check.text)
    kind: str = field(validator=check.text)
    base_url: str = field(validator=check.text)
    note: str = field(validator=check.text)
    source: str = field(validator=check.text)
    key_env: str | None = field(default=None, validator=check.text)
    auth: str | None = field(default=None, validator=check.text)
    quirks: Mapping[str, Any] = field(
        factory=check.empty, converter=check.frozen_mapping, validator=check.mapping, hash=False
    )

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The words of `base_url` that are to be filled in, each once."""
        words = (word for _, word, _, _ in Formatter().parse(self.base_url) if word)
        return tuple(dict.fromkeys(words))

    def filled(self, values: Mapping[str, object]) -> str:
        """Return the base URL with its words filled in.

        Args:
            values: A host name or a part of one for each of `placeholders`.

        Raises:
            ValueError: If one is missing, unknown or no such name.
        """
        check.refuse_unknown("", values, self.placeholders)
        for word in self.placeholders:
            value = values.get(word)
            if value is None:
                raise ValueError(
                    f"{word} is missing: the preset {self.name} has the address {self.base_url};"
                    " give the word, or a base_url of your own"
                )
            if not (isinstance(value, str) and _FILLING.fullmatch(value)):
                raise ValueError(f"{word} must be a name of letters, digits, dots and dashes")
        return self.base_url.format_map(values)


def preset_names() -> tuple[str, ...]:
    """Return the names of all presets, in alphabetical order."""
    return tuple(sorted(_presets()))


def preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        ValueError: If there is none; the message names the nearest.
    """
    known = _presets()
    if name not in known:
        raise ValueError(f"unknown preset {name!r:.100}{check.nearest(name, known)}")
    return known[name]


def with_preset(provider: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the ``provider`` table of a configuration over the preset that it names.

    Quirks and the way of sending the key belong to the preset's wire format: where the table names
    another ``kind``, they are left out.

    Args:
        provider: The table, with ``preset`` and, where the preset's URL has words to fill in,
            ``preset_values`` or an endpoint with another ``base_url``.

    Returns:
        A table without both.

    Raises:
        ValueError: If the preset is unknown or not filled in; the message begins with the key.
    """
    name, values = provider["preset"], provider.get("preset_values", {})
    if not isinstance(name, str):
        raise ValueError(f"preset must be a string, not {type(name).__name__}")
    if not isinstance(values, Mapping):
        raise ValueError(f"preset_values must be a table, not {type(values).__name__}")
    try:
        chosen = preset(name)
    except ValueError as error:
        raise ValueError(f"preset: {error}") from None
    own = {key: value for key, value in provider.items() if key not in ("preset", "preset_values")}
    return _laid_over(_table(chosen, own, cast("_Table", values)), own)


def _table(chosen: Preset, own: _Table, values: _Table) -> dict[str, Any]:
    """Return what the preset has for a table that is laid over it."""
    endpoint: dict[str, Any] = {"name": chosen.name}
    if own.get("kind", chosen.kind) == chosen.kind:
        endpoint["quirks"] = chosen.quirks
        if chosen.auth is not None:
            endpoint["auth"] = chosen.auth
    if not _has(own.get("endpoint"), "base_url"):
        try:
            endpoint["base_url"] = chosen.filled(values)
        except ValueError as error:
            raise ValueError(f"preset_values: {error}") from None
    return {"kind": chosen.kind, "endpoint": endpoint}


def _has(table: object, key: str) -> bool:
    return isinstance(table, Mapping) and key in table


def _laid_over(below: _Table, above: _Table) -> dict[str, Any]:
    """Merge nested tables; where both have a value, that of `above` counts."""
    merged = dict(below)
    for key, value in above.items():
        under: object = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = _laid_over(cast("_Table", under), cast("_Table", value))
        else:
            merged[key] = value
    return merged


@cache
def _presets() -> dict[str, Preset]:
    # Whoever names no preset pays for none of this.
    import tomllib
    from importlib.resources import files

    document = tomllib.loads(files("tokenwire").joinpath("presets.toml").read_text("utf-8"))
    return {
        name: check.from_table(Preset, name, {"name": name, **table})
        for name, table in document.items()
    }
