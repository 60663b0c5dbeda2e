"""Reads the pages of the documentation and runs what stands in their blocks of code.

A page is a sitting: its blocks run from top to bottom in one folder, so that a command finds the
file that a block above it showed. What a block is follows from its language:

- ``python``: a program, or tests for pytest-trio if it defines any;
- ``console``: the lines behind ``$`` are commands, and must succeed; what stands below them shows
  what they print, and is not compared;
- ``toml``, ``json``, ``jsonl``: must be valid; TOML is a configuration of ours.

An HTML comment before a block, which no reader sees, can say more: ``file: NAME`` writes the block
to that file, ``exit: N`` is the exit code of its last command, ``not run: WHY`` leaves it out.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, final

import attrs
import msgspec
import trio
from trio.testing import MockClock

from tests.trio_backend.cli_process import child_environment
from tokenwire import Config

#: Commands that make environments are tried by CI, which starts from none.
_SETTING_UP: Final = re.compile(r"(make|pip|git|python3? -m pip|\.ci/run)\b")

_BLOCK: Final = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*?) -->\n+)?^```(?P<language>[\w-]+)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@final
@attrs.frozen
class Block:
    """A block of code.

    Attributes:
        language: The word behind the opening fence.
        code: What stands between the fences.
        line: The line of the page on which `code` begins, from 1.
        note: The comment before it, empty where there is none.
    """

    language: str
    code: str
    line: int
    note: str

    def noted(self, word: str) -> str | None:
        """Return what the note says behind a word, None if it says nothing of the kind."""
        label, _, value = self.note.partition(": ")
        return value if label == word else None


def blocks_of(page: Path) -> Iterator[Block]:
    """Return the blocks of a page that name a language."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Block(match["language"], match["code"], line, match["note"] or "")


def execute(page: Path, block: Block) -> dict[str, Any]:
    """Run a block of Python as a program, and return what it defines.

    Args:
        page: Where it stands, for tracebacks.
        block: The block.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    above = "\n" * (block.line - 1)  # so that tracebacks name the page's lines
    exec(compile(above + block.code, str(page), "exec"), names)  # noqa: S102  # our own
    return names


def run_tests(names: dict[str, Any]) -> int:
    """Run the tests among what a block defines, as pytest-trio would; return how many there are."""
    tests = [value for name, value in names.items() if name.startswith("test_")]
    for test in tests:
        _run_test(test)
    return len(tests)


@final
class Sitting:
    """Runs the blocks of one page.

    Args:
        page: The page, for messages and tracebacks.
        folder: Where programs and commands run.
        environment: The variables that they have besides those of the suite.
    """

    def __init__(self, page: Path, folder: Path, environment: dict[str, str]) -> None:
        self._page = page
        self._folder = folder
        self._environment = environment

    def run(self, block: Block) -> None:
        """Run a block as its language and its note say.

        Raises:
            AssertionError: A command failed, or the language is none that can be run.
        """
        if block.noted("not run") is not None:
            return
        if name := block.noted("file"):
            (self._folder / name).write_text(block.code, encoding="utf-8")
        run = self._runners.get(block.language)
        assert run is not None, f"{self._page}:{block.line}: cannot run {block.language!r}"
        run(self, block)

    def _run_python(self, block: Block) -> None:
        run_tests(execute(self._page, block))

    def _run_console(self, block: Block) -> None:
        commands = _commands(block.code)
        for command in commands:
            if _SETTING_UP.match(command):
                continue
            last = command is commands[-1]
            self._run_command(command, exit_code=int(block.noted("exit") or 0) if last else 0)

    def _run_command(self, command: str, *, exit_code: int) -> None:
        scripts = Path(sys.executable).parent
        result = subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            cwd=self._folder,
            env=child_environment(
                **self._environment, PATH=os.pathsep.join([str(scripts), os.environ["PATH"]])
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=120,
        )
        assert result.returncode == exit_code, f"{self._page}: {command}\n{result.stderr}"

    def _check_toml(self, block: Block) -> None:
        variables = re.findall(r'_env = "(\w+)"', block.code)
        Config.from_toml(block.code, dict.fromkeys(variables, "k-1234567890"))

    def _check_json(self, block: Block) -> None:
        msgspec.json.decode(block.code)

    def _check_json_lines(self, block: Block) -> None:
        for line in block.code.splitlines():
            msgspec.json.decode(line)

    def _show(self, block: Block) -> None:
        """Leave alone what is there to be read."""

    _runners: Final[dict[str, Callable[[Sitting, Block], None]]] = {
        "python": _run_python,
        "console": _run_console,
        "toml": _check_toml,
        "json": _check_json,
        "jsonl": _check_json_lines,
        "text": _show,
    }


def _commands(code: str) -> list[str]:
    """Return the commands of a console, those over several lines in one."""
    joined = code.replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]


def _run_test(test: Callable[..., Any]) -> None:
    """Run a test as pytest-trio would, with the clock that it asks for."""
    if "autojump_clock" in inspect.signature(test).parameters:
        trio.run(test, clock := MockClock(autojump_threshold=0), clock=clock)
    elif inspect.iscoroutinefunction(test):
        trio.run(test)
    else:
        test()
