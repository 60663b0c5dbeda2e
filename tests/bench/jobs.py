"""What a client's process is asked to measure, and how it does so."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeAlias, final

from tests.bench.clients import Client, Read, Target
from tests.bench.control import control
from tests.bench.figures import percentile
from tests.bench.loops import Task, run, sleep, together
from tests.bench.memory import resident_bytes
from tests.bench.script import ENDLESS, Script, sent_ns

#: What was measured, by the names of `benchmarks`.
Metrics: TypeAlias = Mapping[str, float | list[int]]

#: Fast clients repeat an answer until it took that much CPU time, in nanoseconds.
_ENOUGH_CPU_NS: Final = 60_000_000
_MOST_REPEATS: Final = 20

#: How long the server has to notice that a client left, in seconds.
_LEAVE_PAUSE_S: Final = 0.02

_WARM_UP: Final = Script("write", 20)

_NS_PER_MS: Final = 1e6


class WrongText(Exception):
    """A client read something else than what was sent."""


class _Enough(Exception):
    """Leaves an answer in its middle."""


def stream(client: Client, target: Target, script: Script) -> Metrics:
    """Measure the CPU time per token of one answer at a time, and of paced ones the latency."""

    async def main() -> Metrics:
        async with client.load()(target) as read:
            await _read_all(read, _WARM_UP)
            cpu_ns = tokens = 0
            latencies: list[float] = []
            for _ in range(1 if script.mode == "paced" else _MOST_REPEATS):
                before = time.process_time_ns()
                latencies += await _read_all(read, script)
                cpu_ns += time.process_time_ns() - before
                tokens += script.tokens
                if cpu_ns > _ENOUGH_CPU_NS:
                    break
        return {"cpu_us_per_token": cpu_ns / tokens / 1000, **_latency_metrics(latencies)}

    return run(client.loop, main)


async def _read_all(read: Read, script: Script) -> list[float]:
    """Read an answer, check it, and return the latencies of a paced one in milliseconds."""
    texts: list[str] = []
    if script.mode != "paced":
        await read(script.model, texts.append)
        _check(script, texts)
        return []
    arrivals: list[int] = []

    def take(text: str) -> None:
        arrivals.append(time.monotonic_ns())
        texts.append(text)

    await read(script.model, take)
    _check(script, texts)
    # The first token comes with the response head.
    pairs = zip(texts[1:], arrivals[1:], strict=True)
    return [(arrival - sent_ns(text)) / _NS_PER_MS for text, arrival in pairs]


def _check(script: Script, texts: list[str]) -> None:
    if script.digest_of(texts) != script.digest:
        raise WrongText(f"{len(texts)} texts are not the {script.tokens} that were sent")


def _latency_metrics(latencies: list[float]) -> dict[str, float]:
    if not latencies:
        return {}
    return {"p50_ms": percentile(latencies, 50), "p99_ms": percentile(latencies, 99)}


def crowd(client: Client, target: Target, script: Script, *, firehose: bool = False) -> Metrics:
    """Measure many paced answers at a time, from when all are open.

    Args:
        client: Who reads.
        target: Where.
        script: One of the answers, of which its `group` says how many there are.
        firehose: Read one endless firehose as well.
    """

    async def main() -> Metrics:
        async with client.load()(target) as read:
            await _read_all(read, _WARM_UP)
            measured = _Crowd(read, script, target)
            tasks: list[Task] = [measured.one for _ in range(script.group)]
            if firehose:
                tasks.append(measured.firehose)
            await together(client.loop, tasks)
        return measured.metrics()

    return run(client.loop, main)


@final
class _Crowd:
    def __init__(self, read: Read, script: Script, target: Target) -> None:
        self._read = read
        self._script = script
        self._control_port = target.control_port
        self._missing = self._unfinished = script.group
        self._latencies: list[float] = []
        self._memory_before = resident_bytes()
        self._memory_open = 0
        self._cpu_ns = 0

    async def one(self) -> None:
        texts: list[str] = []

        def take(text: str) -> None:
            if texts:
                self._latencies.append((time.monotonic_ns() - sent_ns(text)) / _NS_PER_MS)
            else:
                self._opened()
            texts.append(text)

        await self._read(self._script.model, take)
        self._unfinished -= 1
        if not self._unfinished:
            self._cpu_ns = time.process_time_ns() - self._cpu_ns
        _check(self._script, texts)

    def _opened(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._memory_open = resident_bytes()
            control(self._control_port, f"/begin/{self._script.model}")
            self._cpu_ns = time.process_time_ns()

    async def firehose(self) -> None:
        def take(_: str) -> None:
            if not self._unfinished:
                raise _Enough

        with suppress(_Enough):
            await self._read(Script("firehose", ENDLESS).model, take)

    def metrics(self) -> Metrics:
        tokens = self._script.group * (self._script.tokens - 1)
        memory = self._memory_open - self._memory_before
        return {
            "cpu_us_per_token": self._cpu_ns / tokens / 1000,
            "kib_per_stream": memory / self._script.group / 1024,
            **_latency_metrics(self._latencies),
        }


def first_token(client: Client, target: Target, *, samples: int) -> Metrics:
    """Measure the time to the first token, on connections that are new and on one that is open.

    And the CPU time of a whole small answer on the open one, which a busy machine disturbs less.
    """
    open_session = client.load()
    script = Script("write", 3)

    async def main() -> Metrics:
        cold: list[float] = []
        async with open_session(target) as read:
            await _time_to_first(read, script)
            cpu_ns = time.process_time_ns()
            warm = [await _time_to_first(read, script) for _ in range(samples)]
            cpu_ns = time.process_time_ns() - cpu_ns
        for _ in range(samples):
            async with open_session(target) as read:
                cold.append(await _time_to_first(read, script))
        return {
            "cold_ms": percentile(cold, 50),
            "warm_ms": percentile(warm, 50),
            "warm_cpu_ms": cpu_ns / samples / _NS_PER_MS,
        }

    return run(client.loop, main)


async def _time_to_first(read: Read, script: Script) -> float:
    texts: list[str] = []
    arrivals: list[int] = []

    def take(text: str) -> None:
        arrivals.append(time.monotonic_ns())
        texts.append(text)

    asked = time.monotonic_ns()
    await read(script.model, take)
    _check(script, texts)
    return (arrivals[0] - asked) / _NS_PER_MS


def leave(client: Client, target: Target, *, samples: int) -> Metrics:
    """Leave answers in their middle by an error, without any help of the garbage collector.

    Whoever asked compares the times with those at which the server noticed.
    """
    script = Script("paced", 10_000, interval_us=2_000)

    async def main() -> Metrics:
        gc.disable()
        left_ns = [await _leave(client, target, script) for _ in range(samples)]
        return {"left_ns": left_ns}

    try:
        return run(client.loop, main)
    finally:
        gc.enable()


async def _leave(client: Client, target: Target, script: Script) -> int:
    texts: list[str] = []
    left_ns = 0

    def take(text: str) -> None:
        nonlocal left_ns
        texts.append(text)
        if len(texts) == 5:
            left_ns = time.monotonic_ns()
            raise _Enough

    async with client.load()(target) as read:
        with suppress(_Enough):
            await read(script.model, take)
        # The session stays open meanwhile: leaving the answer has to be enough.
        await sleep(client.loop, _LEAVE_PAUSE_S)
    return left_ns
