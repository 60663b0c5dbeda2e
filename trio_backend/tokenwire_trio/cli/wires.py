"""`tokenwire wires`: which wire formats there are, and how servers may depart from them."""

from typing import Final

import click

from tokenwire.wire import SOCKET_KINDS, WIRE_KINDS, wire_by_kind
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.outlet import standard_outlets

#: Where the descriptions begin.
_COLUMN: Final = 22


@click.command()
@ends_with_exit_code
def wires() -> ExitCode:
    """List the wire formats and their quirks.

    A quirk is what a server wants otherwise than the wire format's reference; '--quirk KEY=JSON'
    sets it, for example '--quirk include_usage=true'.
    """
    stdout, _ = standard_outlets()
    for kind in (*WIRE_KINDS, *SOCKET_KINDS):
        stdout.line(kind)
        quirks = wire_by_kind(kind).quirks
        for name, description in quirks.items():
            stdout.notice(f"  {name:<{_COLUMN - 2}}{description}", indent=_COLUMN)
        if not quirks:
            stdout.line("  (no quirks)")
    return ExitCode.COMPLETE
