"""Where to cut a body in two: everywhere, as far as there is time.

Trying all cuts of a body costs the square of its length. Short ones are always cut everywhere; in
longer ones cuts are left out evenly, but for the positions around line ends, where decoders have
their states, as long as there are not too many of these either. TOKENWIRE_EXHAUSTIVE=1 leaves none
out.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from tests.figures import Figures

EXHAUSTIVE = os.environ.get("TOKENWIRE_EXHAUSTIVE") == "1"

#: Positions around a line end that are cut first.
_NEAR = (-1, 0, 1, 2)


@final
class SplitPoints:
    """Chooses positions, and counts them.

    Args:
        max_bytes_read: For one body, each cut of which means to read the whole of it.
    """

    def __init__(self, max_bytes_read: int) -> None:
        self._max_bytes_read = max_bytes_read
        self._chosen = self._all = 0

    @classmethod
    @contextmanager
    def reported(
        cls,
        what: str,
        max_bytes_read: int,
        figures: Figures,
        all_by: str = "TOKENWIRE_EXHAUSTIVE=1",
    ) -> Generator[SplitPoints]:
        """Give an instance, and tell at the end how many positions it chose.

        Args:
            what: Whose positions these are.
            max_bytes_read: As above.
            figures: Takes what is told.
            all_by: What checks them all.
        """
        points = cls(max_bytes_read)
        yield points
        left_out = "" if points._chosen == points._all else f"; {all_by} checks all"
        figures(f"{what}: {points._chosen} of {points._all} split points{left_out}")

    def of(self, body: bytes) -> list[int]:
        """Return positions of `body` to cut at, in order."""
        everywhere = list(range(len(body) + 1))
        count = self._max_bytes_read // max(1, len(body))
        positions = everywhere
        if len(everywhere) > count and not EXHAUSTIVE:
            near = _evenly(_near_line_ends(body), count // 2)
            positions = sorted({*near, *_evenly(everywhere, count // 2)})
        self._chosen += len(positions)
        self._all += len(body) + 1
        return positions


def _near_line_ends(body: bytes) -> list[int]:
    ends = (position for position, byte in enumerate(body) if byte in b"\r\n")
    near = {end + distance for end in ends for distance in _NEAR}
    return sorted(position for position in near if 0 <= position <= len(body))


def _evenly(positions: list[int], count: int) -> list[int]:
    return positions[:: 1 + len(positions) // max(1, count)]
