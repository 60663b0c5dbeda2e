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

Every table is one attrs class, so the names of its keys are those of the class's fields, and the
class itself checks the values. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast, final

import attrs
import msgspec

from tokenwire import _validation as check
from tokenwire.endpoint import Deadlines, Endpoint, Limits, TLSSettings
from tokenwire.provider_config import ProviderConfig
from tokenwire.secret import Secret

_T = TypeVar("_T")

#: Prefix of the environment variables that `Config.from_env` reads.
ENV_PREFIX: Final = "TOKENWIRE_PROVIDER_"


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key and never shows a secret."""


@final
@attrs.frozen(kw_only=True)
class ProviderSection:
    """All that opening a provider needs.

    Attributes:
        kind: Name of the wire format, for instance ``"openai-chat"``.
        endpoint: Where the provider is and how to reach it.
        defaults: Settings for every call; what a call sets itself wins.
    """

    kind: str = attrs.field(validator=check.text)
    endpoint: Endpoint
    defaults: ProviderConfig = attrs.field(factory=ProviderConfig)


@final
@attrs.frozen(kw_only=True)
class Config:
    """What an application loads.

    Attributes:
        provider: The section that ``tokenwire_trio.open_provider`` takes.
    """

    provider: ProviderSection

    @classmethod
    def from_toml(cls, text: str, environ: Mapping[str, str] | None = None) -> Config:
        """Read a TOML document.

        Args:
            text: The document.
            environ: Where ``credential_env`` looks up its variable, normally ``os.environ``.

        Raises:
            ConfigError: If it is no TOML, or a key is unknown, missing or has a bad value.
        """
        import tomllib  # only those who load TOML pay for it

        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"the configuration is no valid TOML: {error}") from None
        return cls.from_mapping(document, environ)

    @classmethod
    def from_mapping(
        cls, document: Mapping[str, Any], environ: Mapping[str, str] | None = None
    ) -> Config:
        """Read nested mappings of the same shape as the TOML document."""
        root = _Table("", document)
        provider = root.table("provider", required=True)
        endpoint = provider.table("endpoint", required=True)
        config = cls(
            provider=ProviderSection(
                kind=cast("str", provider.take("kind", required=True)),
                endpoint=_load_endpoint(endpoint, environ or {}),
                defaults=provider.table("defaults").build(ProviderConfig),
            )
        )
        provider.done(())
        root.done(())
        return config

    @classmethod
    def from_env(cls, environ: Mapping[str, str], prefix: str = ENV_PREFIX) -> Config:
        """Read environment variables.

        ``KIND``, ``BASE_URL``, ``CREDENTIAL`` (or ``CREDENTIAL_ENV``) and every other field of
        `Endpoint` and `ProviderConfig` under its own name in upper case; the fields of `Deadlines`,
        `Limits` and `TLSSettings` after ``DEADLINES_``, ``LIMITS_`` and ``TLS_``. Fields that are
        no strings are read as JSON. An empty variable counts as unset.

        Args:
            environ: The variables, normally ``os.environ``.
            prefix: What their names begin with.

        Raises:
            ConfigError: If a variable is unknown, missing or has a bad value.
        """
        return cls.from_mapping(_document_from_env(environ, prefix), environ)


def _load_endpoint(table: _Table, environ: Mapping[str, str]) -> Endpoint:
    given: dict[str, Any] = {
        name: table.table(name).build(kind)
        for name, kind in (("deadlines", Deadlines), ("limits", Limits), ("tls", TLSSettings))
    }
    variable = table.take("credential_env")
    if variable is not None:
        given["credential"] = _credential_from_env(table, variable, environ)
    return table.build(Endpoint, **given)


def _credential_from_env(table: _Table, variable: object, environ: Mapping[str, str]) -> Secret:
    where = table.path("credential_env")
    if "credential" in table.values:
        raise ConfigError(f"{where}: give credential or credential_env, not both")
    if not isinstance(variable, str):
        raise ConfigError(f"{where} must be the name of an environment variable")
    value = environ.get(variable)
    if not value:
        raise ConfigError(f"{where}: the environment variable {variable!r} is not set")
    try:
        return Secret(value)
    except ValueError as error:
        raise ConfigError(f"{where}: {variable}: {error}") from None


class _Table:
    """One table of the document, from which known keys are taken until none may be left."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.values = dict(values)
        self._known: set[str] = set()

    def path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def take(self, key: str, *, required: bool = False) -> object:
        self._known.add(key)
        if required and key not in self.values:
            # A misspelt key is told as such, not as a missing one.
            self.done((key,))
            raise ConfigError(f"{self.path(key)} is missing")
        return self.values.pop(key, None)

    def table(self, key: str, *, required: bool = False) -> _Table:
        value = self.take(key, required=required)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{self.path(key)} must be a table")
        return _Table(self.path(key), cast("Mapping[str, Any]", value))

    def done(self, known: tuple[str, ...]) -> None:
        """Refuse what is neither taken nor known."""
        known_keys = self._known | set(known)
        for key in self.values:
            if key not in known_keys:
                hint = check.nearest(key, known_keys)
                raise ConfigError(f"unknown key {self.path(key)!r}{hint}")

    def build(self, kind: Callable[..., _T], **given: object) -> _T:
        """Make the attrs class that this table describes."""
        fields = attrs.fields_dict(cast("type[attrs.AttrsInstance]", kind))
        self.done(tuple(fields))
        required = (name for name, field in fields.items() if field.default is attrs.NOTHING)
        for name in required:
            if name not in self.values:
                raise ConfigError(f"{self.path(name)} is missing")
        try:
            return kind(**self.values, **given)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self.name}: {error}") from None


