"""What tests count and measure is printed at the end of a run, also where they pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

#: Takes a line for the end of the report.
Figures: TypeAlias = Callable[[str], None]

_LINES = pytest.StashKey[list[str]]()


def figures_of(config: pytest.Config) -> Figures:
    """Return a function that takes lines for the end of a run's report."""
    return config.stash.setdefault(_LINES, list[str]()).append


def report_figures(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the lines."""
    lines = config.stash.get(_LINES, list[str]())
    if lines:
        terminal.section("figures")
    for line in dict.fromkeys(lines):  # several tests may count the same
        terminal.line(line)
