"""Medians, percentiles, and ratios within rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import final

import attrs


@final
@attrs.frozen
class Spread:
    """What a figure was over the rounds."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up one value a round, at least one."""
        known = sorted(values)
        return cls(median(known), known[0], known[-1], len(known))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least value that so many percent of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def ratio(values: Mapping[int, float], reference: Mapping[int, float]) -> Spread | None:
    """Divide figures of the same rounds, and sum up; None if no round has both."""
    shared = [values[number] / reference[number] for number in values if number in reference]
    return Spread.of(shared) if shared else None
