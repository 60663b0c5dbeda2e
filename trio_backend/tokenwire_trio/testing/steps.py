"""What a server in a test does, step by step: data, so that it can be shown, compared and changed.

A script is a tuple of steps that a server plays on each connection. Its last step is one of
`EndingStep`, so that how a connection ends is always said.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final, get_args

import attrs

#: Where `Echo` puts the head of the request that it got.
REQUEST_HEAD: Final = b"<<request head>>"


def _size_only(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@final
@attrs.frozen
class ReadRequest:
    """Read a whole request: its head, and the body that its Content-Length announces."""


@final
@attrs.frozen
class ReadRequestHead:
    """Read a request's head and leave the rest of its body where it is."""


@final
@attrs.frozen
class Send:
    """Send bytes as they are, in one piece."""

    data: bytes = attrs.field(repr=_size_only)


@final
@attrs.frozen
class SendBelowTLS:
    """Send bytes past the encryption, as whoever damages a TLS connection does."""

    data: bytes = attrs.field(repr=_size_only)


@final
@attrs.frozen
class Echo:
    """Send bytes in which `REQUEST_HEAD` stands for the request's head, secrets and all.

    The head is written on one line, as in a JSON string. Its length is not known beforehand: use it
    in a body that ends with the connection.
    """

    form: bytes


@final
@attrs.frozen
class Drip:
    """Send bytes one at a time, with a pause before each."""

    data: bytes = attrs.field(repr=_size_only)
    every_s: float = 1.0


@final
@attrs.frozen
class Pause:
    """Do nothing for a while."""

    seconds: float


@final
@attrs.frozen
class Repeat:
    """Send the same bytes over and over until the client leaves, with a pause before each time."""

    data: bytes = attrs.field(repr=_size_only)
    every_s: float = 0.0


@final
@attrs.frozen
class KeepOpen:
    """Send nothing more, and read until the client leaves."""


@final
@attrs.frozen
class Hang:
    """Neither send nor read any more, for ever."""


@final
@attrs.frozen
class Again:
    """Read the rest of the request, and start over with the next one on the same connection."""


@final
@attrs.frozen
class CloseCleanly:
    """Close the connection; over TLS say so first (close_notify).

    Over TCP a system turns this into a reset where bytes of the client were not read.
    """


@final
@attrs.frozen
class CloseWithoutNotify:
    """Close the connection; over TLS without saying so, which looks like a cut."""


@final
@attrs.frozen
class Reset:
    """Break the connection off (TCP RST)."""


EndingStep: TypeAlias = Repeat | KeepOpen | Hang | Again | CloseCleanly | CloseWithoutNotify | Reset
Step: TypeAlias = (
    ReadRequest | ReadRequestHead | Send | SendBelowTLS | Echo | Drip | Pause | EndingStep
)

ENDING_STEPS: Final[tuple[type[EndingStep], ...]] = get_args(EndingStep)
