"""What tests of the transport count is printed at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

Figures: TypeAlias = Callable[[str], None]

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Give a function that takes a line for the end of the report."""
    return request.config.stash.setdefault(_FIGURES, list[str]()).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the figures."""
    lines = config.stash.get(_FIGURES, list[str]())
    if lines:
        terminalreporter.section("figures")
    for line in dict.fromkeys(lines):  # several tests may count the same
        terminalreporter.line(line)
