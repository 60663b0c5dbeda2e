"""`tokenwire presets`: which servers are known by name."""

from collections.abc import Iterator

import attrs
import click
import msgspec

from tokenwire.presets import Preset, preset, preset_names


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each preset.")
def presets(*, as_json: bool) -> None:
    """List the servers that are known by name.

    Each line has the name, the wire format, the variable that people conventionally keep the key
    in, and the base URL. Below stand what is special about the server and the settings of its
    endpoint. 'tokenwire ask --preset NAME' asks a server, with --preset-value for the words that
    the URL has in braces; the other options override what the preset says.
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
        + "".join(f"\n    {name} = {value}" for name, value in _settings(server))
        for row, server in zip(rows, known, strict=True)
    ]


def _settings(server: Preset) -> Iterator[tuple[str, str]]:
    """Return what the preset says of the endpoint besides its address, as TOML writes it."""
    if server.auth is not None:
        yield "auth", msgspec.json.encode(server.auth).decode()
    for name, value in server.quirks.items():
        yield f"quirks.{name}", msgspec.json.encode(value).decode()
