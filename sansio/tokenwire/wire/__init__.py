"""Wire formats: everything that belongs to one provider's API lives in a module of this package.

`wire_by_kind` finds a format by the name that configurations use, and imports only that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tokenwire import _validation as check
from tokenwire.wire.base import Answer, EncodedRequest, Wire

if TYPE_CHECKING:
    from tokenwire.session import SocketWire  # which imports this package

__all__ = [
    "SOCKET_KINDS",
    "WIRE_KINDS",
    "Answer",
    "EncodedRequest",
    "Wire",
    "socket_wire_by_kind",
    "wire_by_kind",
]

#: Names of the wire formats that come with this library.
WIRE_KINDS: Final = (
    "openai-chat",
    "openai-responses",
    "azure-chat",
    "anthropic",
    "ollama",
    "gemini",
)

#: Names of those that are spoken over a WebSocket.
SOCKET_KINDS: Final = ("openai-responses-ws", "openai-realtime")


def wire_by_kind(kind: str, wires: Iterable[Wire] = ()) -> Wire:  # noqa: PLR0911  # one for each
    """Return the wire format of that name.

    Args:
        kind: Its name.
        wires: Wire formats of others, which go before those of this library.

    Raises:
        ConfigError: If there is none; the message names the nearest.
    """
    for wire in wires:
        if wire.kind == kind:
            return wire
    match kind:
        case "openai-chat":
            from tokenwire.wire.openai_chat import OpenAIChat

            return OpenAIChat()
        case "openai-responses":
            from tokenwire.wire.openai_responses import OpenAIResponses

            return OpenAIResponses()
        case "azure-chat":
            from tokenwire.wire.azure_chat import AzureChat

            return AzureChat()
        case "anthropic":
            from tokenwire.wire.anthropic import Anthropic

            return Anthropic()
        case "ollama":
            from tokenwire.wire.ollama import Ollama

            return Ollama()
        case "gemini":
            from tokenwire.wire.gemini import Gemini

            return Gemini()
        case _:
            return socket_wire_by_kind(kind)


def socket_wire_by_kind(kind: str) -> SocketWire:
    """Return the wire format of that name which is spoken over a WebSocket.

    Raises:
        ConfigError: If there is none; the message names the nearest of all wire formats.
    """
    match kind:
        case "openai-responses-ws":
            from tokenwire.wire.openai_responses_ws import OpenAIResponsesSocket

            return OpenAIResponsesSocket()
        case "openai-realtime":
            from tokenwire.wire.openai_realtime import OpenAIRealtime

            return OpenAIRealtime()
        case _:
            from tokenwire.config import ConfigError  # who gets here has one to read

            known = (*WIRE_KINDS, *SOCKET_KINDS)
            raise ConfigError(f"unknown wire format {kind!r}{check.nearest(kind, known)}")
