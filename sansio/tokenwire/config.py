"""What an application loads: one TOML document or a set of environment variables.

```toml
[provider]
kind = "openai-chat"                 # which wire format

[provider.endpoint]
base_url = "https://host.example/v1"
credential_env = "EXAMPLE_API_KEY"   # name of the variable that holds the key

[provider.endpoint.deadlines]
connect = 10

[provider.defaults]                  # a ProviderConfig for calls that set nothing else
model = "some-model"
```

Where the server is one of the `presets`, its name stands for most of that, and what the document
sets itself wins:

```toml
[provider]
preset = "some-server"
preset_values = { region = "north" } # only where the preset's URL has words to fill in
endpoint.credential_env = "EXAMPLE_API_KEY"
```

Every table is one attrs class, so the names of its keys are those of the class's fields, and the
class itself checks the values. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, final

import attrs
import msgspec

from tokenwire import _validation as check
from tokenwire.connection_settings import FROM_ENVIRONMENT, PoolSettings, ProxySettings
from tokenwire.endpoint import Deadlines, Endpoint, Limits, TLSSettings
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret

if TYPE_CHECKING:
    from tokenwire.wire.base import Wire

_T = TypeVar("_T")

#: Ends the name of the field that an error begins with.
_FIELD: Final = re.compile(r"(?=\W)")

#: The tables below the endpoint's own.
_SETTINGS: Final[Mapping[str, type[attrs.AttrsInstance]]] = {
    "deadlines": Deadlines,
    "limits": Limits,
    "tls": TLSSettings,
    "pool": PoolSettings,
}

#: Prefix of the environment variables that `Config.from_env` reads.
ENV_PREFIX: Final = "TOKENWIRE_PROVIDER_"


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key and never shows a secret."""


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class ProviderSection:
    """All that opening a provider needs.

    Attributes:
        kind: Name of the wire format, for instance ``"openai-chat"``.
        endpoint: Where the provider is and how to reach it.
        defaults: Settings for every call; what a call sets itself wins.
    """

    kind: str = attrs.field(validator=check.text)
    endpoint: Endpoint = attrs.field(validator=check.instance_of(Endpoint, "an Endpoint"))
    defaults: ProviderConfig = attrs.field(
        factory=ProviderConfig, validator=check.instance_of(ProviderConfig, "a ProviderConfig")
    )


@final
@attrs.frozen(kw_only=True)
class Config:
    """What an application loads.

    Attributes:
        provider: The section that ``tokenwire_trio.open_provider`` takes.
    """

    provider: ProviderSection

    @classmethod
    def from_toml(
        cls, text: str, environ: Mapping[str, str] | None = None, *, wires: Iterable[Wire] = ()
    ) -> Config:
        """Read a TOML document.

        Args:
            text: The document.
            environ: Where ``credential_env`` looks up its variable, normally ``os.environ``.
            wires: Wire formats of others that ``kind`` may name, besides those of this library.

        Raises:
            ConfigError: If it is no TOML, or a key is unknown, missing or has a bad value.
            TypeError: If it is no string.
        """
        return cls.from_mapping(read_toml(text), environ, wires=wires)

    @classmethod
    def from_mapping(
        cls,
        document: Mapping[str, Any],
        environ: Mapping[str, str] | None = None,
        *,
        wires: Iterable[Wire] = (),
    ) -> Config:
        """Read nested mappings of the same shape as the TOML document; see `from_toml`.

        Raises:
            ConfigError: If a key is unknown, missing or has a bad value.
        """
        return cls(provider=_load_provider(_Table("", document), environ or {}, wires))

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str], prefix: str = ENV_PREFIX, *, wires: Iterable[Wire] = ()
    ) -> Config:
        """Read environment variables.

        ``KIND`` or ``PRESET`` (and ``PRESET_VALUES``, a JSON object), ``BASE_URL``, ``CREDENTIAL``
        (or ``CREDENTIAL_ENV``) and every other field of
        `Endpoint` and `ProviderConfig` under its own name in upper case; the fields of `Deadlines`,
        `Limits`, `TLSSettings` and `PoolSettings` after ``DEADLINES_``, ``LIMITS_``, ``TLS_`` and
        ``POOL_``. ``PROXY`` is a URL or ``env``, ``PROXY_USERNAME`` and ``PROXY_PASSWORD`` (or
        ``PROXY_PASSWORD_ENV``) belong to it. Fields that are no strings are read as JSON. An empty
        variable counts as unset.

        Args:
            environ: The variables, normally ``os.environ``.
            prefix: What their names begin with.
            wires: Wire formats of others that ``KIND`` may name, besides those of this library.

        Raises:
            ConfigError: If a variable is unknown, missing or has a bad value.
        """
        places = {prefix + name: path for name, path in _env_places().items()}
        names = {".".join(path): variable for variable, path in places.items()}
        root = _Table("", _document_from_env(environ, prefix, places), names)
        return cls(provider=_load_provider(root, environ, wires))


