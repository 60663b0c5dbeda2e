"""Bytes to texts without I/O, in this library and in others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, assert_never, final

import attrs

from tests.bench.floor import FloorDecoder
from tests.bench.formats import FORMATS
from tests.bench.jobs import Metrics, WrongText
from tests.bench.script import text_of
from tokenwire import Endpoint, Exchange, Limits, Message, ProviderConfig, wire_by_kind
from tokenwire.errors import ProviderError

#: How an answer is cut into what is fed at once.
Feed: TypeAlias = Literal["16 KiB", "event", "7 bytes"]

_ENOUGH_CPU_NS: Final = 60_000_000
_MOST_REPEATS: Final = 20
_MiB: Final = 1024 * 1024

_ENDPOINT: Final = Endpoint(
    base_url="http://127.0.0.1/v1", limits=Limits(line_bytes=32 * _MiB, event_bytes=32 * _MiB)
)


@final
@attrs.frozen
class Parser:
    """One way to read an answer.

    Attributes:
        label: Its name in tables and plots.
        read: Takes the wire format and the pieces, and returns the texts that are not empty.
        kinds: The wire formats that it knows.
        needs: Modules that must be installed.
    """

    label: str
    read: Callable[[str, Iterable[bytes]], list[str]]
    kinds: tuple[str, ...] = tuple(FORMATS)
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> str | None:
        """The first of what it needs that is not installed."""
        return next((name for name in self.needs if find_spec(name) is None), None)


def _floor(kind: str, pieces: Iterable[bytes]) -> list[str]:
    texts: list[str] = []
    decoder = FloorDecoder(kind, texts.append)
    for data in pieces:
        decoder.receive(data)
    return texts


def _tokenwire(kind: str, pieces: Iterable[bytes]) -> list[str]:
    exchange = Exchange(wire_by_kind(kind), _ENDPOINT)
    exchange.send([Message.user("Hi")], ProviderConfig(model="bench", max_output_tokens=1000))
    media = "application/x-ndjson" if kind == "ollama" else "text/event-stream"
    events = exchange.receive_head(200, [("content-type", media)])
    texts: list[str] = []
    for data in pieces:
        for event in exchange.receive_data(data):
            if isinstance(event, ProviderError):
                raise event
            if event.text:
                texts.append(event.text)
    events = exchange.receive_eof(clean=True)
    if events and isinstance(events[-1], ProviderError):
        raise events[-1]
    return texts


def _openai(kind: str, pieces: Iterable[bytes]) -> list[str]:
    assert kind == "openai-chat"
    openai: Any = import_module("openai")
    types: Any = import_module("openai.types.chat")
    httpx: Any = import_module("httpx2")
    request = httpx.Request("POST", "http://127.0.0.1/v1/chat/completions")
    chunks = openai.Stream(
        cast_to=types.ChatCompletionChunk,
        response=httpx.Response(200, content=iter(pieces), request=request),
        client=_openai_client(),
    )
    texts = (chunk.choices[0].delta.content for chunk in chunks)
    return [text for text in texts if text]


@cache
def _openai_client() -> Any:
    """Return a client: making one takes longer than reading an answer."""
    openai: Any = import_module("openai")
    return openai.OpenAI(api_key="sk-bench")


def _httpx_sse(kind: str, pieces: Iterable[bytes]) -> list[str]:
    assert kind == "openai-chat"
    httpx: Any = import_module("httpx")
    httpx_sse: Any = import_module("httpx_sse")
    head = {"content-type": "text/event-stream"}
    response = httpx.Response(200, content=iter(pieces), headers=head)
    texts: list[str] = []
    for event in httpx_sse.EventSource(response).iter_sse():
        if event.data == "[DONE]":
            break
        text = json.loads(event.data)["choices"][0]["delta"].get("content")
        if text:
            texts.append(text)
    return texts


PARSERS: Final[Mapping[str, Parser]] = {
    "floor": Parser("split + typed msgspec decode", _floor),
    "tokenwire": Parser("tokenwire", _tokenwire),
    "httpx-sse": Parser("httpx-sse + json", _httpx_sse, ("openai-chat",), ("httpx", "httpx_sse")),
    "openai": Parser("openai Stream", _openai, ("openai-chat",), ("openai",)),
}


def parse(parser: Parser, kind: str, feed: Feed, tokens: int) -> Metrics:
    """Measure the CPU time per token of one way to read an answer."""
    pieces = _cut(FORMATS[kind].answer(tokens), feed)
    texts = [text_of(index) for index in range(tokens)]
    parser.read(kind, pieces)  # warm up
    cpu_ns = repeats = 0
    while cpu_ns < _ENOUGH_CPU_NS and repeats < _MOST_REPEATS:
        cpu_ns += _cpu_ns(parser, kind, pieces, texts)
        repeats += 1
    return {"cpu_us_per_token": cpu_ns / repeats / tokens / 1000}


def _cpu_ns(parser: Parser, kind: str, pieces: Sequence[bytes], texts: list[str]) -> int:
    before = time.process_time_ns()
    read = parser.read(kind, pieces)
    spent = time.process_time_ns() - before
    if read != texts:
        raise WrongText(f"{parser.label}: {len(read)} texts are not the {len(texts)} of {kind}")
    return spent


def _cut(pieces: list[bytes], feed: Feed) -> list[bytes]:
    match feed:
        case "event":
            return pieces
        case "16 KiB":
            return list(_every(16 * 1024, b"".join(pieces)))
        case "7 bytes":
            return list(_every(7, b"".join(pieces)))
        case _:
            assert_never(feed)


def _every(size: int, data: bytes) -> Iterator[bytes]:
    return (data[begin : begin + size] for begin in range(0, len(data), size))


def small_feeds_growth(parser: Parser) -> Metrics:
    """Measure how the time per byte of 7-byte feeds grows with an answer four times as long."""

    def measure(tokens: int) -> float:
        pieces = _cut(FORMATS["openai-chat"].answer(tokens), "7 bytes")
        texts = [text_of(index) for index in range(tokens)]
        return min(_cpu_ns(parser, "openai-chat", pieces, texts) for _ in range(3)) / tokens

    return {"growth": measure(2_000) / measure(500)}


def long_line_growth(parser: Parser) -> Metrics:
    """Measure the same for one line in 256-byte pieces: 10 MiB against 2.5 MiB."""

    def measure(size: int) -> float:
        form, text = FORMATS["openai-chat"], "x" * size
        pieces = list(_every(256, b"".join((form.opening, form.chunk(text), form.closing))))
        return min(_cpu_ns(parser, "openai-chat", pieces, [text]) for _ in range(3)) / size

    return {"growth": measure(10 * _MiB) / measure(10 * _MiB // 4)}
