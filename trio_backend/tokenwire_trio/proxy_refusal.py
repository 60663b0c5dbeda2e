"""What a proxy says in place of a connection."""

from __future__ import annotations

from typing import final


@final
class ProxyRefusal(Exception):
    """The proxy does not connect us.

    Args:
        what_it_does: What the proxy does instead, as a sentence that begins with the proxy; nothing
            of its own words.
        retryable: Whether that may be otherwise in a moment.
    """

    def __init__(self, what_it_does: str, *, retryable: bool) -> None:
        super().__init__(what_it_does)
        self.retryable = retryable
