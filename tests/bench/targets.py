"""What this library sets out to reach, and whether a run shows that it does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

import attrs

from tests.bench.figures import Spread, ratio
from tests.bench.results import Results

_FIGURE: Final = "cpu_us_per_token"


@final
@attrs.frozen
class Target:
    """An upper bound for a figure, or for its ratio to another one of the same round.

    Attributes:
        work: What it is about.
        benchmark: The benchmark.
        case: The case.
        at_most: The bound.
        metric: The figure.
        reference: The client to compare with; None bounds the figure itself.
        reference_case: The case to compare with, if another one.
        client: Whose figure it is.
    """

    work: str
    benchmark: str
    case: str
    at_most: float
    reference: str | None = None
    metric: str = _FIGURE
    reference_case: str = ""
    client: str = "tokenwire"

    def measured(self, results: Results) -> Spread | None:
        """Return the figure or the ratio; None if the run does not have it."""
        values = results.values(self.benchmark, self.case, self.client, self.metric)
        if self.reference is None:
            return Spread.of(values.values()) if values else None
        case = self.reference_case or self.case
        return ratio(values, results.values(self.benchmark, case, self.reference, self.metric))


def _stream_targets() -> Iterable[Target]:
    for scheme, least in (("http", 40), ("https", 30)):
        name = f"{scheme}, firehose"
        yield Target(f"{name}: blocking floor", "stream", name, 2, "floor")
        yield Target(f"{name}: AsyncOpenAI", "stream", name, 1 / least, "openai")
    name = "https, write"
    yield Target("https, a segment per token: AsyncOpenAI", "stream", name, 1 / 15, "openai")
    for scheme, least in (("http", 4), ("https", 3)):
        name = f"{scheme}, paced"
        work = f"{scheme}, one wake-up per token"
        yield Target(f"{work}: AsyncOpenAI", "stream", name, 1 / least, "openai")
        yield Target(f"{work}: asyncio floor", "stream", name, 1.2, "floor-asyncio")


def _crowd_targets() -> Iterable[Target]:
    for scheme, memory in (("http", 0.4), ("https", 0.6)):
        name = f"1,000 x 10/s, {scheme}"
        yield Target(f"{name}, CPU: AsyncOpenAI", "crowd", name, 1 / 4, "openai")
        yield Target(f"{name}, p99: AsyncOpenAI", "crowd", name, 1 / 100, "openai", "p99_ms")
        yield Target(
            f"{name}, memory: AsyncOpenAI", "crowd", name, memory, "openai", "kib_per_stream"
        )
    yield Target(
        "5,000 streams, CPU: 100 streams",
        "scale",
        "5,000 x 2/s",
        1.5,
        "tokenwire",
        reference_case="100 x 20/s",
    )


#: Four times as much at the same price a byte is 1, at a quadratic price 4. What fits into the
#: processor's caches is a little cheaper than what does not.
_LINEAR: Final = 1.5

_CHAT: Final = "openai-chat, 16 KiB"

TARGETS: Final = (
    Target("core, 16 KiB feeds: floor decode", "parse", _CHAT, 2.5, "floor"),
    Target("core, 16 KiB feeds: openai Stream", "parse", _CHAT, 1 / 50, "openai"),
    Target("core, an event a feed: openai Stream", "parse", "openai-chat, event", 1 / 35, "openai"),
    Target(
        "core, 7-byte feeds, 4 times as long: per byte",
        "linear",
        "7-byte feeds",
        _LINEAR,
        None,
        "growth",
    ),
    Target(
        "core, 10 MiB line in 256-byte pieces against 2.5 MiB: per byte",
        "linear",
        "one line in 256-byte pieces",
        _LINEAR,
        None,
        "growth",
    ),
    *_stream_targets(),
    *_crowd_targets(),
    Target(
        "first token, warm, https: AsyncOpenAI", "first-token", "https", 1 / 5, "openai", "warm_ms"
    ),
    Target(
        "first token, warm, https: bare socket", "first-token", "https", 1.1, "floor", "warm_ms"
    ),
    Target("leaving, http, until the server sees it: ms", "leave", "http", 2, None, "left_ms"),
    Target("leaving, https, until the server sees it: ms", "leave", "https", 2, None, "left_ms"),
    Target("import tokenwire: CPU ms", "imports", "import", 60, None, "cpu_ms"),
    Target(
        "import tokenwire, and what a program uses of it: CPU ms",
        "imports",
        "import",
        60,
        None,
        "cpu_ms",
        client="tokenwire's core for openai-chat",
    ),
    Target(
        "import tokenwire_trio's provider, over trio: CPU ms",
        "imports",
        "import",
        60,
        None,
        "cpu_ms",
        client="tokenwire_trio.open_provider after trio",
    ),
)
