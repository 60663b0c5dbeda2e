"""Whatever a socket brings, an answer gets only its own response's events, and one end at most.

An input is a script of `fuzz.sessions`. It is played in one conversation, and out of band.
"""

from __future__ import annotations

from typing import Final

from fuzz.sessions import Peer, check_script
from tokenwire.wire.openai_realtime import OpenAIRealtime

_SENT: Final = frozenset(
    {
        "session.update",
        "conversation.item.create",
        "response.create",
        "response.cancel",
    }
)
_CONVERSATION: Final = Peer(OpenAIRealtime(), _SENT)
_OUT_OF_BAND: Final = Peer(OpenAIRealtime(), _SENT, {"out_of_band": True})


def one_input(data: bytes) -> None:
    """Check a session with a script."""
    check_script(data, _CONVERSATION)
    check_script(data, _OUT_OF_BAND)
