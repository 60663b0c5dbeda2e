"""How long a peer may keep a stream alive without a token."""

from __future__ import annotations

from typing import final

from tokenwire.endpoint import Limits
from tokenwire.wire.malformed import limit_error


@final
class Silence:
    """Bytes in a row that brought no token.

    Attributes:
        bytes: How many; set it to 0 at a token.
    """

    __slots__ = ("_bound", "bytes")

    def __init__(self, limits: Limits) -> None:
        self._bound = limits.silent_bytes
        self.bytes: int = 0

    def last(self, size: int) -> None:
        """Count more of them.

        Raises:
            MalformedResponseError: If ``silent_bytes`` is exceeded.
        """
        self.bytes += size
        if self.bytes > self._bound:
            raise limit_error("silent_bytes", self._bound)
