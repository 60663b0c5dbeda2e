"""How fast an answer came, in one line."""

from typing import Final

from tokenwire.response import Timings
from tokenwire.tokens import Usage

#: An answer that comes all at once says nothing about how fast it was made.
_SHORTEST_SPAN_S: Final = 0.01


def timings_line(timings: Timings, usage: Usage | None, deltas: int) -> str:
    """Describe an answer's speed.

    Args:
        timings: Of the whole call.
        usage: What the provider counted.
        deltas: How many pieces came; counts where the provider did not, and then as ``~``, because
            a piece need not be one model token.
    """
    counted = usage.output_tokens if usage is not None else None
    about = "~" if counted is None else ""
    tokens = deltas if counted is None else counted
    parts: list[str] = []
    if timings.first_token is not None:
        parts.append(f"first token {timings.first_token:.2f} s")
    parts.append(f"{about}{tokens} tokens")
    rate = _tokens_per_second(timings, tokens)
    if rate is not None:
        parts.append(f"{about}{rate:.1f} tokens/s")
    if timings.total is not None:
        parts.append(f"total {timings.total:.2f} s")
    return ", ".join(parts)


def _tokens_per_second(timings: Timings, tokens: int) -> float | None:
    """Measure from the first token on: the wait for it is another figure."""
    if timings.first_token is None or timings.total is None:
        return None
    span = timings.total - timings.first_token
    return (tokens - 1) / span if span >= _SHORTEST_SPAN_S else None
