"""Keeps what trio-websocket logs about our connections out of a program's log.

At DEBUG it writes down the payloads of pings and the reasons of closes. Those are what a peer
says, which may be the key or a piece of the conversation. A program that uses trio-websocket itself
keeps the log of its own connections.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("tokenwire_trio_quiet", default=False)


def log_nothing_from_here() -> None:
    """Have trio-websocket log nothing in this task, nor in those that it starts from now on."""
    _quiet.set(True)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _quiet.get()


logging.getLogger("trio-websocket").addFilter(_is_not_ours)
