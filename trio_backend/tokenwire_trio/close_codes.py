"""What the end of a WebSocket means for the answers that it cuts off.

Reference: RFC 6455 section 7.4 and the registry that it founds,
https://www.iana.org/assignments/websocket/websocket.xhtml.
"""

from __future__ import annotations

from typing import Final

from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
)

#: The other side does not speak the protocol: either of the two may have said so.
_BROKEN_PROTOCOL: Final = frozenset({1002, 1003, 1007, 1010})

#: Policy violated, message too big: the same request would meet the same.
_REJECTED: Final = frozenset({1008, 1009})

#: Unauthorized, forbidden.
_UNAUTHORIZED: Final = frozenset({3000, 3003})


def closed_error(peer: str, code: int, reason: str | None) -> ProviderError:
    """Return the error for a connection that was closed before an answer's end.

    Args:
        peer: Who closed it.
        code: The close code; 1006 where the connection just ended.
        reason: What the peer says about it.
    """
    said = f": {reason}" if reason else ""
    message = f"{peer} closed the WebSocket before the end of the answer ({code}){said}"
    word = str(code)
    if code in _BROKEN_PROTOCOL:
        return MalformedResponseError(
            reason="framing", message=f"the WebSocket protocol is broken ({code}){said}", code=word
        )
    if code in _REJECTED:
        return OtherError(kind="rejected", message=message, code=word)
    if code in _UNAUTHORIZED:
        return AuthError(message=message, code=word)
    return NetworkError(phase="body", message=message, code=word, retryable=True)
