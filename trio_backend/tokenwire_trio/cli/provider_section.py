"""From options and the configuration file to the section that opens a provider.

The options are laid over the file's tables before anything is checked, so that the library's own
checks see the whole, and a file may leave out what an option gives.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast, final

import attrs

from tokenwire.config import Config, ConfigError, ProviderSection, read_toml
from tokenwire.endpoint import Endpoint
from tokenwire.presets import preset
from tokenwire.secret import names_credential
from tokenwire.wire import WIRE_KINDS
from tokenwire_trio.cli.default_deadlines import with_end
from tokenwire_trio.cli.key_values import guarded
from tokenwire_trio.cli.option_places import (
    CREDENTIAL_PLACE,
    TABLE_PLACES,
    VALUE_PLACES,
    Place,
    with_option,
)
from tokenwire_trio.cli.provider_options import ProviderOptions
from tokenwire_trio.cli.refusal import Refusal

SAY_WHOM: Final = "say whom to ask: --preset NAME, --base-url URL, or --config FILE"

#: A TOML document.
Document = dict[str, Any]

#: Either upper case, as variables mostly are, or too short for a key.
_NAME_AND_NO_KEY: Final = re.compile(r"[A-Z_][A-Z0-9_]*|[A-Za-z_][A-Za-z0-9_]{,15}")


@final
@attrs.frozen(kw_only=True)
class Target:
    """Whom to ask, and where the key came from.

    Attributes:
        section: For `open_provider` or an `Exchange`.
        key_variable: Name of the environment variable with the key, None where none was named.
    """

    section: ProviderSection
    key_variable: str | None


def load_target(options: ProviderOptions, environ: Mapping[str, str]) -> Target:
    """Build the section from the options and the file that they name.

    Raises:
        ConfigError: If something is missing, unknown or has a bad value.
        Refusal: If so, and there is a file; the message names it.
    """
    if not options.name_an_address:
        raise ConfigError(SAY_WHOM)
    if options.config is not None and options.preset is not None:
        raise ConfigError("--config and --preset exclude each other: a file may name a preset, too")
    if options.key_env is not None:
        _check_variable(options.key_env, environ)
    document = _base_document(options)
    for path, value in _overlay(options):
        _put(document, path, value)
    if (variable := _conventional_variable(options, environ)) is not None:
        _put(document, CREDENTIAL_PLACE, variable)
    section = _section(document, environ, options.config)
    # After the library has checked it, the document is known to have this shape.
    return Target(
        section=section, key_variable=document["provider"].get("endpoint", {}).get("credential_env")
    )


def _section(document: Document, environ: Mapping[str, str], file: Path | None) -> ProviderSection:
    try:
        return Config.from_mapping(document, environ).provider
    except ConfigError as error:
        if file is None:
            raise
        raise Refusal(f"{file}: {with_option(str(error))}") from None


def load_target_to_ask(options: ProviderOptions, environ: Mapping[str, str]) -> Target:
    """Do what `load_target` does, with deadlines so that each call ends; see `with_end`.

    Raises:
        ConfigError: Also if a preset's server is asked without a key, which it would refuse.
    """
    target = load_target(options, environ)
    endpoint = target.section.endpoint
    _check_key(options, endpoint)
    bounded = attrs.evolve(endpoint, deadlines=with_end(endpoint.deadlines))
    return attrs.evolve(target, section=attrs.evolve(target.section, endpoint=bounded))


def _check_key(options: ProviderOptions, endpoint: Endpoint) -> None:
    # What listens at another address, or on this machine, may add the key itself.
    if options.preset is None or options.base_url is not None or endpoint.unix_socket is not None:
        return
    variable = preset(options.preset).key_env
    if variable is None or endpoint.credential is not None:
        return
    if not any(map(names_credential, (*endpoint.headers, *endpoint.query))):
        raise ConfigError(
            f"the environment variable {variable} is not set, from which the preset"
            f" {options.preset} takes the key: set it, or name another one with --key-env"
        )


def _conventional_variable(options: ProviderOptions, environ: Mapping[str, str]) -> str | None:
    """Name the variable in which people keep the preset's key, if it is set and wanted.

    At another address than the preset's own, the key is nobody else's business.
    """
    if options.preset is None or options.key_env is not None or options.base_url is not None:
        return None
    try:
        variable = preset(options.preset).key_env
    except ValueError:
        return None  # the library tells of it with the rest
    return variable if variable is not None and environ.get(variable) else None


def _check_variable(name: str, environ: Mapping[str, str]) -> None:
    if environ.get(name):
        return
    if _NAME_AND_NO_KEY.fullmatch(name):
        raise ConfigError(f"--key-env: the environment variable {name} is not set")
    raise ConfigError(
        "--key-env: no environment variable has this name; the option takes the name of a variable,"
        " not the key"
    )


def _base_document(options: ProviderOptions) -> Document:
    if options.preset is not None:
        return {"provider": {"preset": options.preset}}
    if options.config is None:
        return {"provider": {"kind": WIRE_KINDS[0]}}
    return _read(options.config)


def _read(file: Path) -> Document:
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is no valid TOML: it is no UTF-8 text") from None
    return read_toml(text, str(file))


def _overlay(options: ProviderOptions) -> Iterable[tuple[Place, object]]:
    """Name the place of each option in the document, as far as it was given."""
    for name, place in VALUE_PLACES.items():
        value: object = getattr(options, name)
        # Not just what is false: 0 is a value.
        if not (value is None or value is False or value == ()):
            yield place, value
    for name, table in TABLE_PLACES.items():
        items = guarded(options.header) if name == "header" else getattr(options, name)
        yield from (((*table, key), value) for key, value in items.items())


def _put(document: Document, path: Place, value: object) -> None:
    """Put a value into nested tables, which are made where they are missing.

    Where the file has something else in place of a table, it stays, for `Config` to complain of.
    """
    table = document
    for name in path[:-1]:
        nested = table.setdefault(name, {})
        if not isinstance(nested, dict):
            return
        table = cast("Document", nested)
    if path[-1] == "credential_env":
        table.pop("credential", None)
    table[path[-1]] = value
