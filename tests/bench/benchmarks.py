"""What is run: benchmarks, their cases, and the clients that take part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, final

import attrs

from tests.bench.clients import CLIENTS
from tests.bench.formats import FORMATS
from tests.bench.parsers import PARSERS
from tests.bench.script import Script

_EVENT_LOOPS: Final = tuple(name for name in CLIENTS if name != "floor")


@final
@attrs.frozen
class Case:
    """One thing that every client does once a round.

    Attributes:
        name: Its name within the benchmark.
        job: What `worker` is asked for, but for the client and the server.
        scheme: ``http`` or ``https``; None if no server takes part.
        clients: Who takes part.
    """

    name: str
    job: Mapping[str, Any]
    scheme: str | None
    clients: Sequence[str]


@final
@attrs.frozen
class Benchmark:
    """Cases that answer one question.

    Attributes:
        question: The question.
        cases: The cases.
        usual: Who takes part unless the command line says otherwise; all if empty.
        fresh: Each measurement has a process of its own, because it is about memory.
    """

    question: str
    cases: Sequence[Case]
    usual: tuple[str, ...] = ()
    fresh: bool = False


def _parse_cases() -> Iterable[Case]:
    for kind in FORMATS:
        knowing = [name for name, parser in PARSERS.items() if kind in parser.kinds]
        for feed in ("16 KiB", "event", "7 bytes") if kind == "openai-chat" else ("16 KiB",):
            job = {"measure": "parse", "kind": kind, "feed": feed, "tokens": 4000}
            yield Case(f"{kind}, {feed}", job, None, knowing)


def _stream_cases() -> Iterable[Case]:
    scripts = (
        Script("firehose", 2000),
        Script("write", 2000),
        Script("paced", 300, interval_us=2_000),
    )
    for scheme in ("http", "https"):
        for script in scripts:
            job = {"measure": "stream", "model": script.model}
            yield Case(f"{scheme}, {script.mode}", job, scheme, list(CLIENTS))


def crowd_case(name: str, scheme: str, script: Script, *, firehose: bool = False) -> Case:
    """Return a case of many answers at a time."""
    job = {"measure": "crowd", "model": script.model, "firehose": firehose}
    return Case(name, job, scheme, _EVENT_LOOPS)


_HUNDRED: Final = Script("paced", 40, interval_us=50_000, group=100)
_THOUSAND: Final = Script("paced", 20, interval_us=100_000, group=1000)

#: How cost grows: about as many tokens a second from 100 streams on.
_SCALE: Final = {
    "1 x 20/s": Script("paced", 60, interval_us=50_000, group=1),
    "10 x 20/s": Script("paced", 60, interval_us=50_000, group=10),
    "100 x 20/s": _HUNDRED,
    "1,000 x 10/s": Script("paced", 20, interval_us=100_000, group=1000),
    "5,000 x 2/s": Script("paced", 8, interval_us=500_000, group=5000),
}


def _each_scheme(measure: str, clients: Sequence[str], **job: int) -> list[Case]:
    return [
        Case(scheme, {"measure": measure, **job}, scheme, clients) for scheme in ("http", "https")
    ]


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "parse": Benchmark("What does a token cost without I/O?", list(_parse_cases())),
    "linear": Benchmark(
        "How does the cost per byte grow with four times as much?",
        [
            Case("7-byte feeds", {"measure": "small feeds"}, None, ["tokenwire"]),
            Case("one line in 256-byte pieces", {"measure": "long line"}, None, ["tokenwire"]),
        ],
    ),
    "stream": Benchmark("What does a token of one stream cost?", list(_stream_cases())),
    "crowd": Benchmark(
        "What do many streams at a time cost, and how late are their tokens?",
        [
            crowd_case("100 x 20/s, http", "http", _HUNDRED),
            crowd_case("100 x 20/s and a firehose, http", "http", _HUNDRED, firehose=True),
            crowd_case("1,000 x 10/s, http", "http", _THOUSAND),
            crowd_case("1,000 x 10/s, https", "https", _THOUSAND),
        ],
        usual=("floor-asyncio", "tokenwire", "openai"),
        fresh=True,
    ),
    "scale": Benchmark(
        "How does the cost of a token grow with the number of streams?",
        [crowd_case(name, "http", script) for name, script in _SCALE.items()],
        usual=("floor-asyncio", "floor-trio", "tokenwire"),
        fresh=True,
    ),
    "first-token": Benchmark(
        "How long does the first token take?",
        _each_scheme("first token", list(CLIENTS), samples=60),
        usual=(
            "floor",
            "floor-asyncio",
            "floor-trio",
            "tokenwire",
            "httpx-sse",
            "openai",
            "openai-trio",
        ),
    ),
    "leave": Benchmark(
        "How soon does the server see that a client leaves in mid-answer?",
        _each_scheme("leave", list(CLIENTS), samples=15),
        usual=("floor", "tokenwire", "openai"),
    ),
}

#: What `imports` measures: what is loaded before, and what is then imported.
IMPORTS: Final[Mapping[str, tuple[str, str]]] = {
    "tokenwire": ("sys", "import tokenwire"),
    # Names are imported when they are first used, so the line above is not the whole price.
    "tokenwire's core for openai-chat": (
        "sys",
        "from tokenwire import Endpoint, Exchange, Message; import tokenwire.wire.openai_chat",
    ),
    "tokenwire_trio": ("sys", "import tokenwire_trio"),
    "trio": ("sys", "import trio"),
    "tokenwire_trio.open_provider after trio": (
        "trio",
        "from tokenwire_trio import open_provider",
    ),
    "httpx + httpx_sse": ("sys", "import httpx, httpx_sse"),
    "openai": ("sys", "import openai"),
    "litellm": ("sys", "import litellm"),
}
