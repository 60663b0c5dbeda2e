"""Which hosts are this machine, so that what is sent to them crosses no network."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Tell whether a host of a URL, without brackets, is this machine.

    These are ``localhost`` and the names below it (RFC 6761 section 6.3), 127.0.0.0/8 and ::1. A
    name that DNS resolves to them is none: somebody else decides what it resolves to.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    import ipaddress  # only those who ask pay for it

    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
