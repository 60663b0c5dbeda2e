"""What this library logs, all of it, under the name ``tokenwire_trio``.

At DEBUG: connections that are opened, used again and closed; for each request its method, host and
path, then status and request id, then how the answer ended. At INFO a failed attempt that is
followed by another, at WARNING one that is not. Never a header, a query, a key, a prompt, a piece
of an answer or what a server says in an error: of failures only the facts that have few values.

Whoever does not turn it on pays for a comparison, and nothing for each token.
"""

from __future__ import annotations

import logging
from typing import Final

from tokenwire.errors import NetworkError, OtherError, ProviderError
from tokenwire.provider import TokenStream
from tokenwire.request import HTTPRequest
from tokenwire.retry_policy import Attempt

_LOGGER: Final = logging.getLogger("tokenwire_trio")
# Without it, Python prints warnings of libraries for programs that set up no logging.
_LOGGER.addHandler(logging.NullHandler())


def connection(event: str, peer: object) -> None:
    """Tell what became of a connection, in a word.

    Args:
        event: ``"opened"``, ``"reused"`` or ``"closed"``.
        peer: Host and port.
    """
    _LOGGER.debug("connection to %s: %s", peer, event)


def request(sent: HTTPRequest) -> None:
    """Tell of a request; over a socket, of what was asked where that leads."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        url, _, _ = sent.url.partition("?")
        _LOGGER.debug("request: %s %s, %d bytes", sent.method, url, len(sent.body))


def begun(stream: TokenStream) -> None:
    """Tell of the beginning of an answer."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        response = stream.response
        _LOGGER.debug("response: status %s, request id %s", response.status, response.request_id)


def failed(error: ProviderError) -> None:
    """Tell that there is no answer, or no more of it."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        _LOGGER.debug("failed: %s", _facts(error))


def ended(stream: TokenStream) -> None:
    """Tell how the block of an answer was left."""
    if not _LOGGER.isEnabledFor(logging.DEBUG):
        return
    end, total = stream.partial().end, stream.response.timings.total or 0.0
    if end is None:
        _LOGGER.debug("answer: incomplete, total %.3f s", total)
    else:
        tokens = None if end.usage is None else end.usage.output_tokens
        _LOGGER.debug("answer: %s, output tokens %s, total %.3f s", end.finish, tokens, total)


def attempt(whose: str, made: Attempt) -> None:
    """Tell of an attempt that failed, and what follows."""
    if made.delay_s is not None:
        level, follows = logging.INFO, f"the next one in {made.delay_s:.2f} s"
    else:
        level, follows = logging.WARNING, f"the last one ({made.gave_up})"
    if _LOGGER.isEnabledFor(level):
        facts = _facts(made.error)
        _LOGGER.log(level, "%s: attempt %d failed: %s; %s", whose, made.number, facts, follows)


def _facts(error: ProviderError) -> str:
    match error:
        case NetworkError():
            kind = f"network in {error.phase}"
            kind += f", deadline {error.timeout}" if error.timeout is not None else ""
        case OtherError():
            kind = error.kind
        case _:
            kind = error.label
    return f"{kind}, status {error.status}, request id {error.request_id}, sent {error.sent}"
