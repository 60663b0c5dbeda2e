"""From what a command returns or raises to the exit code of the process."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TextIO

import click

from tokenwire.errors import LocalProtocolError
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.option_places import with_option
from tokenwire_trio.cli.os_refusal import told
from tokenwire_trio.cli.refusal import Refusal

_P = ParamSpec("_P")


def ends_with_exit_code(command: Callable[_P, ExitCode]) -> Callable[_P, None]:
    """Make a command end with the code that it returns, and without a traceback."""

    @wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except (LocalProtocolError, ValueError) as error:
            raise Refusal(with_option(str(error))) from None
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except BrokenPipeError:
            _give_up(sys.stdout)
            code = ExitCode.PIPE_CLOSED
        except OSError as error:
            _give_up(sys.stdout)
            click.echo(f"Error: {told(error)}", err=True)
            code = ExitCode.UNWRITABLE
        click.get_current_context().exit(code)

    return run


def _give_up(stream: TextIO) -> None:
    """Let what could not be written go nowhere: the interpreter tries once more when it ends.

    See https://docs.python.org/3/library/signal.html#note-on-sigpipe.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
