"""Bulk work on a Dask cluster, in the extra `dask`.

It imports nothing of Dask's: whoever has a bag has that already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

from tokenwire_trio.bulk.partition import WorkerSettings, ask_records


class Partitioned(Protocol):
    """What maps a function over its partitions, as `dask.bag.Bag` does."""

    def map_partitions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Return the same kind of collection, of what the function makes of each partition."""
        ...


_Bag = TypeVar("_Bag", bound=Partitioned)


def ask_bag(questions: _Bag, settings: WorkerSettings) -> _Bag:
    """Ask each question of a Dask bag, on whatever workers compute it.

    Nothing is asked before the result is computed, and what is computed twice is asked twice:
    `persist` the result or write it to files, and compute everything else from that. A partition
    is asked again, too, where its worker was lost.

    Args:
        questions: A `dask.bag.Bag` of records, for instance
            ``dask.bag.read_text("questions-*.jsonl").map(json.loads)``.
        settings: Whom to ask, and how; for each partition on its own.

    Returns:
        A bag of results in the same order, a partition for each of the questions'; see
        `ask_records` for their form.
    """
    return questions.map_partitions(ask_records, settings=settings)
