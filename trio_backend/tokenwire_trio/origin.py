"""Where a URL leads."""

from __future__ import annotations

from typing import final
from urllib.parse import urlsplit

import attrs

from tokenwire.connection_settings import ProxySettings

_PORTS = {"http": 80, "https": 443}


@final
@attrs.frozen
class Origin:
    """Where a URL leads: scheme, host (without brackets) and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def from_url(cls, url: str) -> Origin:
        """Read a URL that `Endpoint` has accepted."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme])

    @classmethod
    def of_proxy(cls, proxy: ProxySettings) -> Origin:
        """Tell where a proxy is."""
        return cls(proxy.scheme, proxy.host, proxy.port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
