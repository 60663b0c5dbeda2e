"""`tokenwire presets`: which servers are known by name."""

from collections.abc import Iterator
from typing import Final

import attrs
import click
import msgspec

from tokenwire.presets import Preset, preset, preset_names
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import ExitCode
from tokenwire_trio.cli.outlet import standard_outlets
from tokenwire_trio.json_lines import JSONLines, JSONObject

#: Spaces before what is said of a server.
_INDENT: Final = 4


@click.command()
@ends_with_exit_code
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each preset.")
def presets(*, as_json: bool) -> ExitCode:
    """List the servers that are known by name.

    Each begins with a line that has the name, the wire format and the variable that people
    conventionally keep the key in. Below stand the base URL, what is special about the server, and
    the settings of its endpoint. 'tokenwire ask --preset NAME' asks a server, with --preset-value
    for the words that the URL has in braces; the other options override what the preset says.
    """
    known = [preset(name) for name in preset_names()]
    if as_json:
        JSONLines().write_objects([_object(server) for server in known])
        return ExitCode.COMPLETE
    stdout, _ = standard_outlets()
    for head, server in zip(_heads(known), known, strict=True):
        stdout.notice(head, indent=_INDENT)
        settings = (f"{name} = {value}" for name, value in _settings(server))
        for text in (server.base_url, server.note, *settings):
            stdout.notice(f"{' ' * _INDENT}{text}", indent=_INDENT)
    return ExitCode.COMPLETE


def _object(server: Preset) -> JSONObject:
    return {**attrs.asdict(server, recurse=False), "quirks": dict(server.quirks)}


def _heads(known: list[Preset]) -> Iterator[str]:
    rows = [(server.name, server.kind, server.key_env or "-") for server in known]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _settings(server: Preset) -> Iterator[tuple[str, str]]:
    """Return what the preset says of the endpoint besides its address, as TOML writes it."""
    if server.auth is not None:
        yield "auth", msgspec.json.encode(server.auth).decode()
    for name, value in server.quirks.items():
        yield f"quirks.{name}", msgspec.json.encode(value).decode()
