"""How far a run is: a bar on a terminal, else a line now and then."""

from collections import deque
from collections.abc import Callable
from typing import Final, final

import attrs
import trio
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tokenwire_trio.cli.outlet import Outlet

#: Often enough to seem alive, too seldom to cost anything.
_BAR_EVERY_S: Final = 0.2
#: Somebody may read the log of a night.
_LINE_EVERY_S: Final = 30.0

#: What tokens per second are measured over: the last answers, not those of an hour ago.
_SPEED_OVER_S: Final = 10.0

_NARROWEST_BAR: Final = 6

_ERASE_REST: Final = "\x1b[K"


@final
@attrs.frozen(kw_only=True)
class Progress:
    """Where a run stands.

    Attributes:
        done: How many lines have a result.
        total: How many there are to ask in this run.
        failed: How many of those done have failed.
        tokens_per_s: How fast all answers together come; None where nothing has come yet.
        left_s: How long the rest will take, in seconds; None where nothing is done yet.
    """

    done: int
    total: int
    failed: int
    tokens_per_s: float | None
    left_s: float | None

    def line(self) -> str:
        """Say it in words."""
        failed = f"{self.failed:,} failed" if self.failed else ""
        of_all = f"{self.done:,} of {self.total:,} lines ({self._percent})"
        return ", ".join(part for part in (of_all, failed, self._speed, self._time_left) if part)

    def bar(self, width: int) -> Table:
        """Draw it: the bar, and as much of the rest as fits beside it."""
        count = Text(f"{self.done:,}/{self.total:,}")
        bar = ProgressBar(total=max(self.total, 1), completed=self.done, complete_style="green")
        others = self._fitting(width - len(count) - _NARROWEST_BAR)
        table = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        table.width = width
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True)
        for _ in others:
            table.add_column(no_wrap=True)
        table.add_row(count, bar, *others)
        return table

    def _fitting(self, room: int) -> list[Text]:
        """Choose what to show beside the bar: what matters most, put into its usual order."""
        left = Text(self._time_left, style="cyan")
        failed = Text(f"{self.failed:,} failed" if self.failed else "", style="red")
        speed = Text(self._speed)
        percent = Text(self._percent, style="dim")
        chosen: set[int] = set()
        for part in (left, failed, speed, percent):
            if len(part) >= room:
                break
            if part.plain:
                room -= len(part) + 1
                chosen.add(id(part))
        return [part for part in (percent, speed, left, failed) if id(part) in chosen]

    @property
    def _percent(self) -> str:
        return f"{100 * self.done // max(self.total, 1)} %"

    @property
    def _speed(self) -> str:
        return "" if not self.tokens_per_s else f"~{self.tokens_per_s:,.0f} tok/s"

    @property
    def _time_left(self) -> str:
        return "" if self.left_s is None else f"{clock(self.left_s)} left"


def clock(seconds: float) -> str:
    """Write a time as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@final
class Speedometer:
    """Measures how fast the run gets on.

    Args:
        total: How many lines there are to ask.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = trio.current_time()
        self._readings = deque[tuple[float, int]]()

    def read(self, *, done: int, failed: int, deltas: int) -> Progress:
        """Say where the run stands.

        Args:
            done: How many lines have a result.
            failed: How many of those have failed.
            deltas: How many tokens have come so far.
        """
        now = trio.current_time()
        self._readings.append((now, deltas))
        while now - self._readings[0][0] > _SPEED_OVER_S:
            self._readings.popleft()
        return Progress(
            done=done,
            total=self._total,
            failed=failed,
            tokens_per_s=self._tokens_per_s(),
            left_s=(now - self._began) / done * (self._total - done) if done else None,
        )

    def _tokens_per_s(self) -> float | None:
        (since, before), (now, deltas) = self._readings[0], self._readings[-1]
        return (deltas - before) / (now - since) if now > since else None


@final
class ProgressDisplay:
    """Shows where a run stands, and whatever else there is to say meanwhile.

    Args:
        stderr: Where to show it.
    """

    def __init__(self, stderr: Outlet) -> None:
        self._stderr = stderr
        self._console = Console(stderr=True)
        self._draws = (
            stderr.terminal and self._console.is_terminal and not self._console.is_dumb_terminal
        )

    async def show(self, read: Callable[[], Progress]) -> None:
        """Show it again and again, until cancelled.

        Args:
            read: Says where the run stands.
        """
        while not self._draws:
            await trio.sleep(_LINE_EVERY_S)
            self._stderr.line(read().line())
        try:
            while True:
                self._draw(read())
                await trio.sleep(_BAR_EVERY_S)
        finally:
            self._erase()

    def say(self, text: str) -> None:
        """Show what is to stay."""
        self._erase()
        self._stderr.notice(text)

    def _draw(self, progress: Progress) -> None:
        """Draw over what was drawn before. A cursor that was hidden would stay so after a kill."""
        with self._console.capture() as capture:
            # The last column stays free: some terminals begin a line when it is written to.
            self._console.print(progress.bar(self._console.width - 1))
        self._console.file.write("\r" + capture.get().rstrip("\n") + _ERASE_REST)
        self._console.file.flush()

    def _erase(self) -> None:
        if self._draws:
            self._console.file.write("\r" + _ERASE_REST)
            self._console.file.flush()
