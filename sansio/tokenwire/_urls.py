"""What every URL in a configuration must be, whatever it leads to."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f]")


def split_url(name: str, url: str, *, instead_of_user_info: str) -> SplitResult:
    """Split a URL, and refuse what has no place in a configuration.

    Args:
        name: What errors call it.
        url: The URL.
        instead_of_user_info: What to do with a user and password that stand in it.

    Raises:
        ValueError: If it is no valid URL, holds user info or a character that no URL has. It is not
            shown.
    """
    if _UNSAFE.search(url):
        raise ValueError(f"{name} holds white space or a control character: remove it")
    parts = _split(name, url)
    # Tested before anything that shows the URL: user info is a credential.
    if "@" in parts.netloc:
        raise ValueError(f"{name} holds user info (user:password@): {instead_of_user_info}")
    return parts


def without_secrets(url: str) -> str:
    """Return a stranger's URL for an error, without the parts where keys are."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _split(name: str, url: str) -> SplitResult:
    with suppress(ValueError):  # not chained: it may quote user info
        parts = urlsplit(url)
        if parts.port != 0:  # nobody listens there
            return parts
    raise ValueError(f"{name} is no valid URL: check its host and port")
