"""How long commands that ask wait where the configuration does not say: no command hangs for ever.

A program knows how patient it is, so the library sets no deadline of its own. A command line that
says nothing for an hour helps nobody.
"""

from typing import Final

from tokenwire.endpoint import Deadlines
from tokenwire_trio import ending_deadlines

#: A network that takes longer is broken, or what listens there speaks another protocol.
_CONNECT_S: Final = 10.0

#: Models that load, or think unseen, take minutes. The official clients wait as long.
_SILENCE_S: Final = 600.0


def with_end(own: Deadlines) -> Deadlines:
    """Complete deadlines so that every call ends, however its server behaves.

    Args:
        own: What was set, which stays; one for the whole call bounds its silence as well.
    """
    default = Deadlines(connect=_CONNECT_S, send=_SILENCE_S, first_token=_SILENCE_S, gap=_SILENCE_S)
    return ending_deadlines.with_end(own, default)
