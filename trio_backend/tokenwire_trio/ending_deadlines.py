"""Deadlines with which every call ends, for where waiting for ever helps nobody."""

from __future__ import annotations

import attrs

from tokenwire.endpoint import Deadlines


def with_end(own: Deadlines, default: Deadlines) -> Deadlines:
    """Complete deadlines so that a call ends, however its server behaves.

    Args:
        own: What was set, which stays; one for the whole call bounds its silence as well.
        default: For what was not: `connect`, `send`, `first_token` and `gap`.
    """
    connect = own.connect or default.connect
    if own.total is not None:
        return attrs.evolve(own, connect=connect)
    return attrs.evolve(
        own,
        connect=connect,
        send=own.send or default.send,
        # The head is waited for under both.
        first_token=own.first_token or max(default.first_token or 0, own.first_byte or 0),
        gap=own.gap or default.gap,
    )
