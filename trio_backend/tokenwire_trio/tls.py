"""The TLS contexts of a provider, made from its settings: for the server, and for a proxy."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from tokenwire.config import ConfigError
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import TLSSettings

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

#: Early releases of Python 3.11 set it by themselves, and an end that anybody can forge (RFC 8446,
#: section 6.1) passed for the server's own. An OpenSSL without it ignores no cuts.
_IGNORES_CUTS: Final[int] = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)

#: A file by what changes with its content: path, inode, size, time of the last change.
_Stamp: TypeAlias = tuple[str, int, int, int]


def build_context(settings: TLSSettings) -> ssl.SSLContext:
    """Return a context that checks certificates and host names.

    Reading the system's trust store takes some ten milliseconds, so providers with the same
    settings share one while the files behind it stay as they are. One that holds a private key is
    not shared, and goes with its provider.

    Raises:
        ConfigError: If a file is missing or does not hold what it should; names the setting and
            the path.
    """
    if settings.ssl_context is not None:
        return _ready_context("tls.ssl_context", settings.ssl_context)
    _check_paths(settings)
    if settings.client_cert_file:
        context = _new_context(settings)
        _load_client_certificate(context, settings)
        return context
    return _shared_context(settings, _trust_stamps(settings))


def build_proxy_context(proxy: ProxySettings, settings: TLSSettings) -> ssl.SSLContext:
    """Make the context for TLS to a proxy itself, which must not learn who the server's client is.

    Args:
        proxy: May have a context of its own.
        settings: The server's. Who issues certificates that are trusted there may issue the
            proxy's, but neither its client certificate nor its ready context, which may hold one,
            is used.

    Raises:
        ConfigError: See `build_context`.
    """
    if proxy.ssl_context is not None:
        return _ready_context("proxy.ssl_context", proxy.ssl_context)
    return build_context(
        attrs.evolve(settings, client_cert_file=None, client_key_file=None, ssl_context=None)
    )


def _ready_context(setting: str, context: object) -> ssl.SSLContext:
    if not isinstance(context, ssl.SSLContext):
        raise ConfigError(f"{setting} must be an ssl.SSLContext, not {type(context).__name__}")
    return context


def _check_paths(settings: TLSSettings) -> None:
    # OpenSSL itself ignores a missing directory, and its errors name no path.
    for name in ("ca_file", "client_cert_file", "client_key_file"):
        path: str | None = getattr(settings, name)
        if path and not Path(path).is_file():
            raise ConfigError(f"tls.{name}: there is no file {path!r}")
    if settings.ca_dir and not Path(settings.ca_dir).is_dir():
        raise ConfigError(f"tls.ca_dir: there is no directory {settings.ca_dir!r}")


@lru_cache(maxsize=16)
def _shared_context(settings: TLSSettings, _: tuple[_Stamp, ...]) -> ssl.SSLContext:
    return _new_context(settings)


def _trust_stamps(settings: TLSSettings) -> tuple[_Stamp, ...]:
    """Return what changes when other certificates are to be trusted."""
    system = ssl.get_default_verify_paths()
    paths = (settings.ca_file, settings.ca_dir, system.cafile, system.capath)
    return tuple(_stamp(path) for path in paths if path)


def _stamp(path: str) -> _Stamp:
    try:
        status = Path(path).stat()
    except OSError:
        return path, 0, 0, 0
    return path, status.st_ino, status.st_size, status.st_mtime_ns


def _new_context(settings: TLSSettings) -> ssl.SSLContext:
    context = _trusting_context(settings)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    context.set_alpn_protocols(["http/1.1"])
    context.options &= ~_IGNORES_CUTS
    return context


def _trusting_context(settings: TLSSettings) -> ssl.SSLContext:
    context = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if settings.replace_system_cas
        else ssl.create_default_context()
    )
    if not (settings.ca_file or settings.ca_dir):
        return context
    try:
        context.load_verify_locations(settings.ca_file, settings.ca_dir)
    except OSError as error:  # ssl.SSLError is one
        reason = _reason(error)
    else:
        return context
    raise ConfigError(
        f"tls.ca_file: {settings.ca_file!r} holds no readable certificate in PEM form ({reason})"
    )


def _load_client_certificate(context: ssl.SSLContext, settings: TLSSettings) -> None:
    certificate, key = settings.client_cert_file or "", settings.client_key_file
    try:
        # Without a password OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        reason = _reason(error)
    else:
        return
    raise ConfigError(
        f"tls.client_cert_file: {certificate!r} with the key in {key or certificate!r} cannot be"
        f" used ({reason}): they must be PEM files, belong together, and the key must not be"
        " encrypted (decrypt it, or pass an ssl_context of your own)"
    )


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM data").replace("_", " ").lower()
    return (error.strerror or type(error).__name__).lower()
