"""Where inputs come from: the suite's own streams, recordings, the words of dictionaries.

Nothing here imports the library, so that a fuzzer can do it under instrumentation.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Harness(NamedTuple):
    """What a harness is fed with.

    Attributes:
        dictionary: The one that speaks its language.
        max_bytes: Longest input, a few events. Longer ones are slow and show nothing new.
        share: Of the time that all of them have together.
    """

    dictionary: str
    max_bytes: int
    share: int


HARNESSES: Final = {
    "sse": Harness("sse", 256, 3),  # the fastest, and the most exposed
    "ndjson": Harness("openai_chat", 256, 1),
    "openai_chat": Harness("openai_chat", 768, 2),
    "azure_chat": Harness("openai_chat", 768, 1),
    "openai_responses": Harness("openai_responses", 768, 2),
    "anthropic": Harness("anthropic", 768, 2),
    "gemini": Harness("gemini", 768, 2),
    "ollama": Harness("ollama", 768, 1),
    "exchange": Harness("response", 768, 2),
    "splits": Harness("response", 768, 2),
    "body_framing": Harness("http1", 384, 2),
    "tls_records": Harness("tls_records", 256, 1),
    "responses_session": Harness("responses_session", 768, 2),
    "realtime_session": Harness("realtime_session", 768, 2),
}

#: The wire formats, by what the folders of streams and their harnesses are called, and where their
#: recordings are, with the prefix of their names: those of Azure lie among the others.
_RECORDINGS: Final = {
    "openai_chat": ("chat_completions", ""),
    "azure_chat": ("chat_completions", "azure"),
    "openai_responses": ("responses", ""),
    "anthropic": ("anthropic_messages", ""),
    "gemini": ("gemini_generate", ""),
    "ollama": ("ollama_chat", ""),
}

#: Heads of chunked responses, the sizes that chunks begin with, and a head of other responses, for
#: the fuzzer that compares with h11.
_HEADS_OF_CHUNKS: Final = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\nconnection: close\nTransfer-Encoding: Chunked\n\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
)
_SIZE_LINES: Final = (b"%x\r\n", b"%08X\r\n", b"%x;a=b\r\n", b"%x  \r\n")
_OTHER_HEAD: Final = b"HTTP/1.1 200 OK\r\n%s\r\n"

_HERE: Final = Path(__file__).parent
_OWN_STREAMS: Final = _HERE.parent / "tests" / "data"
_SCRIPTS: Final = _HERE / "scripts"
_ENTRY: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


def seeds(name: str) -> list[bytes]:
    """Return real inputs for a harness: the suite's streams, and recordings where they are."""
    size = HARNESSES[name].max_bytes
    match name:
        case "sse":
            bodies = [_opening_and_end(body, size) for body in _bodies("openai_chat")]
            found = [*bodies, *_conformance_cases()]
        case "ndjson":
            found = [*_bodies("ollama"), *map(_data_lines, _bodies("openai_chat"))]
        case "exchange" | "splits":
            found = list(_responses(size))
        case "body_framing":
            found = list(_framed_responses(size // 4))
        case "responses_session" | "realtime_session" | "tls_records":
            found = [file.read_bytes() for file in sorted((_SCRIPTS / name).iterdir())]
        case wire:
            # Azure's chunks are chat completions, and more.
            wires = ("openai_chat", wire) if wire == "azure_chat" else (wire,)
            bodies = [body for one in wires for body in _bodies(one)]
            found = [_short_lines(_data_lines(body), size) for body in bodies]
    return sorted({seed[:size] for seed in found if seed})


def dictionary(name: str) -> list[bytes]:
    """Return the words of a harness's dictionary."""
    text = dictionary_file(name).read_text(encoding="utf-8")
    entries = (_ENTRY.search(line) for line in text.splitlines() if not line.startswith("#"))
    return [_unescaped(entry[1]) for entry in entries if entry]


def dictionary_file(name: str) -> Path:
    """Return where a harness's dictionary is, in libFuzzer's format."""
    return _HERE / "dictionaries" / f"{HARNESSES[name].dictionary}.dict"


def inputs(name: str) -> SearchStrategy[bytes]:
    """Return a Hypothesis strategy of inputs: pieces of seeds, words and noise, joined."""
    from hypothesis import strategies as st

    known = seeds(name)
    whole = st.sampled_from(known)
    position = st.integers(0, HARNESSES[name].max_bytes)
    piece = st.builds(_slice, whole, position, position)
    beginning = st.builds(_slice, whole, st.just(0), position)
    noise = st.binary(max_size=20)
    words = st.sampled_from(dictionary(name))
    parts = st.lists(piece | words | noise, max_size=6).map(b"".join)
    return whole | st.builds(_joined, beginning, parts)


def _slice(seed: bytes, one: int, other: int) -> bytes:
    return seed[min(one, other) : max(one, other)]


def _joined(one: bytes, other: bytes) -> bytes:
    return one + other


def _unescaped(word: str) -> bytes:
    return re.sub(
        rb"\\(x([0-9a-fA-F]{2})|.)",
        lambda found: bytes.fromhex(found[2].decode()) if found[2] else found[1],
        word.encode(),
    )


def _bodies(wire: str) -> Iterator[bytes]:
    yield from (file.read_bytes() for file in [*_own_streams(wire), *_recordings(wire)])


def _own_streams(wire: str) -> list[Path]:
    return sorted(file for file in (_OWN_STREAMS / wire).iterdir() if file.suffix != ".json")


def _recordings(wire: str) -> list[Path]:
    corpus = os.environ.get("TOKENWIRE_CORPUS")
    api, prefix = _RECORDINGS[wire]
    return sorted(Path(corpus, api).glob(f"{prefix}*/body.bin")) if corpus else []


def _opening_and_end(body: bytes, size: int) -> bytes:
    """Shorten a body to its beginning and its last events."""
    if len(body) <= size:
        return body
    _, _, end = body[-size // 4 :].partition(b"\n\n")
    return body[: size // 2] + b'"}}]}\n\n' + end


def _data_lines(body: bytes) -> bytes:
    """Return the JSON texts of an event stream, one a line; names of events remain."""
    return b"\n".join(
        line.strip().removeprefix(b"data:").strip() for line in body.split(b"\n") if line.strip()
    )


def _short_lines(lines: bytes, size: int) -> bytes:
    """Shorten lines to those at the beginning and the end, without those that are long."""
    if len(lines) <= size:
        return lines
    short = [line for line in lines.split(b"\n") if len(line) <= size // 3]
    return _fitting(short, size // 2) + b"\n" + _fitting(short[::-1], size // 2, reverse=True)


def _fitting(lines: list[bytes], size: int, *, reverse: bool = False) -> bytes:
    """Join as many of the first lines as fit."""
    ends = itertools.accumulate(len(line) + 1 for line in lines)
    fitting = [line for line, end in zip(lines, ends, strict=True) if end <= size]
    return b"\n".join(fitting[::-1] if reverse else fitting)


def _responses(size: int) -> Iterator[bytes]:
    """Give whole responses in the format of `fuzz.exchanges.parse_response`."""
    for wire in _RECORDINGS:
        kind = wire.replace("_", "-")
        for file in _own_streams(wire):
            for head in ("200 clean", "200 cut"):
                yield f"{head} {kind}\n\n".encode() + file.read_bytes()
        for file in _recordings(wire):
            yield _recorded_response(kind, file, size)


def _recorded_response(kind: str, file: Path, size: int) -> bytes:
    meta = json.loads(file.with_name("meta.json").read_bytes())
    lines = [
        f"{meta['status']} clean {kind}",
        *(f"{name}: {value}" for name, value in meta["headers"]),
    ]
    opening = "\n".join(lines[:8]).encode("latin-1", "replace")
    return opening + b"\n\n" + _opening_and_end(file.read_bytes(), size // 2)


def _framed_responses(size: int) -> Iterator[bytes]:
    """Give responses as they go over the wire, with the beginnings of streams in every framing."""
    for file in _own_streams("openai_chat")[:6]:
        content = file.read_bytes()[:size]
        pieces = content.splitlines(keepends=True)
        for head in (b"", *_HEADS_OF_CHUNKS):
            for size_line in _SIZE_LINES:
                chunks = (size_line % len(piece) + piece + b"\r\n" for piece in pieces)
                yield b"".join((head, *chunks, b"0\r\n\r\n"))
        yield _OTHER_HEAD % (b"content-length: %d\r\n" % len(content)) + content
        yield _OTHER_HEAD % b"" + content


def _conformance_cases() -> Iterator[bytes]:
    cases = os.environ.get("TOKENWIRE_SSE_CASES")
    for case in json.loads(Path(cases).read_bytes()) if cases else ():
        yield base64.b64decode(case["input_b64"])
