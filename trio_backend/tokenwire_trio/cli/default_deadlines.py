"""How long commands that ask wait where the configuration does not say: no command hangs for ever.

A program knows how patient it is, so the library sets no deadline of its own. A command line that
says nothing for an hour helps nobody.
"""

from typing import Final

import attrs

from tokenwire.endpoint import Deadlines

#: A network that takes longer is broken, or what listens there speaks another protocol.
_CONNECT_S: Final = 10.0

#: Models that load, or think unseen, take minutes. The official clients wait as long.
_SILENCE_S: Final = 600.0


def with_end(own: Deadlines) -> Deadlines:
    """Complete deadlines so that every call ends, however its server behaves.

    Args:
        own: What was set, which stays; one for the whole call bounds its silence as well.
    """
    connect = own.connect or _CONNECT_S
    if own.total is not None:
        return attrs.evolve(own, connect=connect)
    return attrs.evolve(
        own,
        connect=connect,
        send=own.send or _SILENCE_S,
        # The head is waited for under both.
        first_token=own.first_token or max(_SILENCE_S, own.first_byte or 0),
        gap=own.gap or _SILENCE_S,
    )
