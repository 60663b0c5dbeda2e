"""The command line as tests run it: in this process where only text matters, else as its own."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import trio
from click.testing import CliRunner, Result

from tests.patience import HANGS_S
from tokenwire_trio.cli.app import tokenwire

#: A warning in the child would appear on its standard error, which the tests look at.
COMMAND = (sys.executable, "-W", "error", "-m", "tokenwire_trio")


def invoke(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Result:
    """Run a command in this process; neither of its streams is a terminal."""
    return CliRunner().invoke(tokenwire, arguments, input=stdin, env=env)


async def invoke_beside_server(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """Run a command in a thread, while this one's event loop plays the server."""
    return await trio.to_thread.run_sync(partial(invoke, *arguments, env=env))


def child_environment(**variables: str) -> dict[str, str]:
    """Return an environment in which a child imports what this process imports."""
    paths = os.pathsep.join(filter(None, sys.path))
    return os.environ | {"PYTHONPATH": paths} | variables


def run_process(
    *arguments: str, stdin: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    return subprocess.run(
        (*COMMAND, *arguments),
        input=stdin,
        env=child_environment(**variables),
        capture_output=True,
        check=False,
        timeout=HANGS_S,
    )


def run_on_terminal(*arguments: str, **variables: str) -> tuple[int, str]:
    """Run a command on a terminal; return its exit code and all that the terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=child_environment(**variables),
    ) as process:
        os.close(theirs)
        output = b"".join(_read_terminal(ours))
        os.close(ours)
    # The terminal's driver makes two characters of each line feed.
    return process.returncode, output.decode().replace("\r\n", "\n")


def _read_terminal(descriptor: int) -> Iterator[bytes]:
    # Linux reports the end of the other side as an error.
    with suppress(OSError):
        while data := os.read(descriptor, 65536):
            yield data


async def start_process(*arguments: str) -> trio.Process:
    """Start a command whose output is read while it runs."""
    return await trio.lowlevel.open_process(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )


def json_lines(output: bytes) -> list[dict[str, Any]]:
    """Read one JSON object a line, each line ended."""
    *lines, rest = output.decode("utf-8").split("\n")
    assert not rest
    return [json.loads(line) for line in lines]
