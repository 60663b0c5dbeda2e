"""How far a call has come: what an error says about where it happened and what was sent."""

from __future__ import annotations

from typing import final

import attrs

from tokenwire.errors import Phase, Sent


@final
@attrs.define
class Progress:
    """Changes as the call goes on.

    Attributes:
        peer: Host and port, for messages.
        phase: What is being done.
        sent: How much of the request has been written.
    """

    peer: str
    phase: Phase = "pool"
    sent: Sent = "nothing"
