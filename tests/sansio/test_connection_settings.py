"""The pool, and the proxy that connections go through."""

import re
from typing import Any

import pytest

from tests.sansio.leaks import everything_in
from tokenwire.connection_settings import PoolSettings, ProxySettings, to_proxy
from tokenwire.secret import Secret

PASSWORD = "a-very-secret-password"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"max_connections": 0}, "max_connections must be at least 1, not 0"),
        ({"max_connections": 1.5}, "max_connections must be a whole number, not 1.5"),
        ({"max_idle": -1}, "max_idle must be at least 0, not -1"),
        ({"max_idle": None}, "max_idle must be a number, not NoneType"),
        ({"idle_expiry": 0}, "idle_expiry must be more than 0, not 0"),
        ({"idle_expiry": "5s"}, "idle_expiry must be a number, not str"),
    ],
)
def test_bad_pool_settings_are_refused_by_name(settings: dict[str, Any], error: str) -> None:
    """With what they take."""
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}$"):
        PoolSettings(**settings)


def test_a_pool_has_the_defaults_of_the_documentation() -> None:
    """No hidden limit on connections, and a modest one on what is kept."""
    pool = PoolSettings()
    assert (pool.max_connections, pool.max_idle, pool.idle_expiry) == (None, 100, 4.0)
    assert PoolSettings(max_connections=1, max_idle=0, idle_expiry=0.1).max_idle == 0


@pytest.mark.parametrize(
    ("url", "is_socks", "host", "port"),
    [
        ("http://proxy.example:3128", False, "proxy.example", 3128),
        ("http://proxy.example", False, "proxy.example", 80),
        ("https://proxy.example/", False, "proxy.example", 443),
        ("socks5://proxy.example", True, "proxy.example", 1080),
        ("socks5h://[::1]:9050", True, "::1", 9050),
        ("SOCKS5://proxy.example", True, "proxy.example", 1080),
    ],
)
def test_a_proxy_has_a_host_and_a_port(url: str, is_socks: bool, host: str, port: int) -> None:
    """Each way to speak to one has its usual port."""
    proxy = ProxySettings(url=url)
    assert (proxy.is_socks, proxy.host, proxy.port) == (is_socks, host, port)
    assert proxy.scheme == url.partition(":")[0].lower()
    assert proxy.login() == (b"", b"")


def test_a_proxy_may_want_a_login() -> None:
    """A name, and a password that is hidden at once."""
    proxy = ProxySettings(url="http://p.example", username="me", password=PASSWORD)
    assert proxy.password == Secret(PASSWORD)
    assert proxy.login() == (b"me", PASSWORD.encode())
    assert PASSWORD not in repr(proxy)
    assert ProxySettings(url="http://p.example", username="me").login() == (b"me", b"")


BAD_PROXIES: list[tuple[dict[str, Any], str]] = [
    ({}, "url must be a string, not NoneType"),
    ({"url": ""}, "url is empty: set it, or leave it out"),
    ({"url": "proxy.example:3128"}, "url must begin with http://, https://, socks5:// or socks5h"),
    ({"url": "ftp://proxy.example"}, "url must begin with http://, https://, socks5:// or socks5h"),
    ({"url": "http://"}, "url must begin with http://, https://, socks5:// or socks5h"),
    ({"url": "http://p.example/path"}, "url must end after host and port: a proxy has no path"),
    ({"url": "http://p.example?a"}, "url must end after host and port: a proxy has no path"),
    ({"url": "http://p.example?"}, "url must end after host and port: a proxy has no path"),
    ({"url": "http://p.example#a"}, "url must end after host and port: a proxy has no path"),
    ({"url": "http://p.example#"}, "url must end after host and port: a proxy has no path"),
    ({"url": "http://bücher.example"}, "url holds a non-ASCII character: write the host in its"),
    ({"url": f"http://me:{PASSWORD}@p.example"}, "url holds user info (user:password@): put it in"),
    ({"url": "http://p.example "}, "url holds white space or a control character: remove it"),
    ({"username": ""}, "username is empty: set it, or leave it out"),
    ({"username": 5}, "username must be a string, not int"),
    ({"username": "a\nb"}, "username holds a control character: remove it"),
    ({"username": "a\ud83d"}, "username holds a control character: remove it"),
    ({"username": "a:b"}, "username holds a colon, which HTTP proxies cannot take (RFC 7617)"),
    ({"password": PASSWORD}, "password needs the username that it belongs to"),
    ({"username": "a", "password": PASSWORD + "\n"}, "password: the key starts or ends with white"),
    ({"username": "a", "password": [PASSWORD]}, "password must be a string or a Secret, not list"),
    (
        {"url": "socks5://p.example", "username": "a" * 256},
        "username and password: SOCKS takes at most 255 bytes of each",
    ),
    (
        {"url": "socks5://p.example", "username": "é" * 128},
        "username and password: SOCKS takes at most 255 bytes of each",
    ),
    (
        {"url": "socks5h://p.example", "username": "a", "password": "a" * 256},
        "username and password: SOCKS takes at most 255 bytes of each",
    ),
]


@pytest.mark.parametrize(("settings", "error"), BAD_PROXIES)
def test_bad_proxy_settings_are_refused_by_name(settings: dict[str, Any], error: str) -> None:
    """Without showing the password, wherever it was put."""
    given: dict[str, Any] = {"url": "http://p.example" if settings else None, **settings}
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}") as caught:
        ProxySettings(**given)
    assert PASSWORD not in everything_in(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "socks5://p.example", "username": "a" * 255, "password": "b" * 255},
        {"url": "socks5://p.example", "username": "a:b"},
        {"url": "http://p.example", "username": "a" * 256},
        {"url": "http://p.example", "username": "é"},
    ],
)
def test_other_logins_are_taken(settings: dict[str, Any]) -> None:
    """What one kind of proxy cannot take, the other can."""
    assert ProxySettings(**settings).username == settings["username"]


def test_a_proxy_is_settings_a_url_or_the_environments() -> None:
    """A URL in place of the settings is read as theirs."""
    settings = ProxySettings(url="http://p.example")
    assert to_proxy("http://p.example") == to_proxy(settings) == settings
    assert (to_proxy("env"), to_proxy(None)) == ("env", None)


def test_a_bad_url_in_place_of_the_settings_is_told_as_the_proxys() -> None:
    """So that the error says where it stands."""
    with pytest.raises(ValueError, match=r"^proxy: url must begin with http://") as caught:
        to_proxy(PASSWORD)
    assert PASSWORD not in everything_in(caught.value)
