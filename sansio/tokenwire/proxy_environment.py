"""The proxy that environment variables name for a URL, as curl and others understand them.

There is no standard for them, so this takes what the common programs have in common. It is done
only where `Endpoint.proxy` asks for it: a variable of somebody else's making should not decide on
its own who sees the traffic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from tokenwire.connection_settings import ProxySettings
from tokenwire.loopback import is_loopback

_SEPARATOR: Final = re.compile(r"[\s,]+")


def proxy_from_environ(url: str, environ: Mapping[str, str]) -> ProxySettings | None:
    """Find the proxy for a URL.

    ``https_proxy`` or ``http_proxy``, by the URL's scheme, else ``all_proxy``; in lower case or,
    where that is not set, in upper case. A proxy without scheme speaks HTTP. This machine itself
    (see `is_loopback`) is never reached through a proxy, nor is a host in ``no_proxy``: a list of
    host names, each of which also means the names below it, of IP addresses and networks
    (``10.0.0.0/8``), each with ``:port`` or without, or ``*`` for all hosts.

    Args:
        url: Where to go.
        environ: The variables, normally ``os.environ``.

    Returns:
        None if no proxy is to be used.

    Raises:
        ValueError: If the variable's value is no proxy; names the variable and does not show it.
    """
    target = urlsplit(url)
    variable = _variable(target.scheme, environ)
    if variable is None or is_loopback(target.hostname or "") or _excluded(target, environ):
        return None
    try:
        return _read(environ[variable])
    except ValueError as error:
        reason = str(error)
    raise ValueError(f"the environment variable {variable}: {reason}")


def _variable(scheme: str, environ: Mapping[str, str]) -> str | None:
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environ:
        # In a CGI program HTTP_PROXY is the "Proxy" header of whoever sent the request (httpoxy,
        # CVE-2016-5385).
        names = [name for name in names if name != "HTTP_PROXY"]
    return next((name for name in names if environ.get(name)), None)


def _read(value: str) -> ProxySettings:
    url = value if "://" in value else f"http://{value}"
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user_info, at, address = authority.rpartition("@")
    username, _, password = user_info.partition(":")
    return ProxySettings(
        url=f"{scheme.lower()}://{address}{slash}{path}",
        username=unquote(username) if at else None,
        password=unquote(password) or None,
    )


def _excluded(target: SplitResult, environ: Mapping[str, str]) -> bool:
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    host = (target.hostname or "").rstrip(".")
    port = target.port or (443 if target.scheme == "https" else 80)
    return any(_matches(entry.lower(), host, port) for entry in _SEPARATOR.split(listed) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    pattern, only_port = _split_port(entry)
    if only_port not in (None, port):
        return False
    name = pattern.removeprefix("*").strip(".")
    return host == name or host.endswith(f".{name}") or _in_network(host, pattern)


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split ``host:port``; an IPv6 address is one without port unless it stands in brackets."""
    match = re.fullmatch(r"(?:\[(.*)\]|([^:]*))(?::(\d+))?", entry)
    if match is None:
        return entry, None
    return match[1] or match[2] or "", int(match[3]) if match[3] else None


def _in_network(host: str, pattern: str) -> bool:
    import ipaddress  # only those who use the environment pay for it

    with suppress(ValueError):  # one of the two is a name
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
    return False
