"""What a person sees of `tokenwire batch` while it runs, and when it ends."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import pytest
import trio
from rich.console import Console
from trio.testing import MockClock

from tokenwire import AuthError, Completion, NetworkError
from tokenwire_trio.bulk import Failed
from tokenwire_trio.cli.batch_plan import Plan
from tokenwire_trio.cli.batch_progress import Progress, ProgressDisplay, Speedometer, clock
from tokenwire_trio.cli.batch_questions import QuestionFile
from tokenwire_trio.cli.batch_summary import Summary
from tokenwire_trio.cli.batch_tally import Tally
from tokenwire_trio.cli.outlet import Outlet

_HALFWAY = Progress(done=412, total=1000, failed=3, tokens_per_s=1234.5, left_s=151)


def drawn(progress: Progress, width: int) -> str:
    """Return the bar as a terminal shows it."""
    console = Console(file=io.StringIO(), width=width + 1, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(progress.bar(width))
    return capture.get().removesuffix("\n")


@pytest.mark.parametrize(
    ("width", "parts"),
    [
        (120, r"412/1,000 ━+ 41 % ~1,234 tok/s 2:31 left 3 failed"),
        (79, r"412/1,000 ━+ 41 % ~1,234 tok/s 2:31 left 3 failed"),
        (39, r"412/1,000 ━+ 2:31 left 3 failed"),
        (28, r"412/1,000 ━+ 2:31 left"),
        (18, r"412/1,000 ━+"),
    ],
)
def test_a_bar_shows_what_fits(width: int, parts: str) -> None:
    """The count and a bar always, the time left before the rest, all on one line."""
    line = drawn(_HALFWAY, width)
    assert len(line) == width
    assert re.fullmatch(parts.replace("━+", "[━╸ ]+"), line.rstrip())


@pytest.mark.parametrize("width", range(16, 130))
def test_a_bar_never_wraps(width: int) -> None:
    """However narrow the terminal, and however large the numbers."""
    late = Progress(done=999_999, total=1_000_000, failed=99_999, tokens_per_s=1e6, left_s=1e6)
    for progress in (_HALFWAY, late):
        assert "\n" not in drawn(progress, width)


def test_nothing_is_said_of_what_is_not_known_yet() -> None:
    """Neither a speed nor a time left, before anything has come."""
    start = Progress(done=0, total=10, failed=0, tokens_per_s=None, left_s=None)
    assert start.line() == "0 of 10 lines (0 %)"
    assert re.fullmatch(r"0/10 +0 % *", drawn(start, 79))


def test_a_line_says_the_same_in_words() -> None:
    """For logs."""
    assert _HALFWAY.line() == "412 of 1,000 lines (41 %), 3 failed, ~1,234 tok/s, 2:31 left"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")]
)
def test_times_are_written_as_clocks_show_them(seconds: float, shown: str) -> None:
    """Rounded to seconds."""
    assert clock(seconds) == shown


async def test_the_speed_is_that_of_the_last_seconds(autojump_clock: MockClock) -> None:
    """The time left is by all that was done."""
    speedometer = Speedometer(100)
    assert speedometer.read(done=0, failed=0, deltas=0).tokens_per_s is None
    readings: list[Progress] = []
    for second in range(1, 21):
        await trio.sleep(1)
        # Nothing at first, then fast.
        deltas = max(0, second - 10) * 50
        readings.append(speedometer.read(done=second, failed=0, deltas=deltas))
    assert readings[-1].tokens_per_s == pytest.approx(50)
    assert readings[-1].left_s == pytest.approx(80)


async def test_a_file_gets_a_line_now_and_then(autojump_clock: MockClock) -> None:
    """Every half minute, so that a log of a night can be read."""
    file = io.StringIO()
    display = ProgressDisplay(Outlet(file))
    with trio.move_on_after(100):
        await display.show(lambda: _HALFWAY)
    display.say("Waiting")
    assert file.getvalue() == f"{_HALFWAY.line()}\n" * 3 + "Waiting\n"


def _summary(tally: Tally, *, to_ask: int = 10, answered: int = 0, seconds: float = 1) -> Summary:
    plan = Plan(
        to_ask=to_ask,
        answered=answered,
        failed=Counter[str](),
        questions=QuestionFile("in.jsonl", io.BytesIO(), Path()),
        asks=b"",
    )
    return Summary(plan=plan, tally=tally, seconds=seconds, key_variable="A_KEY")


def test_a_summary_fits_into_a_narrow_terminal() -> None:
    """Errors are broken between words, and cut where they are long."""
    tally = Tally(stop_after=5)
    for error in (
        AuthError(message="Incorrect API key provided. " * 20, status=401, provider="some-server"),
        NetworkError(message="connection refused", phase="tcp"),
    ):
        tally.count(Failed(id=1, error=error, partial=Completion()))
    tally.answered, tally.tokens, tally.exact, tally.retries = 1_234_567, 987_654_321, False, 12_345
    lines = list(_summary(tally, to_ask=2_000_000, answered=7, seconds=3600).lines(39))
    assert max(map(len, lines)) <= 39
    text = "\n".join(lines)
    assert "earlier             7  by earlier runs\n" in text
    assert any(line.endswith("…") for line in lines)
    assert "Incorrect API key" in text
    assert "~987,654,321" in text


def test_a_summary_names_what_is_left() -> None:
    """And nothing that there is none of."""
    assert list(_summary(Tally(stop_after=5), to_ask=3).lines(None)) == [
        "answered            0",
        "not asked           3  run again to ask",
        "time             0:01",
    ]
