"""Thousands of answers leave descriptors, tasks and memory where they were.

One after the other 1,000 by default, and 10,000 with ``TOKENWIRE_EXHAUSTIVE=1``.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

import pytest
import trio

from tests.figures import Figures
from tests.patience import HANGS_S
from tests.trio_backend.leaks import living_tasks, open_descriptors
from tests.trio_backend.providers import HELLO, provider_section
from tokenwire_trio import HTTPProvider, open_provider
from tokenwire_trio.testing import SCENARIOS, serve

SEQUENTIAL: Final = 10_000 if os.environ.get("TOKENWIRE_EXHAUSTIVE") else 1_000
CONCURRENT: Final = 1_000

#: Caches and free lists of the interpreter and its libraries, which do not grow with the answers.
_SLACK_BLOCKS: Final = 2_000


class Held(NamedTuple):
    """What a process holds.

    Attributes:
        descriptors: Open files and sockets.
        tasks: Living tasks.
        blocks: Blocks of memory that Python's allocator gave out.
    """

    descriptors: int
    tasks: int
    blocks: int

    @classmethod
    def now(cls) -> Self:
        """Count, when what nobody refers to is gone."""
        gc.collect()
        return cls(open_descriptors(), living_tasks(), sys.getallocatedblocks())


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let the process open two descriptors for each call at a time, and some more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * CONCURRENT + 200
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        pytest.skip(f"{needed} descriptors are needed, and {hard} allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def ask(provider: HTTPProvider) -> None:
    """Read one answer."""
    async with provider.complete(HELLO) as stream:
        assert (await stream.collect()).text == "Hello"


async def ask_many(provider: HTTPProvider, times: int) -> None:
    """Read answers one after the other."""
    for _ in range(times):
        await ask(provider)


async def ask_at_once(provider: HTTPProvider, times: int) -> None:
    """Read answers at the same time."""
    async with trio.open_nursery() as nursery:
        for _ in range(times):
            nursery.start_soon(ask, provider)


async def settled(before: Held) -> Held:
    """Count when the server has noticed that its clients are gone, for which it has its time."""
    after = Held.now()
    with trio.move_on_after(HANGS_S):
        await trio.lowlevel.checkpoint()
        while after.descriptors > before.descriptors or after.tasks > before.tasks:
            await trio.sleep(0.01)
            after = Held.now()
    return after


def compare(what: str, before: Held, after: Held, figures: Figures) -> None:
    """Check that nothing grew."""
    figures(
        f"{what}: {before.descriptors} descriptors before and {after.descriptors} after,"
        f" {before.tasks} and {after.tasks} tasks,"
        f" {after.blocks - before.blocks:+} of {before.blocks} blocks of memory"
    )
    assert after.descriptors <= before.descriptors
    assert after.tasks <= before.tasks
    assert after.blocks - before.blocks < _SLACK_BLOCKS


async def test_answers_one_after_the_other_leave_nothing(figures: Figures) -> None:
    """Each call gives back all that it took."""
    async with (
        serve(SCENARIOS["well-behaved"]) as server,
        open_provider(provider_section(server.base_url)) as provider,
    ):
        await ask_many(provider, 100)
        server.visits.clear()
        before = Held.now()
        await ask_many(provider, SEQUENTIAL)
        server.visits.clear()
        after = await settled(before)
    compare(f"{SEQUENTIAL} answers one after the other", before, after, figures)


@pytest.mark.usefixtures("many_descriptors")
async def test_answers_at_the_same_time_leave_nothing(figures: Figures) -> None:
    """So do many calls that share a provider."""
    before = Held.now()
    async with (
        serve(SCENARIOS["well-behaved"]) as server,
        open_provider(provider_section(server.base_url)) as provider,
    ):
        await ask_at_once(provider, CONCURRENT)
    del server, provider
    after = await settled(before)
    compare(f"{CONCURRENT} answers at the same time", before, after, figures)
