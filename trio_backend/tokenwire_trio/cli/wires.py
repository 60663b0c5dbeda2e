"""`tokenwire wires`: which wire formats there are, and how servers may depart from them."""

import click

from tokenwire.wire import SOCKET_KINDS, WIRE_KINDS, wire_by_kind


@click.command()
def wires() -> None:
    """List the wire formats and their quirks.

    A quirk is what a server wants otherwise than the wire format's reference; '--quirk KEY=JSON'
    sets it, for example '--quirk include_usage=true'.
    """
    for kind in (*WIRE_KINDS, *SOCKET_KINDS):
        click.echo(kind)
        quirks = wire_by_kind(kind).quirks
        for name, description in quirks.items():
            click.echo(f"  {name:<20}{description}")
        if not quirks:
            click.echo("  (no quirks)")
