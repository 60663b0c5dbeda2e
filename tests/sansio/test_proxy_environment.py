"""The proxy that environment variables name."""

import re

import pytest

from tests.sansio.leaks import everything_in
from tokenwire.connection_settings import ProxySettings
from tokenwire.proxy_environment import proxy_from_environ
from tokenwire.secret import Secret

PASSWORD = "a-very-secret-password"
URL = "https://host.example/v1"


def proxy_of(url: str, **environ: str) -> str | None:
    """Return the URL of the proxy, None where there is none."""
    proxy = proxy_from_environ(url, environ)
    return None if proxy is None else proxy.url


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        (URL, {}, None),
        (URL, {"https_proxy": "http://a.example"}, "http://a.example"),
        (URL, {"HTTPS_PROXY": "http://a.example"}, "http://a.example"),
        (URL, {"http_proxy": "http://a.example"}, None),
        (URL, {"all_proxy": "socks5://a.example"}, "socks5://a.example"),
        (URL, {"ALL_PROXY": "socks5://a.example"}, "socks5://a.example"),
        (URL, {"https_proxy": ""}, None),
        ("http://h.example", {"http_proxy": "http://a.example"}, "http://a.example"),
        ("http://h.example", {"HTTP_PROXY": "http://a.example"}, "http://a.example"),
        ("http://h.example", {"https_proxy": "http://a.example"}, None),
    ],
)
def test_the_scheme_chooses_the_variable(
    url: str, environ: dict[str, str], proxy: str | None
) -> None:
    """One for each scheme, and one for all."""
    assert proxy_of(url, **environ) == proxy


def test_variables_have_an_order() -> None:
    """The scheme's own first, lower case before upper case."""
    environ = {
        "https_proxy": "http://a.example",
        "HTTPS_PROXY": "http://b.example",
        "all_proxy": "http://c.example",
        "ALL_PROXY": "http://d.example",
    }
    found: list[str | None] = []
    for name in ("", *environ):
        environ |= {name: ""}
        found.append(proxy_of(URL, **environ))
    assert found == [*(f"http://{letter}.example" for letter in "abcd"), None]


def test_a_cgi_program_does_not_believe_the_request() -> None:
    """Whoever asks could name a proxy in a header there."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil.example"}
    assert proxy_of("http://h.example", **environ) is None
    assert proxy_of("http://h.example", **environ, http_proxy="http://a.example") is not None


@pytest.mark.parametrize(
    ("value", "settings"),
    [
        ("a.example:3128", ProxySettings(url="http://a.example:3128")),
        ("HTTP://a.example/", ProxySettings(url="http://a.example/")),
        ("socks5h://a.example", ProxySettings(url="socks5h://a.example")),
        ("http://me@a.example", ProxySettings(url="http://a.example", username="me")),
        (
            f"http://me:{PASSWORD}@a.example:80",
            ProxySettings(url="http://a.example:80", username="me", password=Secret(PASSWORD)),
        ),
        (
            "http://m%40e:a%2Fb%3A@a.example",
            ProxySettings(url="http://a.example", username="m@e", password=Secret("a/b:")),
        ),
    ],
)
def test_a_value_is_read(value: str, settings: ProxySettings) -> None:
    """With or without scheme, and with a login in its usual place."""
    assert proxy_from_environ(URL, {"https_proxy": value}) == settings


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("ftp://a.example", "url must begin with http://"),
        (f"http://:{PASSWORD}@a.example", "username is empty"),
        (f"http://me:{PASSWORD}%0A@a.example", "password: the key starts or ends with"),
        (f"http://me:{PASSWORD}@a.example:x", "url is no valid URL"),
        ("http://a.example/path", "url must end after host and port"),
    ],
)
def test_a_bad_value_is_told_by_its_variable(value: str, error: str) -> None:
    """And not shown."""
    message = f"the environment variable HTTPS_PROXY: {error}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        proxy_from_environ(URL, {"HTTPS_PROXY": value})
    assert PASSWORD not in everything_in(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080", "http://127.0.0.1/v1", "http://[::1]:80", "https://a.localhost"],
)
def test_this_machine_needs_no_proxy(url: str) -> None:
    """Nobody else could reach it."""
    assert proxy_of(url, all_proxy="http://a.example") is None


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        (URL, "*"),
        (URL, "host.example"),
        (URL, "HOST.example"),
        (URL, ".host.example"),
        (URL, "example"),
        (URL, ".example"),
        (URL, "*.example"),
        (URL, "host.example."),
        (URL, "a.example,host.example"),
        (URL, "a.example , host.example"),
        (URL, "a.example host.example"),
        (URL, ",,host.example,"),
        (URL, "host.example:443"),
        ("http://host.example", "host.example:80"),
        ("https://host.example:8443", "host.example:8443"),
        ("https://host.example./v1", "host.example"),
        ("https://10.1.2.3", "10.1.2.3"),
        ("https://10.1.2.3", "10.0.0.0/8"),
        ("https://10.1.2.3", "10.0.0.1/8"),
        ("https://10.1.2.3:8443", "10.1.2.3:8443"),
        ("https://[2001:db8::1]", "2001:db8::1"),
        ("https://[2001:db8::1]", "[2001:db8::1]"),
        ("https://[2001:db8::1]", "[2001:DB8::1]:443"),
        ("https://[2001:db8::1]", "2001:db8::/32"),
    ],
)
def test_hosts_may_be_excluded(url: str, no_proxy: str) -> None:
    """By name, by what is above it, by address and network, with port or without."""
    assert proxy_of(url, https_proxy="a.example", http_proxy="a.example", no_proxy=no_proxy) is None
    assert proxy_of(url, https_proxy="a.example", http_proxy="a.example", NO_PROXY=no_proxy) is None


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        (URL, ""),
        (URL, "other.example"),
        (URL, "ost.example"),
        (URL, "host.example.org"),
        (URL, "host"),
        (URL, "host.example:80"),
        (URL, ":443"),
        (URL, "."),
        ("https://10.1.2.3", "10.1.2.4"),
        ("https://10.1.2.3", "11.0.0.0/8"),
        ("https://10.1.2.3", "2001:db8::/32"),
        ("https://[2001:db8::1]", "[2001:db8::1]:80"),
        ("https://[2001:db8::1]", "10.0.0.0/8"),
        ("https://[2001:db8::1]", "[2001:db8::1]x"),
    ],
)
def test_other_hosts_are_not_excluded(url: str, no_proxy: str) -> None:
    """What only resembles a host is another."""
    assert proxy_of(url, https_proxy="a.example", no_proxy=no_proxy) == "http://a.example"


def test_lower_case_goes_first_for_exclusions_as_well() -> None:
    """An empty one counts as unset."""
    proxy = {"https_proxy": "a.example"}
    assert proxy_of(URL, **proxy, no_proxy="b.example", NO_PROXY="*") is not None
    assert proxy_of(URL, **proxy, no_proxy="", NO_PROXY="*") is None
