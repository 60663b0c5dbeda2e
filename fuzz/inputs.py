"""Where inputs come from: the suite's own streams, recordings, the words of dictionaries.

Nothing here imports the library, so that a fuzzer can do it under instrumentation.
"""

from __future__ import annotations

import base64
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
    """

    dictionary: str
    max_bytes: int


HARNESSES: Final = {
    "sse": Harness("sse", 256),
    "ndjson": Harness("openai_chat", 256),
    "openai_chat": Harness("openai_chat", 768),
    "exchange": Harness("response", 768),
    "splits": Harness("response", 768),
}

_HERE: Final = Path(__file__).parent
_OWN_STREAMS: Final = _HERE.parent / "tests" / "data" / "openai_chat"
_ENTRY: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


def seeds(name: str) -> list[bytes]:
    """Return real inputs for a harness: the suite's streams, and recordings where they are."""
    size = HARNESSES[name].max_bytes
    bodies = [_opening_and_end(body, size) for body in _bodies("chat_completions")]
    match name:
        case "sse":
            found = [*bodies, *_conformance_cases()]
        case "ndjson":
            found = [*_bodies("ollama_chat"), *map(_data_lines, bodies)]
        case "openai_chat":
            found = [_data_lines(body) for body in bodies]
        case _:
            found = list(_responses(size))
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


def _bodies(api: str) -> Iterator[bytes]:
    if api == "chat_completions":
        yield from (file.read_bytes() for file in sorted(_OWN_STREAMS.glob("*.sse")))
    yield from (file.read_bytes() for file in _recordings(api))


def _recordings(api: str) -> list[Path]:
    corpus = os.environ.get("TOKENWIRE_CORPUS")
    return sorted(Path(corpus, api).glob("*/body.bin")) if corpus else []


def _opening_and_end(body: bytes, size: int) -> bytes:
    """Shorten a body to its beginning and its last events."""
    if len(body) <= size:
        return body
    _, _, end = body[-size // 4 :].partition(b"\n\n")
    return body[: size // 2] + b'"}}]}\n\n' + end


def _data_lines(body: bytes) -> bytes:
    """Return the JSON texts of an event stream, one a line."""
    return b"\n".join(
        line.strip().removeprefix(b"data:").strip() for line in body.split(b"\n") if line.strip()
    )


#: Where recordings of each wire format are, for those that have another than chat completions.
_RECORDED_WIRES: Final = {
    "anthropic": "anthropic_messages",
    "gemini": "gemini_generate",
    "ollama": "ollama_chat",
    "openai-responses": "responses",
}


def _responses(size: int) -> Iterator[bytes]:
    """Give whole responses in the format of `fuzz.exchanges.parse_response`."""
    yield from _own_responses()
    yield from _recorded_responses("openai-chat", "chat_completions", size)
    for wire, api in _RECORDED_WIRES.items():
        yield from _recorded_responses(wire, api, size)


def _own_responses() -> Iterator[bytes]:
    for file in sorted(_OWN_STREAMS.glob("*.sse")):
        for head in (b"200 clean", b"200 cut"):
            yield head + b"\ncontent-type: text/event-stream\n\n" + file.read_bytes()


def _recorded_responses(wire: str, api: str, size: int) -> Iterator[bytes]:
    for file in _recordings(api):
        meta = json.loads(file.with_name("meta.json").read_bytes())
        lines = [
            f"{meta['status']} clean {wire}",
            *(f"{name}: {value}" for name, value in meta["headers"]),
        ]
        opening = "\n".join(lines[:8]).encode("latin-1", "replace")
        yield opening + b"\n\n" + _opening_and_end(file.read_bytes(), size // 2)


def _conformance_cases() -> Iterator[bytes]:
    cases = os.environ.get("TOKENWIRE_SSE_CASES")
    for case in json.loads(Path(cases).read_bytes()) if cases else ():
        yield base64.b64decode(case["input_b64"])
