"""`tokenwire_trio.origin`: where a URL leads."""

from __future__ import annotations

import pytest

from tokenwire_trio.origin import Origin


@pytest.mark.parametrize(
    ("url", "origin", "text"),
    [
        ("https://host.example/v1", Origin("https", "host.example", 443), "host.example:443"),
        ("http://host.example:81", Origin("http", "host.example", 81), "host.example:81"),
        ("http://[::1]/v1", Origin("http", "::1", 80), "[::1]:80"),
    ],
)
def test_an_origin_is_read_from_a_url(url: str, origin: Origin, text: str) -> None:
    """Ports have the defaults of their schemes, and IPv6 addresses come without brackets."""
    assert Origin.from_url(url) == origin
    assert str(origin) == text
