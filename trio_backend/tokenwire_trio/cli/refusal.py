"""The end of a command that can't do what it was asked."""

from typing import ClassVar, final

import click

from tokenwire_trio.cli.exit_codes import ExitCode


@final
class Refusal(click.ClickException):
    """Wrong use or configuration: click shows the message in place of a traceback."""

    exit_code: ClassVar[int] = int(ExitCode.USAGE)
