"""What a proxy says in place of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self, final

#: How many refusals one names: a big provider's name has a dozen addresses.
_MAX_LISTED: Final = 4


@final
class ProxyRefusal(Exception):
    """The proxy does not connect us.

    Args:
        what_it_does: What the proxy does instead, as a sentence that begins with the proxy; nothing
            of its own words.
        retryable: Whether that may be otherwise in a moment.
        of_address: It is about the one address, and another one may do.
    """

    def __init__(self, what_it_does: str, *, retryable: bool, of_address: bool = False) -> None:
        super().__init__(what_it_does)
        self.retryable: bool = retryable
        self.of_address: bool = of_address

    @classmethod
    def all_of(cls, refusals: Sequence[Self]) -> Self:
        """Return one for several, at least one."""
        return cls(
            ", ".join(map(str, refusals[:_MAX_LISTED])),
            retryable=any(refusal.retryable for refusal in refusals),
        )