def read_toml(text: str, name: str = "the configuration") -> dict[str, Any]:
    """Read a document without looking at what is in it.

    Args:
        text: The document.
        name: What errors call it.

    Raises:
        ConfigError: If it is no TOML.
        TypeError: If it is no string.
    """
    import tomllib  # only those who load TOML pay for it

    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(
            f"{name} must be text, such as Path(…).read_text() gives, not {type(text).__name__}"
        )
    if text.endswith(".toml") and "\n" not in text:
        raise ConfigError(f"{name} must be the text of a file, not its name: read the file first")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also for integers of thousands of digits
        raise ConfigError(f"{name} is no valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{name} nests too deep") from None


def _load_provider(
    root: _Table, environ: Mapping[str, str], wires: Iterable[Wire]
) -> ProviderSection:
    provider = root.table("provider", required=True)
    provider.know("kind", "defaults")  # what is missing first is no reason to refuse them
    _lay_over_preset(provider)
    endpoint_table = provider.table("endpoint", required=True)
    kind = provider.take("kind", required=True)
    defaults = provider.table("defaults")
    root.done()
    provider.done()
    endpoint = _load_endpoint(endpoint_table, environ)
    wire = _wire_of(provider, kind, wires)
    try:
        wire.check_quirks(endpoint.quirks)
    except ValueError as error:
        raise ConfigError(endpoint_table.path_in(error)) from None
    return ProviderSection(
        kind=str(kind), endpoint=endpoint, defaults=defaults.build(ProviderConfig)
    )


def _lay_over_preset(provider: _Table) -> None:
    """Complete the table with what the preset knows that it names, if it names one."""
    if "preset" in provider.values:
        from tokenwire.presets import with_preset  # only those who name one pay for it

        try:
            provider.values = with_preset(provider.values)
        except ValueError as error:
            raise ConfigError(provider.path_in(error)) from None
    elif "preset_values" in provider.values:
        raise ConfigError(f"{provider.path('preset_values')}: no preset is named to fill in")
    provider.know("preset", "preset_values")


def _wire_of(provider: _Table, kind: object, wires: Iterable[Wire]) -> Wire:
    """Find the wire format, and refuse one that does not exist."""
    from tokenwire.wire import wire_by_kind  # which imports this module

    if not isinstance(kind, str):
        raise ConfigError(f"{provider.path('kind')} must be a string, not {type(kind).__name__}")
    try:
        return wire_by_kind(kind, wires)
    except ConfigError as error:
        raise ConfigError(f"{provider.path('kind')}: {error}") from None


def _load_endpoint(table: _Table, environ: Mapping[str, str]) -> Endpoint:
    given: dict[str, Any] = {
        name: table.table(name).build(kind) for name, kind in _SETTINGS.items()
    }
    given |= _secret_from_env(table, "credential", environ)
    if isinstance(table.values.get("proxy"), Mapping):
        given["proxy"] = _load_proxy(table.table("proxy"), environ)
    return table.build(Endpoint, **given)


def _load_proxy(table: _Table, environ: Mapping[str, str]) -> ProxySettings | str:
    if table.values == {"url": FROM_ENVIRONMENT}:
        return FROM_ENVIRONMENT
    return table.build(ProxySettings, **_secret_from_env(table, "password", environ))


def _secret_from_env(table: _Table, key: str, environ: Mapping[str, str]) -> dict[str, Secret]:
    """Return the secret whose variable the table names under ``KEY_env``, if it names one."""
    variable = table.take(f"{key}_env")
    if variable is None:
        return {}
    where = table.path(f"{key}_env")
    if key in table.values:
        raise ConfigError(f"{where}: give {key} or {key}_env, not both")
    if not isinstance(variable, str):
        raise ConfigError(f"{where} must be the name of an environment variable")
    value = environ.get(variable)
    if not value:
        # Not shown: people write the key itself here.
        raise ConfigError(f"{where}: the environment variable that it names is not set")
    try:
        return {key: Secret(value)}
    except ValueError as error:
        raise ConfigError(f"{where}: {variable}: {error}") from None


