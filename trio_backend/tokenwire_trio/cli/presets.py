"""`tokenwire presets`: which servers are known by name."""

import attrs
import click
import msgspec

from tokenwire.presets import Preset, preset, preset_names


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each preset.")
def presets(*, as_json: bool) -> None:
    """List the servers that are known by name.

    Each line has the name, the wire format, the variable that people conventionally keep the key
    in, and the base URL; words in braces are for '--preset-value'. 'tokenwire ask --preset NAME'
    asks a server, and the other options override what the preset says.
    """
    known = [preset(name) for name in preset_names()]
    for line in map(_json, known) if as_json else _table(known):
        click.echo(line)


def _json(server: Preset) -> str:
    fields = attrs.asdict(server, recurse=False) | {"quirks": dict(server.quirks)}
    return msgspec.json.encode(fields).decode()


def _table(known: list[Preset]) -> list[str]:
    rows = [(server.name, server.kind, server.key_env or "-") for server in known]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        + f"  {server.base_url}\n    {server.note}"
        for row, server in zip(rows, known, strict=True)
    ]
