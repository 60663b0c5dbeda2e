"""Where `tokenwire chat` gets its lines from: a person at a terminal, or a file or pipe."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol, final

from tokenwire_trio.cli.outlet import Outlet
from tokenwire_trio.cli.refusal import Refusal

_PROMPT: Final = "> "
_CONTINUED_PROMPT: Final = "| "

#: A line that ends so goes on in the next one.
_CONTINUES: Final = "\\"


class Lines(Protocol):
    """A source of lines."""

    def read(self, prompt: str) -> str | None:
        """Return the next line, without its end; None where no more comes."""
        ...


def read_turn(lines: Lines, prompt: str = _PROMPT) -> str | None:
    """Return what the person says next, mostly one line; None if that was all."""
    text = lines.read(prompt)
    while text is not None and text.endswith(_CONTINUES):
        more = lines.read(_CONTINUED_PROMPT)
        text = text.removesuffix(_CONTINUES)
        if more is None:
            break
        text = f"{text}\n{more}"
    return text


@final
class TerminalLines:
    """Lines that a person types, with a history and the usual keys where Python has readline.

    `input` reads them in the main thread: only there readline hears of Ctrl-C, and of a window that
    changes its size.
    """

    def __init__(self, stdout: Outlet, stderr: Outlet) -> None:
        self._stderr = stderr
        # `input` would write its prompt into a file.
        self._shows_prompt = not stdout.terminal
        _prepare_readline()

    def read(self, prompt: str) -> str | None:
        """Return a line; Ctrl-C drops what is typed, and a second one ends it all like Ctrl-D."""
        interrupted = False
        while True:
            try:
                return self._input(prompt)
            except EOFError:
                self._stderr.write("\n")
                return None
            except KeyboardInterrupt:
                self._stderr.write("\n")
                if interrupted:
                    return None
                interrupted = True
                self._stderr.notice("Ctrl-C again or Ctrl-D leaves", dim=True)

    def _input(self, prompt: str) -> str:
        if self._shows_prompt:
            self._stderr.write(prompt)
            return input()
        return input(prompt)


def _prepare_readline() -> None:
    """Turn on line editing; a text of several lines that is pasted is then one turn."""
    try:
        import readline
    except ImportError:  # Windows, where the console edits lines by itself
        return
    readline.parse_and_bind("set enable-bracketed-paste on")


@final
class PipedLines:
    """Lines of standard input, which is UTF-8 whatever the locale."""

    def read(self, prompt: str) -> str | None:
        """Return the next line; nobody is there to be prompted.

        Raises:
            Refusal: If it is no text.
        """
        line = b"" if sys.stdin is None else sys.stdin.buffer.readline()  # None where it is closed
        if not line:
            return None
        try:
            return line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise Refusal("standard input is no UTF-8 text") from None


@contextmanager
def keyboard_unheard() -> Generator[None, None, None]:
    """Keep what is typed off the screen until the next prompt, which then shows it.

    Echoed into the middle of an answer it would upset what is drawn there.
    """
    try:
        import termios
    except ImportError:  # Windows echoes nothing unless somebody reads
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    flags, echo = before[3], termios.ECHO
    assert isinstance(flags, int)
    termios.tcsetattr(keyboard, termios.TCSADRAIN, [*before[:3], flags & ~echo, *before[4:]])
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
