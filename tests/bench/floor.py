"""The least that any Python client has to do, as the measure of all others.

Split what came at the separator, decode each piece straight into a struct that names the one member
that is read, and hand on the text. No limits, no errors, no other kind of answer: not for use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, final

import msgspec


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta


class _ChatChunk(msgspec.Struct, gc=False):
    choices: list[_Choice]


class _ResponsesEvent(msgspec.Struct, gc=False):
    delta: str | None = None


class _AnthropicDelta(msgspec.Struct, gc=False):
    text: str | None = None


class _AnthropicEvent(msgspec.Struct, gc=False):
    delta: _AnthropicDelta | None = None


class _Message(msgspec.Struct, gc=False):
    content: str


class _OllamaLine(msgspec.Struct, gc=False):
    message: _Message


class _Part(msgspec.Struct, gc=False):
    text: str


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part]


class _Candidate(msgspec.Struct, gc=False):
    content: _Content


class _GeminiChunk(msgspec.Struct, gc=False):
    candidates: list[_Candidate]


_chat: Final = msgspec.json.Decoder(_ChatChunk).decode
_responses: Final = msgspec.json.Decoder(_ResponsesEvent).decode
_anthropic: Final = msgspec.json.Decoder(_AnthropicEvent).decode
_ollama: Final = msgspec.json.Decoder(_OllamaLine).decode
_gemini: Final = msgspec.json.Decoder(_GeminiChunk).decode


def _chat_text(data: bytes) -> str | None:
    return None if data == b"[DONE]" else _chat(data).choices[0].delta.content


def _responses_text(event: bytes) -> str | None:
    return _responses(event[event.index(b"\ndata: ") + 7 :]).delta


def _anthropic_text(event: bytes) -> str | None:
    delta = _anthropic(event[event.index(b"\ndata: ") + 7 :]).delta
    return delta.text if delta is not None else None


def _gemini_text(data: bytes) -> str | None:
    return _gemini(data).candidates[0].content.parts[0].text


def _ollama_text(line: bytes) -> str | None:
    return _ollama(line).message.content


class _Floor(NamedTuple):
    """How an event begins, how it ends, and what reads its middle."""

    begin: bytes
    end: bytes
    read: Callable[[bytes], str | None]


_FLOORS: Final = {
    "openai-chat": _Floor(b"data: ", b"\n\n", _chat_text),
    "openai-responses": _Floor(b"event: ", b"\n\n", _responses_text),
    "anthropic": _Floor(b"event: ", b"\n\n", _anthropic_text),
    "gemini": _Floor(b"data: ", b"\n\n", _gemini_text),
    "ollama": _Floor(b"", b"\n", _ollama_text),
}


@final
class FloorDecoder:
    """Bytes of a body to texts.

    Args:
        kind: Wire format.
        take: Is given every text that is not empty.
    """

    __slots__ = ("_begin", "_end", "_read", "_rest", "_take")

    def __init__(self, kind: str, take: Callable[[str], object]) -> None:
        self._begin, self._end, self._read = _FLOORS[kind]
        self._take = take
        self._rest = b""

    def receive(self, data: bytes) -> None:
        """Take the next bytes."""
        data = self._rest + data
        end = data.rfind(self._end)
        if end < 0:
            self._rest = data
            return
        self._rest = data[end + len(self._end) :]
        read, take = self._read, self._take
        # A long separator is found in half the time of a short one.
        for event in data[len(self._begin) : end].split(self._end + self._begin):
            text = read(event)
            if text:
                take(text)


@final
class FloorResponse:
    """A chunked HTTP response with an answer in openai-chat: head, framing, texts.

    Args:
        take: Is given every text that is not empty.
    """

    __slots__ = ("_buffer", "_decoder", "_head_seen")

    def __init__(self, take: Callable[[str], object]) -> None:
        self._decoder = FloorDecoder("openai-chat", take)
        self._buffer = b""
        self._head_seen = False

    def receive(self, data: bytes) -> bool:
        """Take the next bytes, and tell whether the response is complete."""
        data = self._buffer + data
        begin = 0
        if not self._head_seen:
            begin = data.find(b"\r\n\r\n") + 4
            if begin < 4:
                self._buffer = data
                return False
            assert data.startswith(b"HTTP/1.1 200")
            self._head_seen = True
        pieces: list[bytes] = []
        complete = False
        while (line_end := data.find(b"\r\n", begin)) >= 0:
            size = int(data[begin:line_end], 16)
            end = line_end + 2 + size
            if len(data) < end + 2:
                break
            pieces.append(data[line_end + 2 : end])
            begin = end + 2
            if not size:
                complete = True
                break
        self._buffer = data[begin:]
        self._decoder.receive(b"".join(pieces))
        return complete


def floor_request(host: str, model: str) -> bytes:
    """Return the least of a request for an answer."""
    body = b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
    content = body % model.encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
