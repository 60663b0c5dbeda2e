"""Which setting of a configuration each option stands for.

Used both ways: to lay the options over a configuration, and to name the option where the library,
which knows nothing of options, complains of a setting.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

#: The tables that lead to a setting, and its own name, as in a TOML document.
Place: TypeAlias = tuple[str, ...]

_ENDPOINT: Final = ("provider", "endpoint")
_DEFAULTS: Final = ("provider", "defaults")

CREDENTIAL_PLACE: Final = (*_ENDPOINT, "credential_env")

#: Options that set one value, by their names in `ProviderOptions`.
VALUE_PLACES: Final[Mapping[str, Place]] = {
    "wire": ("provider", "kind"),
    "base_url": (*_ENDPOINT, "base_url"),
    "key_env": CREDENTIAL_PLACE,
    "timeout": (*_ENDPOINT, "deadlines", "total"),
    "ca_file": (*_ENDPOINT, "tls", "ca_file"),
    "proxy": (*_ENDPOINT, "proxy"),
    "unix_socket": (*_ENDPOINT, "unix_socket"),
    "allow_plaintext": (*_ENDPOINT, "allow_plaintext"),
    "model": (*_DEFAULTS, "model"),
    "max_tokens": (*_DEFAULTS, "max_output_tokens"),
    "temperature": (*_DEFAULTS, "temperature"),
    "top_p": (*_DEFAULTS, "top_p"),
    "stop": (*_DEFAULTS, "stop"),
    "seed": (*_DEFAULTS, "seed"),
    "reasoning": (*_DEFAULTS, "reasoning"),
    "tool": (*_DEFAULTS, "tools"),
}

#: Options that set a key of a table each time that they are given.
TABLE_PLACES: Final[Mapping[str, Place]] = {
    "preset_value": ("provider", "preset_values"),
    "header": (*_ENDPOINT, "headers"),
    "query": (*_ENDPOINT, "query"),
    "quirk": (*_ENDPOINT, "quirks"),
    "extra": (*_DEFAULTS, "extra"),
}

#: Errors of a configuration begin with the whole path of a setting, those of a call with its name.
_PATH: Final = re.compile(r"(?:provider\.)?(?:endpoint\.|defaults\.)?(\w+(?:\.\w+)*)")


def with_option(message: str) -> str:
    """Add to an error the option that sets what it complains of, where there is one."""
    path = _PATH.match(message)
    option = None if path is None else _option_of(path[1])
    return message if option is None else f"{message} ({option})"


def _option_of(setting: str) -> str | None:
    for option, place in (*VALUE_PLACES.items(), *TABLE_PLACES.items()):
        name = ".".join(place).removeprefix("provider.")
        name = name.removeprefix("endpoint.").removeprefix("defaults.")
        if f"{setting}.".startswith(f"{name}."):
            return "--" + option.replace("_", "-")
    return None
