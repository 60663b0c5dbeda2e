"""The `tokenwire` command with its subcommands."""

import io
import os
import sys
from pathlib import Path
from typing import cast

import click

from tokenwire_trio.cli.ask import ask
from tokenwire_trio.cli.batch import batch
from tokenwire_trio.cli.chat import chat
from tokenwire_trio.cli.decode import decode
from tokenwire_trio.cli.doctor import doctor
from tokenwire_trio.cli.encode import encode
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.outlet import standard_outlets
from tokenwire_trio.cli.presets import presets
from tokenwire_trio.cli.wires import wires


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tokenwire")
def tokenwire() -> None:
    """Stream answers of language models, token by token."""


for _command in (ask, batch, chat, decode, doctor, encode, presets, wires):
    tokenwire.add_command(_command)


def run() -> int:
    """Run the command line.

    Returns:
        The exit code of the process.
    """
    _open_missing_streams()
    try:
        return cast("int", tokenwire.main(prog_name="tokenwire", standalone_mode=False))
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except click.Abort:
        return ExitCode.INTERRUPTED


def _show(error: click.ClickException) -> None:
    """Show an error as click words it, on a terminal without tearing words apart."""
    words = io.StringIO()
    error.show(words)
    _, stderr = standard_outlets()
    for line in words.getvalue().splitlines():
        stderr.notice(line)


def _open_missing_streams() -> None:
    """Let what is written to a stream that the caller has closed (``>&-``) go nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the end
            setattr(sys, name, nowhere)
