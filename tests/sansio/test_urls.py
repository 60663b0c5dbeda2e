"""What every URL in a configuration must be."""

import re

import pytest

from tests.sansio.leaks import everything_in
from tokenwire._urls import split_url, without_secrets

KEY = "sk-proj-a1B2c3D4e5F6"


def test_a_url_is_split() -> None:
    """Into the parts that the standard library knows."""
    parts = split_url("url", "https://[::1]:8080/v1", instead_of_user_info="do not")
    assert (parts.scheme, parts.hostname, parts.port, parts.path) == ("https", "::1", 8080, "/v1")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (f"https://u:{KEY}@h.example", "url holds user info (user:password@): do not"),
        (f"https://{KEY}@h.example", "url holds user info (user:password@): do not"),
        (f"https://u:{KEY}@h.example /", "url holds white space or a control character: remove it"),
        (f"https://h.example/{KEY}\n", "url holds white space or a control character: remove it"),
        (f"https://h.example/{KEY}\x00", "url holds white space or a control character: remove it"),
        (f"https://h.example/{KEY}\x7f", "url holds white space or a control character: remove it"),
        (f"https://u:{KEY}@h.example:x", "url is no valid URL: check its host and port"),
        (f"https://u:{KEY}@h.example:65536", "url is no valid URL: check its host and port"),
        ("https://h.example:0", "url is no valid URL: check its host and port"),
        (f"https://[{KEY}", "url is no valid URL: check its host and port"),
        (f"https://\u2100:{KEY}@h", "url is no valid URL: check its host and port"),
    ],
)
def test_what_no_url_in_a_configuration_is(url: str, error: str) -> None:
    """It is refused, and not shown: it may hold a credential."""
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$") as caught:
        split_url("url", url, instead_of_user_info="do not")
    assert KEY not in everything_in(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/v1", "https://h.example/v1"),
        ("https://user:secret@h.example:8443/v1?key=secret#secret", "https://h.example:8443/v1"),
        ("/v2/chat", "/v2/chat"),
        ("https://[::1", ""),
        ("", ""),
    ],
)
def test_a_strangers_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """A redirect may quote a key of somebody's, which is not known and so is not scrubbed."""
    assert without_secrets(url) == shown
