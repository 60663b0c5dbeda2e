"""Wire formats: everything that belongs to one provider's API lives in a module of this package.

`wire_by_kind` finds a format by the name that configurations use, and imports only that one.
"""

from __future__ import annotations

from typing import Final

from tokenwire import _validation as check
from tokenwire.config import ConfigError
from tokenwire.wire.base import Answer, EncodedRequest, Wire

__all__ = ["WIRE_KINDS", "Answer", "EncodedRequest", "Wire", "wire_by_kind"]

#: Names of the wire formats that come with this library.
WIRE_KINDS: Final = (
    "openai-chat",
    "openai-responses",
    "azure-chat",
    "anthropic",
    "ollama",
    "gemini",
)


def wire_by_kind(kind: str) -> Wire:
    """Return the wire format of that name.

    Raises:
        ConfigError: If there is none; the message names the nearest.
    """
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
            raise ConfigError(f"unknown wire format {kind!r}{check.nearest(kind, WIRE_KINDS)}")
