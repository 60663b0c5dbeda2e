"""How connections are made and kept: the pool, and the proxy that they go through."""

from __future__ import annotations

import re
from typing import Any, Final, final
from urllib.parse import urlsplit

import attrs
from attrs import field

from tokenwire import _validation as check
from tokenwire._urls import split_url
from tokenwire.secret import Secret


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class PoolSettings:
    """How many connections a provider opens, and how long it keeps those that nobody uses.

    Attributes:
        max_connections: Most connections at a time; calls beyond wait in line, first come, first
            served, for as long as `Deadlines.pool` says. None is no limit: a hidden one makes calls
            wait without anybody knowing why.
        max_idle: Most connections to keep when their answer is complete; 0 keeps none, so that each
            call opens its own. 100 is also what OpenAI's own Python client keeps.
        idle_expiry: Seconds for which to keep an idle connection. Servers close theirs as well:
            llama.cpp (which also ends each after 100 requests), uvicorn and Node.js after 5 s,
            nginx after 75. A request that crosses with such an end is lost, and may not be repeated
            unasked, so the default stays below the shortest. Raise it for a server that waits
            longer.
    """

    max_connections: int | None = field(default=None, validator=check.integer(at_least=1))
    max_idle: int = field(default=100, validator=check.integer(at_least=0))
    idle_expiry: float = field(default=4.0, validator=check.number(above=0))


#: Ways to speak to a proxy, with the ports that are meant where a URL has none: those of HTTP, and
#: the one registered for SOCKS.
PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

#: Compiled where it is used, as that takes half a millisecond.
_CONTROL: Final = r"[\x00-\x1f\x7f\ud800-\udfff]"

#: RFC 1929 section 2 gives their lengths one byte.
_MAX_SOCKS_BYTES: Final = 255


def _check_proxy_url(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    check.text(instance, attribute, value)
    parts = split_url("url", value, instead_of_user_info="put it in `username` and `password`")
    if parts.scheme not in PROXY_PORTS or not parts.hostname:
        raise ValueError(
            "url must begin with http://, https://, socks5:// or socks5h:// and a host, for"
            ' instance "http://proxy.example:3128"'
        )
    if parts.path not in ("", "/") or "?" in value or "#" in value:
        raise ValueError("url must end after host and port: a proxy has no path")
    if not value.isascii():
        raise ValueError("url holds a non-ASCII character: write the host in its xn-- form")


def _check_username(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    check.text(instance, attribute, value)
    if value is not None and re.search(_CONTROL, value):
        raise ValueError("username holds a control character: remove it")


def _to_password(value: Secret | str | None) -> Secret | None:
    try:
        return Secret(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"password: {error}") from None


@final
@check.names_nearest_field
@attrs.frozen(kw_only=True)
class ProxySettings:
    """A proxy to reach the server through.

    An HTTP proxy is asked to ``CONNECT``, for ``http://`` servers too, so that it sees neither
    requests nor keys of an ``https://`` server. User name and password go to the proxy only, and
    the client certificate of `Endpoint.tls` to the server only.

    Attributes:
        url: Scheme, host and port. ``http`` and ``https`` (TLS to the proxy itself) are for HTTP
            proxies, ``socks5`` and ``socks5h`` for SOCKS, which takes the extra
            ``tokenwire[socks]``: with ``socks5h`` the proxy looks up the server's name, with
            ``socks5`` this machine does.
        ssl_context: A ready ``ssl.SSLContext`` for TLS to the proxy itself. Without it, whom
            `Endpoint.tls` trusts is trusted there too (where that is a ready context itself, the
            system's trust store is), and no client certificate is shown.
        username: Whom to log in as, where the proxy wants that.
        password: The password that goes with it.
    """

    url: str = field(validator=_check_proxy_url)
    username: str | None = field(default=None, repr=False, validator=_check_username)
    password: Secret | None = field(
        default=None,
        converter=_to_password,
        validator=check.instance_of(Secret, "a string or a Secret"),
    )
    # The core must not import ssl: the transport checks the type.
    ssl_context: object | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.password is not None and self.username is None:
            raise ValueError("password needs the username that it belongs to")
        if self.username is None:
            return
        if not self.is_socks and ":" in self.username:
            raise ValueError("username holds a colon, which HTTP proxies cannot take (RFC 7617)")
        if self.is_socks and max(map(len, self.login())) > _MAX_SOCKS_BYTES:
            raise ValueError("username and password: SOCKS takes at most 255 bytes of each")

    @property
    def scheme(self) -> str:
        """The scheme of its URL, in lower case: one of `PROXY_PORTS`."""
        return urlsplit(self.url).scheme

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, not HTTP."""
        return self.scheme.startswith("socks")

    @property
    def host(self) -> str:
        """Its host, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        return urlsplit(self.url).port or PROXY_PORTS[self.scheme]

    def login(self) -> tuple[bytes, bytes]:
        """Return user name and password as they are sent, empty where they are not set."""
        password = "" if self.password is None else self.password.reveal()
        return (self.username or "").encode(), password.encode()


#: The value of `Endpoint.proxy` that stands for the environment's variables.
FROM_ENVIRONMENT: Final = "env"


def to_proxy(value: ProxySettings | str | None) -> ProxySettings | str | None:
    """Read a proxy's URL where one stands in place of the settings."""
    if not isinstance(value, str) or value == FROM_ENVIRONMENT:
        return value
    try:
        return ProxySettings(url=value)
    except ValueError as error:
        raise ValueError(f"proxy: {error}") from None