def _document_from_env(environ: Mapping[str, str], prefix: str) -> dict[str, Any]:
    provider: dict[str, Any] = {}
    places = _env_places()
    for variable, text in environ.items():
        name = variable.removeprefix(prefix)
        if name == variable or not text:
            continue
        path = places.get(name)
        if path is None:
            raise ConfigError(
                f"unknown environment variable {variable!r}{check.nearest(name, places)}"
            )
        table = provider
        for step in path[:-1]:
            table = table.setdefault(step, {})
        table[path[-1]] = _env_value(variable, path, text)
    if not provider:
        raise ConfigError(f"no environment variable begins with {prefix!r}")
    return {"provider": provider}


def _env_places() -> dict[str, tuple[str, ...]]:
    """Map the name of each variable, without its prefix, to its place in the document."""
    places: dict[str, tuple[str, ...]] = {
        "KIND": ("kind",),
        "CREDENTIAL_ENV": ("endpoint", "credential_env"),
    }
    tables: tuple[tuple[type[attrs.AttrsInstance], str, tuple[str, ...]], ...] = (
        (ProviderConfig, "", ("defaults",)),
        (Endpoint, "", ("endpoint",)),
        (Deadlines, "DEADLINES_", ("endpoint", "deadlines")),
        (Limits, "LIMITS_", ("endpoint", "limits")),
        (TLSSettings, "TLS_", ("endpoint", "tls")),
    )
    for kind, prefix, path in tables:
        for name in attrs.fields_dict(kind):
            places[prefix + name.upper()] = (*path, name)
    return places


#: Fields that hold plain text: quoting them as JSON would only invite mistakes.
_TEXT_FIELDS: Final = frozenset(
    {"kind", "base_url", "credential", "credential_env", "auth", "name", "model", "ca_file"}
    | {"ca_dir", "client_cert_file", "client_key_file", "minimum_version", "tool_choice"}
)


def _env_value(variable: str, path: tuple[str, ...], text: str) -> object:
    if path[-1] in _TEXT_FIELDS:
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigError(
            f'{variable} must be JSON, for instance 0.5, true or ["a", "b"]'
        ) from None
