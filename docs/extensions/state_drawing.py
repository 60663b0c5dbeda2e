"""Draws the states of an exchange from the table that it obeys, as an SVG.

A state that is added to the table has to be given a place here, or the drawing fails: it can't be
out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

WIDTH, HEIGHT = 720, 280
_BOX_WIDTH, _BOX_HEIGHT = 110, 40

#: The middle of each state's box.
_PLACES: Final = {
    "IDLE": (60, 150),
    "SENT": (230, 150),
    "STREAMING": (445, 150),
    "DONE": (650, 80),
    "FAILED": (650, 235),
}

_STYLE: Final = """
.states rect { fill: none; stroke: currentColor; stroke-width: 1.5; rx: 8px }
.states path { fill: none; stroke: currentColor; stroke-width: 1.2 }
.states text { fill: currentColor; font: 12px sans-serif; text-anchor: middle }
.states .state { font-weight: bold }
.states .step { font-family: monospace; font-size: 11px }
"""


def drawing(transitions: dict[str, dict[str, str]]) -> str:
    """Return the SVG of a transition table.

    Args:
        transitions: The states, and where each step leads from them.

    Raises:
        KeyError: A state has no place in the drawing.
    """
    steps_between: dict[tuple[str, str], list[str]] = {}
    for source, steps in transitions.items():
        for step, target in steps.items():
            steps_between.setdefault((source, target), []).append(step)
    parts = [part for ends, steps in steps_between.items() for part in _arrow(*ends, steps)]
    parts += [part for state in transitions for part in _box(state)]
    return (
        f'<svg class="states" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="The states of an exchange"><style>{_STYLE}</style>'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0 L10 5 L0 10 z"'
        ' style="fill: currentColor"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _box(state: str) -> Iterator[str]:
    x, y = _PLACES[state]
    yield (
        f'<rect x="{x - _BOX_WIDTH / 2}" y="{y - _BOX_HEIGHT / 2}"'
        f' width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}"/>'
    )
    yield f'<text class="state" x="{x}" y="{y + 4}">{escape(state)}</text>'


def _arrow(source: str, target: str, steps: list[str]) -> Iterator[str]:
    """Draw all steps from one state to another as one arrow with a line of text for each."""
    if source == target:
        yield from _loop(source, steps)
        return
    (x1, y1), (x2, y2) = _PLACES[source], _PLACES[target]
    if y1 == y2:
        yield _path(f"M{x1 + _BOX_WIDTH / 2} {y1} L{x2 - _BOX_WIDTH / 2} {y2}")
        yield from _labels((x1 + x2) / 2, y1 - 6 - 13 * (len(steps) - 1), steps)
        return
    # From below or above the box, in a bow, so that arrows to the same state stay apart.
    down = 1 if y2 > y1 else -1
    start_x, start_y = x1 + _BOX_WIDTH / 3, y1 + down * _BOX_HEIGHT / 2
    end_x = x2 - _BOX_WIDTH / 2
    yield _path(f"M{start_x} {start_y} Q{start_x} {y2} {end_x} {y2}")
    middle = start_x + (end_x - start_x) * 0.3
    yield from _labels(middle, y2 + (16 if down > 0 else -8), steps)


def _loop(state: str, steps: list[str]) -> Iterator[str]:
    """Draw the steps that lead from a state to itself, above its box."""
    x, y = _PLACES[state]
    x -= _BOX_WIDTH // 4  # the other arrows that go up leave on the right
    top = y - _BOX_HEIGHT / 2
    yield _path(f"M{x - 16} {top} C{x - 26} {top - 26} {x + 26} {top - 26} {x + 16} {top}")
    yield from _labels(x, top - 24 - 13 * (len(steps) - 1), steps)


def _path(course: str) -> str:
    return f'<path d="{course}" marker-end="url(#tip)"/>'


def _labels(x: float, y: float, steps: list[str]) -> Iterator[str]:
    for line, step in enumerate(steps):
        yield f'<text class="step" x="{x}" y="{y + 13 * line}">{escape(step)}</text>'
