"""Whatever a socket brings, an answer gets only its own lane's events, and one end at most.

An input is a script of `fuzz.sessions`.
"""

from __future__ import annotations

from typing import Final

from fuzz.sessions import Peer, check_script
from tokenwire.wire.openai_responses_ws import OpenAIResponsesSocket

_PEER: Final = Peer(OpenAIResponsesSocket(), frozenset({"response.create"}))


def one_input(data: bytes) -> None:
    """Check a session with a script."""
    check_script(data, _PEER)
