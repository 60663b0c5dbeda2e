"""A body on its way to a recording: what is written of it holds no secret, wherever it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import attrs


@final
@attrs.frozen
class Piece:
    """A piece of the body.

    Attributes:
        t: When it was read, in seconds.
        data: The bytes.
        more: The same read brought what is in the next piece, too.
    """

    t: float
    data: bytes = attrs.field(repr=False)
    more: bool = False


@final
class RedactedBody:
    """Holds a line back until it is whole: a secret may come in two reads, but has no line end.

    Streams consist of whole lines, so this delays little, and no piece loses its time. Only a line
    with a secret becomes one piece, of the time at which it was whole.

    Args:
        scrub: Removes the secrets from a text.
    """

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub
        self._held: list[Piece] = []

    def receive(self, t: float, data: bytes) -> list[Piece]:
        """Take what was read, and return what may be written."""
        lines, line_end, rest = data.rpartition(b"\n")
        if not line_end:
            self._held.append(Piece(t, data))
            return []
        self._held.append(Piece(t, lines + line_end, more=bool(rest)))
        pieces = self.rest()
        if rest:
            self._held.append(Piece(t, rest))
        return pieces

    def rest(self) -> list[Piece]:
        """Return what was held back, because nothing follows it."""
        pieces, self._held = self._held, []
        data = b"".join(piece.data for piece in pieces)
        # Secrets are ASCII, and Latin-1 takes any bytes.
        redacted = self._scrub(data.decode("latin-1")).encode("latin-1")
        return pieces if redacted == data else [attrs.evolve(pieces[-1], data=redacted)]
