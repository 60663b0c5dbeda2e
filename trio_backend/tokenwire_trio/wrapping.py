"""What every provider that wraps another one makes sure of first."""

from __future__ import annotations


def require_provider(value: object, what: str) -> None:
    """Refuse what cannot be asked, at once and not by the first call.

    Args:
        value: What is to be wrapped.
        what: What an error calls it.

    Raises:
        TypeError: If it is no provider; the message says what is.
    """
    if not hasattr(value, "complete"):
        raise TypeError(
            f"{what} must be a provider, such as open_provider(…) gives in its block, not"
            f" {type(value).__name__}"
        )
