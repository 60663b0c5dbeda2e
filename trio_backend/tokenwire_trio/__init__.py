"""The trio transport of tokenwire: real answers over HTTP/1.1 and TLS.

    async with tokenwire_trio.open_provider(config.provider) as provider:
        async with provider.complete([Message.user("Hi")]) as stream:
            async for token in stream:
                print(token.text, end="", flush=True)

What is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenwire_trio.attempts import AttemptedStream
    from tokenwire_trio.fallback import Fallback, may_succeed_elsewhere
    from tokenwire_trio.limited import Limited, Rate
    from tokenwire_trio.provider import HTTPProvider, OpenAIProvider, open_provider
    from tokenwire_trio.recording.file_format import RecordingError
    from tokenwire_trio.recording.recording import Recording
    from tokenwire_trio.recording.replaying import Replaying
    from tokenwire_trio.retrying import Retrying
    from tokenwire_trio.socket_provider import SocketProvider
    from tokenwire_trio.stream import HTTPTokenStream

__all__ = [
    "AttemptedStream",
    "Fallback",
    "HTTPProvider",
    "HTTPTokenStream",
    "Limited",
    "OpenAIProvider",
    "Rate",
    "Recording",
    "RecordingError",
    "Replaying",
    "Retrying",
    "SocketProvider",
    "may_succeed_elsewhere",
    "open_provider",
]

_HOMES: Final = {
    "AttemptedStream": "tokenwire_trio.attempts",
    "Fallback": "tokenwire_trio.fallback",
    "HTTPProvider": "tokenwire_trio.provider",
    "HTTPTokenStream": "tokenwire_trio.stream",
    "Limited": "tokenwire_trio.limited",
    "OpenAIProvider": "tokenwire_trio.provider",
    "Rate": "tokenwire_trio.limited",
    "Recording": "tokenwire_trio.recording.recording",
    "RecordingError": "tokenwire_trio.recording.file_format",
    "Replaying": "tokenwire_trio.recording.replaying",
    "Retrying": "tokenwire_trio.retrying",
    "SocketProvider": "tokenwire_trio.socket_provider",
    "may_succeed_elsewhere": "tokenwire_trio.fallback",
    "open_provider": "tokenwire_trio.provider",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value: object = getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if error.name not in ("trio", "h11", "trio_websocket"):
            raise
        raise ImportError(f'{error.name} is missing: pip install "tokenwire[trio]"') from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
