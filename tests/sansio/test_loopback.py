"""Which hosts are this machine."""

import pytest

from tokenwire.loopback import is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "model.localhost",
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::1%lo",
    ],
)
def test_this_machine(host: str) -> None:
    """Its names and its addresses, IPv4 and IPv6."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "host.example",
        "localhost.example",
        "notlocalhost",
        "126.0.0.1",
        "128.0.0.1",
        "0.0.0.0",  # noqa: S104  # only looked at
        "10.0.0.1",
        "::2",
        "fe80::1",
        "127.0.0.1.example",
        "127.1",
    ],
)
def test_other_machines(host: str) -> None:
    """A name that only resolves to this machine is another: DNS may change its mind."""
    assert not is_loopback(host)
