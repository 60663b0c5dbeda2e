"""Where text goes: standard output and standard error, which may be one and the same terminal."""

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO, cast, final

import attrs

if TYPE_CHECKING:
    import io

_DIM: Final = "\x1b[2m"
_NORMAL: Final = "\x1b[0m"

#: A model or server that sends control characters could retitle, clear or type into the terminal.
#: Shown as the pictures that Unicode has for them (U+2400 on); C1 controls have none. A carriage
#: return mostly comes with a line feed and is left out.
_VISIBLE: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    ord("\r"): None,
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}
_ONE_LINE: Final = {**_VISIBLE, ord("\n"): " ", ord("\t"): " "}


def visible(text: str) -> str:
    """Return a text as a terminal may get it, with its control characters made visible."""
    return text.translate(_VISIBLE)


@attrs.define
class _Place:
    """A terminal, file or pipe, which both streams may lead to.

    Attributes:
        mid_line: What was written last did not end its line.
    """

    mid_line: bool = False


@final
class Outlet:
    """A text stream that knows whether it is a terminal and in the middle of a line.

    Args:
        stream: Where it writes.
        place: Where the stream leads, if another leads there too.
        verbatim: Add no line ends of our own, unless to a terminal.

    Attributes:
        terminal: It is one.
        styled: It is one that takes escape sequences, and whose user wants them.
    """

    def __init__(
        self, stream: TextIO, place: _Place | None = None, *, verbatim: bool = False
    ) -> None:
        self._stream = stream
        self._place = place or _Place()
        self._verbatim = verbatim
        self.terminal: Final = stream.isatty()
        self.styled: Final = (
            self.terminal
            and not os.environ.get("NO_COLOR")  # empty is unset: https://no-color.org
            and os.environ.get("TERM") != "dumb"
        )

    def write(self, text: str, *, dim: bool = False) -> None:
        """Show `text` now, on a terminal with its control characters made visible."""
        if not text:
            return
        shown = visible(text) if self.terminal else text
        # Each piece is dimmed on its own, so that no end, however sudden, leaves a dim terminal.
        self._stream.write(f"{_DIM}{shown}{_NORMAL}" if dim and self.styled else shown)
        self._stream.flush()
        self._place.mid_line = not text.endswith("\n")

    def fresh_line(self) -> None:
        """End the line that shows where this stream leads, if one is unfinished."""
        if self._place.mid_line and (self.terminal or not self._verbatim):
            self.write("\n")

    def line(self, text: str, *, dim: bool = False) -> None:
        """Show `text` on one line of its own."""
        self.fresh_line()
        self.write(text.translate(_ONE_LINE), dim=dim)
        self.write("\n")

    def notice(self, text: str, *, dim: bool = False, indent: int = 2) -> None:
        """Show `text` like `line`, on a terminal without tearing words apart at its edge.

        Args:
            text: What to show.
            dim: Less visibly than the rest.
            indent: How many spaces begin each line after the first.
        """
        for line in self._wrapped(text, " " * indent) if self.terminal else (text,):
            self.line(line, dim=dim)

    def _wrapped(self, text: str, indent: str) -> list[str]:
        words = text.lstrip(" ")
        lines = textwrap.wrap(
            words,
            shutil.get_terminal_size().columns,
            initial_indent=" " * (len(text) - len(words)),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return lines or [""]


def standard_outlets(*, verbatim: bool = True) -> tuple[Outlet, Outlet]:
    """Return standard output, which a file gets verbatim unless said otherwise, and standard error.

    Args:
        verbatim: Add nothing to what standard output gets.
    """
    stdout = cast("io.TextIOWrapper[BinaryIO]", sys.stdout)
    # In a locale without the answer's characters, an escape says more than an exception.
    stdout.reconfigure(errors="backslashreplace")
    place = _Place()
    same = _lead_to_one_place(stdout, sys.stderr)
    return (
        Outlet(stdout, place, verbatim=verbatim),
        Outlet(sys.stderr, place if same else None),
    )


def _lead_to_one_place(one: TextIO, other: TextIO) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except OSError:
        return False  # not streams of the operating system