class _Table:
    """One table of the document, from which known keys are taken until none may be left.

    Args:
        name: Its path, with dots.
        values: Its keys.
        names: What errors call a path instead, such as the environment variable it came from.
    """

    def __init__(
        self, name: str, values: Mapping[str, Any], names: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.values = dict(values)
        self._names = names or {}
        self._known: set[str] = set()

    def path(self, key: str) -> str:
        path = f"{self.name}.{key}" if self.name else key
        return self._names.get(path, path)

    def path_in(self, error: Exception) -> str:
        """Put the table's path before an error that begins with the name of a field."""
        name, *rest = _FIELD.split(str(error), maxsplit=1)
        return self.path(name) + "".join(rest)

    def know(self, *keys: str) -> None:
        """Count keys as known, for those whom a misspelt one is told of."""
        self._known.update(keys)

    def take(self, key: str, *, required: bool = False, remedy: str = "") -> object:
        self._known.add(key)
        if required and key not in self.values:
            # A misspelt key is told as such, not as a missing one.
            self.done()
            raise ConfigError(f"{self.path(key)} is missing{remedy}")
        return self.values.pop(key, None)

    def table(self, key: str, *, required: bool = False) -> _Table:
        remedy = f": add a table [{self.path(key)}]"
        value = self.take(key, required=required, remedy=remedy)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{self.path(key)} must be a table, not {type(value).__name__}")
        return _Table(self.path(key), cast("Mapping[str, Any]", value), self._names)

    def done(self, known: Iterable[str] = ()) -> None:
        """Refuse what is neither taken nor known."""
        try:
            check.refuse_unknown(self.name, self.values, self._known | set(known))
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def build(self, kind: Callable[..., _T], **given: object) -> _T:
        """Make the attrs class that this table describes."""
        fields = _fields(cast("type[attrs.AttrsInstance]", kind))
        self.done(fields)
        try:
            return check.from_table(kind, "", {**self.values, **given})
        except ValueError as error:
            raise ConfigError(self.path_in(error)) from None


def _fields(kind: type[attrs.AttrsInstance]) -> list[str]:
    """Return the fields that text can express."""
    return [name for name in attrs.fields_dict(kind) if name != "ssl_context"]


def _document_from_env(
    environ: Mapping[str, str], prefix: str, places: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    # The endpoint is there even where nothing is set, so that what is missing has a variable.
    document: dict[str, Any] = {"provider": {"endpoint": {}}}
    is_empty = True
    for variable, text in environ.items():
        if not (variable.startswith(prefix) and text):
            continue
        path = places.get(variable)
        if path is None:
            raise ConfigError(
                f"unknown environment variable {variable!r:.100}"
                f"{_nearest_variable(variable, prefix, places)}"
            )
        table = document
        for step in path[:-1]:
            table = table.setdefault(step, {})
        table[path[-1]] = _env_value(variable, path, text)
        is_empty = False
    if is_empty:
        raise ConfigError(
            f"no environment variable begins with {prefix!r}: set {prefix}KIND and"
            f" {prefix}BASE_URL, or {prefix}PRESET"
        )
    return document


def _nearest_variable(variable: str, prefix: str, known: Iterable[str]) -> str:
    """Name the variable that was meant; people leave out what stands before its last words."""
    ending = "_" + variable.removeprefix(prefix)
    fuller = [name for name in known if name.endswith(ending)]
    return check.nearest(variable, fuller or known)


def _env_places() -> dict[str, tuple[str, ...]]:
    """Map the name of each variable, without its prefix, to its place in the document."""
    endpoint = ("provider", "endpoint")
    places: dict[str, tuple[str, ...]] = {
        "KIND": ("provider", "kind"),
        "PRESET": ("provider", "preset"),
        "PRESET_VALUES": ("provider", "preset_values"),
        "CREDENTIAL_ENV": (*endpoint, "credential_env"),
    }
    tables: tuple[tuple[type[attrs.AttrsInstance], str, tuple[str, ...]], ...] = (
        (ProviderConfig, "", ("provider", "defaults")),
        (Endpoint, "", endpoint),
        (ProxySettings, "PROXY_", (*endpoint, "proxy")),
        *((kind, f"{name.upper()}_", (*endpoint, name)) for name, kind in _SETTINGS.items()),
    )
    for kind, prefix, path in tables:
        for name in _fields(kind):
            places[prefix + name.upper()] = (*path, name)
    for table in _SETTINGS:  # their fields have variables of their own
        del places[table.upper()]
    # One variable for the URL, whether more belongs to it or not.
    places["PROXY"] = places.pop("PROXY_URL")
    places["PROXY_PASSWORD_ENV"] = (*endpoint, "proxy", "password_env")
    return places


#: Fields that hold plain text: quoting them as JSON would only invite mistakes.
_TEXT_FIELDS: Final = frozenset(
    {"kind", "preset", "base_url", "credential", "credential_env", "auth", "name", "model"}
    | {"ca_file", "ca_dir", "client_cert_file", "client_key_file", "minimum_version", "tool_choice"}
    | {"url", "username", "password", "password_env", "unix_socket"}
)


def _env_value(variable: str, path: tuple[str, ...], text: str) -> object:
    if path[-1] in _TEXT_FIELDS:
        return text
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):  # ValueError also for half characters
        form = 'JSON, for instance 0.5, true, "text" in quotes or ["a", "b"]'
        if path[-1] in _number_fields():
            form = "a number as JSON has it, for instance 0.5 or 10"
        raise ConfigError(f"{variable} must be {form}") from None


def _number_fields() -> frozenset[str]:
    """Return the fields whose annotation says that they hold a number."""
    kinds: tuple[type[attrs.AttrsInstance], ...] = (ProviderConfig, *_SETTINGS.values())
    return frozenset(
        name
        for kind in kinds
        for name, field in attrs.fields_dict(kind).items()
        if str(field.type).startswith(("int", "float"))
    )
