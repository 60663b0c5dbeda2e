"""Where and how to reach a provider: address, credential, deadlines, limits, TLS, proxy, quirks.

Nothing here has a provider's address or key as its default: those are configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, final
from urllib.parse import urlsplit

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire._urls import split_url
from tokenwire.connection_settings import PoolSettings, ProxySettings, to_proxy
from tokenwire.loopback import is_loopback
from tokenwire.secret import (
    KEY_PART_LENGTH,
    CredentialSource,
    Scrubber,
    Secret,
    names_credential,
)

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_UNSAFE_IN_VALUE: Final = re.compile(r"[^\t\x20-\x7e]")

#: Headers that say where a request ends or who speaks next: the transport alone knows that.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "upgrade", "expect"})

#: Half a character: no UTF-8. Compiled where it is used, as that takes half a millisecond.
_SURROGATE: Final = r"[\ud800-\udfff]"

MiB: Final = 1024 * 1024


def _seconds() -> Any:
    return field(default=None, validator=check.number(above=0))


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class Deadlines:
    """How long each part of a call may take, in seconds; None sets no deadline.

    They are absolute spans, not pauses between reads, and a `NetworkError` names the one that ran
    out. Prefer `trio.fail_after` for a deadline of your own: these are the ones that only the
    library can keep.

    Attributes:
        pool: Waiting for a connection where `PoolSettings.max_connections` are open.
        connect: From the start of connecting (not of waiting in a queue) to a usable connection:
            name look-up, TCP, proxy and TLS together.
        send: Writing the request.
        first_byte: From the request's last byte to the response head.
        first_token: From the request's last byte to the first token.
        gap: Between two tokens. Comments, pings and other keep-alives do not count as tokens.
        total: The whole call, from its start to the end of the answer, the time in which the
            caller handles tokens included.
    """

    pool: float | None = _seconds()
    connect: float | None = _seconds()
    send: float | None = _seconds()
    first_byte: float | None = _seconds()
    first_token: float | None = _seconds()
    gap: float | None = _seconds()
    total: float | None = _seconds()


def _bound(default: int, *, at_most: int | None = None) -> Any:
    # None is refused like everything that is no number: an unlimited peer is no option.
    return field(default=default, validator=check.integer(at_least=1, at_most=at_most))


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class Limits:
    """How much a peer may send before it is cut off with ``MalformedResponseError("limit")``.

    The event-stream specification sets no limits, and neither do the official clients, so an
    endless line is an endless buffer there. Each bound is far above what providers send.

    Attributes:
        head_bytes: Response head. h11 uses 16 KiB by default, nginx and Apache refuse request heads
            past 8 to 32 KiB; some gateways add long tracing headers.
        line_bytes: One line of an event stream or NDJSON body. Whole images arrive in one line.
        event_bytes: One event, all its lines joined. 16 MiB is also a common WebSocket bound.
        document_bytes: A whole answer sent as one JSON document instead of a stream.
        error_body_bytes: Body of an HTTP error; what follows is not read. Providers' own are under
            10 KiB, HTML pages of proxies under 100 KiB.
        silent_bytes: Bytes in a row that bring no token: comments, pings, empty chunks.
        answer_bytes: What is kept of one answer for `TokenStream.partial`: texts, tool calls, log
            probabilities. Text that is not ASCII counts four bytes a character, as Python may
            need for it.
        json_depth: Nesting of JSON that has to be walked. Answers nest about ten deep, and half of
            Python's own bound on recursion is the most.
        json_values: Values in one JSON text: decoded, each takes up to a hundred bytes, however
            short it was. Only log probabilities come in thousands.
        tool_calls: Tool calls of one choice.
        choices: Alternative answers in one stream.
    """

    head_bytes: int = _bound(64 * 1024)
    line_bytes: int = _bound(4 * MiB)
    event_bytes: int = _bound(16 * MiB)
    document_bytes: int = _bound(16 * MiB)
    error_body_bytes: int = _bound(256 * 1024)
    silent_bytes: int = _bound(16 * MiB)
    answer_bytes: int = _bound(64 * MiB)
    json_depth: int = _bound(128, at_most=500)
    json_values: int = _bound(100_000)
    tool_calls: int = _bound(1024)
    choices: int = _bound(128)


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class TLSSettings:
    """How to check the server's certificate; the system's trust store is the default.

    Attributes:
        ca_file: PEM file with certificate authorities to trust.
        ca_dir: Directory of such files, named by their hashes as ``openssl rehash`` does.
        replace_system_cas: Trust only `ca_file` and `ca_dir`, not the system's store as well.
        client_cert_file: PEM file with the client's certificate chain, for servers that demand one.
        client_key_file: Its private key, where that is in a file of its own.
        minimum_version: Oldest protocol version to accept: ``"1.2"`` or ``"1.3"``.
        ssl_context: A ready ``ssl.SSLContext`` to use as it is instead of all the others.
    """

    ca_file: str | None = field(default=None, validator=check.text)
    ca_dir: str | None = field(default=None, validator=check.text)
    replace_system_cas: bool = field(default=False, validator=check.boolean)
    client_cert_file: str | None = field(default=None, validator=check.text)
    client_key_file: str | None = field(default=None, validator=check.text)
    minimum_version: str = field(default="1.2", validator=check.one_of("1.2", "1.3"))
    # The core must not import ssl: the transport checks the type.
    ssl_context: object | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.replace_system_cas and not (self.ca_file or self.ca_dir):
            raise ValueError("replace_system_cas needs a ca_file or ca_dir to trust instead")
        if self.client_key_file and not self.client_cert_file:
            raise ValueError("client_key_file needs the client_cert_file that it belongs to")


def _check_header_name(where: str, name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{where}: {name!r:.100} is no valid header name")
    if name.lower() in _FRAMING:
        raise ValueError(f"{where}: {name!r} frames the request, which only the transport does")


def _check_auth_header(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    check.string(instance, attribute, value)
    if value:
        _check_header_name("header", value)


def _check_auth_prefix(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    check.string(instance, attribute, value)
    if _UNSAFE_IN_VALUE.search(value):
        raise ValueError("prefix must be printable ASCII")


@final
@attrs.frozen
class AuthStyle:
    """How a credential is sent: in which header, after which word.

    Attributes:
        header: Name of the header, in any case; empty sends no credential.
        prefix: What stands before the key, for instance ``"Bearer "``.
    """

    header: str = field(validator=_check_auth_header)
    prefix: str = field(default="", validator=_check_auth_prefix)

    @classmethod
    def parse(cls, text: str) -> AuthStyle:
        """Read ``"bearer"``, ``"none"`` or ``"header:NAME"``, as configuration files spell it."""
        match text.partition(":"):
            case ("bearer", "", ""):
                return BEARER
            case ("none", "", ""):
                return cls("")
            case ("header", ":", name) if _TOKEN.fullmatch(name):
                return cls(name)
            case _:
                raise ValueError('auth must be "bearer", "none" or "header:NAME"')


BEARER: Final = AuthStyle("authorization", "Bearer ")


def _to_auth(value: AuthStyle | str | None) -> AuthStyle | None:
    return AuthStyle.parse(value) if isinstance(value, str) else value


def _to_credential(
    value: Secret | CredentialSource | str | None,
) -> Secret | CredentialSource | None:
    try:
        return Secret(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"credential: {error}") from None


def _check_credential(_: Any, __: Any, value: Any) -> None:
    if not (value is None or isinstance(value, Secret) or callable(value)):
        raise TypeError(
            "credential must be the key or an async callable that returns a Secret, not"
            f" {type(value).__name__}"
        )


def _kind_of_credential(value: object) -> str:
    """Show no callable: the `repr` of a partial or a bound method may hold the key."""
    return repr(value) if value is None or isinstance(value, Secret) else "<callable>"


def _to_base_url(value: Any) -> Any:
    return value.rstrip("/") if isinstance(value, str) else value


def _check_base_url(instance: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    check.text(instance, attribute, value)
    parts = split_url("base_url", value, instead_of_user_info="put the key in `credential`")
    if parts.scheme in ("ws", "wss"):
        http = parts.scheme.replace("ws", "http")
        raise ValueError(
            f"base_url: for a WebSocket, too, write {http}:// in place of {parts.scheme}://"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "base_url must begin with https:// or http:// and a host, for instance"
            ' "https://host.example/v1"'
        )
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise ValueError("base_url holds a query or fragment: put parameters in `query`")
    if not value.isascii():
        raise ValueError(
            "base_url holds a non-ASCII character: write the host in its xn-- form and"
            " percent-encode the path"
        )


def _check_headers(
    instance: Any, attribute: attrs.Attribute[Any], headers: Mapping[str, Any]
) -> None:
    check.mapping(instance, attribute, headers)
    for name, value in headers.items():
        _check_header_name("headers", name)
        text = value.reveal() if isinstance(value, Secret) else value
        if not isinstance(text, str) or _UNSAFE_IN_VALUE.search(text):
            raise ValueError(f"headers: the value of {name!r:.100} must be printable ASCII text")


def _check_query(instance: Any, attribute: attrs.Attribute[Any], query: Mapping[str, Any]) -> None:
    check.mapping(instance, attribute, query)
    for name, value in query.items():
        text = value.reveal() if isinstance(value, Secret) else value
        if not isinstance(text, str) or re.search(_SURROGATE, name + text):
            raise ValueError(f"query: the value of {name!r:.100} must be Unicode text")


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class Endpoint:
    """One provider's address and everything that belongs to reaching it.

    Attributes:
        base_url: Where the API begins, for instance ``"https://host.example/v1"``. Slashes at its
            end do not matter, and ``/v1`` is never added or removed.
        credential: The key, or an async callable that is asked for one at each attempt.
        auth: How the credential is sent; None leaves that to the wire format. A string is read by
            `AuthStyle.parse`.
        name: What errors call this provider; the wire format's name where it is empty.
        headers: Extra request headers, which go before the library's own; values may be `Secret`.
            Those that frame a request (``content-length`` and the like) are refused.
        query: Extra query parameters; values may be `Secret`.
        deadlines: How long things may take.
        limits: How much a peer may send.
        tls: How certificates are checked.
        pool: How many connections are opened and kept.
        proxy: What to connect through: `ProxySettings`, or just the proxy's URL; ``"env"`` leaves
            it to the environment's variables (see `proxy_from_environ`). None is no proxy.
        unix_socket: Path of a Unix socket to connect to, in place of the URL's host and port.
        allow_plaintext: Send secrets over ``http://`` to other machines too, for everybody in
            between to read. Without it that takes a host that is this machine (see `is_loopback`)
            or a Unix socket.
        quirks: Departures of this server from the wire format's reference, by the names that the
            wire format documents.

    Raises:
        ValueError: If a value could not be sent, the URL holds a credential, or a secret would
            travel unencrypted. The message never shows a key.
    """

    base_url: str = field(converter=_to_base_url, validator=_check_base_url)
    credential: Secret | CredentialSource | None = field(
        default=None,
        converter=_to_credential,
        validator=_check_credential,
        repr=_kind_of_credential,
    )
    auth: AuthStyle | None = field(
        default=None,
        converter=_to_auth,
        validator=check.instance_of(AuthStyle, "a string or an AuthStyle"),
    )
    name: str = field(default="", validator=check.string)
    headers: Mapping[str, str | Secret] = field(
        factory=check.empty,
        converter=check.frozen_mapping,
        validator=_check_headers,
        repr=check.names_only,
        hash=False,
    )
    query: Mapping[str, str | Secret] = field(
        factory=check.empty,
        converter=check.frozen_mapping,
        validator=_check_query,
        repr=check.names_only,
        hash=False,
    )
    deadlines: Deadlines = field(
        factory=Deadlines, validator=check.instance_of(Deadlines, "Deadlines")
    )
    limits: Limits = field(factory=Limits, validator=check.instance_of(Limits, "Limits"))
    tls: TLSSettings = field(
        factory=TLSSettings, validator=check.instance_of(TLSSettings, "TLSSettings")
    )
    pool: PoolSettings = field(
        factory=PoolSettings, validator=check.instance_of(PoolSettings, "PoolSettings")
    )
    proxy: ProxySettings | str | None = field(
        default=None,
        converter=to_proxy,
        validator=check.instance_of(ProxySettings | str, 'ProxySettings, a URL or "env"'),
    )
    unix_socket: str | None = field(default=None, validator=check.text)
    allow_plaintext: bool = field(default=False, validator=check.boolean)
    quirks: Mapping[str, Any] = field(
        factory=check.empty,
        converter=check.frozen_mapping,
        validator=check.mapping,
        hash=False,
    )

    def __attrs_post_init__(self) -> None:
        if self.unix_socket and self.proxy:
            raise ValueError("unix_socket leads to this machine: take the proxy out")
        if self._would_expose_secrets() and not self.allow_plaintext:
            raise ValueError(
                "allow_plaintext is not set, so no credential, nor a header or query parameter"
                " named like one, is sent over http:// to another machine: write https:// in"
                " base_url, or set allow_plaintext if you trust everybody on the way"
            )

    def _would_expose_secrets(self) -> bool:
        """Whether a secret would cross a network unencrypted."""
        target = urlsplit(self.base_url)
        if target.scheme == "https" or self.unix_socket:
            return False
        if self.credential is None and not self._secrets():
            return False
        # Where the environment names the proxy, it names none for this machine.
        hosts = [self.proxy.host] if isinstance(self.proxy, ProxySettings) else []
        hosts.append(target.hostname or "")
        return not all(map(is_loopback, hosts))

    def scrubber(self) -> Scrubber:
        """Return what removes this endpoint's secrets from server text.

        Secrets are also the plain values of headers and parameters that are named like one:
        configuration files have no other way to write ``api-key``.
        """
        return self._scrubber

    @cached_property
    def _scrubber(self) -> Scrubber:
        secrets = self._secrets()
        if isinstance(self.credential, Secret):
            secrets.append(self.credential.reveal())
        if isinstance(self.proxy, ProxySettings) and self.proxy.password:
            secrets.append(self.proxy.password.reveal())
        return Scrubber(secrets)

    def _secrets(self) -> list[str]:
        """Return the secrets in headers and parameters."""
        secrets: list[str] = []
        for name, value in (*self.headers.items(), *self.query.items()):
            if isinstance(value, Secret):
                secrets.append(value.reveal())
            elif names_credential(name):
                secrets += _secret_words(value)
        return secrets


def _secret_words(value: str) -> list[str]:
    """Return the words that are secret in ``Bearer KEY`` or ``name=KEY; name=KEY``."""
    words = value.split()
    return [word for word in words if len(word) >= KEY_PART_LENGTH] or words[-1:]
