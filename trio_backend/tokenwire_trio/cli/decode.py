"""`tokenwire decode`: what was recorded, read as it would be from the network."""

import io
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import click
import msgspec
from click.core import ParameterSource

from tokenwire.endpoint import Endpoint
from tokenwire.errors import MalformedResponseError, ProviderError
from tokenwire.exchange import Events, Exchange, State
from tokenwire.wire import WIRE_KINDS, wire_by_kind
from tokenwire_trio.cli.ending import ends_with_exit_code
from tokenwire_trio.cli.exit_codes import EXPLANATION, ExitCode, of_error
from tokenwire_trio.cli.key_values import header_lines
from tokenwire_trio.cli.outlet import standard_outlets
from tokenwire_trio.cli.print_recording import is_recording, print_recording
from tokenwire_trio.cli.provider_options import quirk_option, wire_option
from tokenwire_trio.json_lines import JSONLines

_Headers: TypeAlias = list[tuple[str, str]]

#: As much as the transport takes from the network at once.
_PIECE_BYTES: Final = 64 * 1024

#: Where a body came from that does not say so.
_NOWHERE: Final = "http://localhost"

_ENDED: Final = (State.DONE, State.FAILED)


@attrs.frozen(kw_only=True)
class _Response:
    """A response as it came."""

    status: int
    headers: _Headers
    pieces: Iterable[bytes]
    cut: bool


def _read_headers(_: click.Context, __: click.Parameter, file: Path | None) -> _Headers:
    if file is None:
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Headers)
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"expected a JSON list of [name, value] pairs: {error}") from None


def _read_sizes(_: click.Context, __: click.Parameter, text: str | None) -> list[int]:
    try:
        sizes = [int(size) for size in text.split(",")] if text is not None else []
    except ValueError:
        sizes = [0]
    if any(size < 1 for size in sizes):
        raise click.BadParameter("expected sizes in bytes, like 10,5,200")
    return sizes


@click.command(epilog=EXPLANATION)
@ends_with_exit_code
@wire_option
@click.option(
    "--status",
    type=click.IntRange(200, 999),
    default=200,
    show_default=True,
    help="HTTP status of the response.",
)
@click.option(
    "--headers",
    "header_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.json",
    callback=_read_headers,
    help="Response headers, a list of [name, value] pairs.",
)
@click.option(
    "--header",
    multiple=True,
    metavar="'NAME: VALUE'",
    callback=header_lines,
    help="Response header.  [repeatable]",
)
@quirk_option
@click.option(
    "--split",
    type=click.IntRange(min=1),
    metavar="N",
    help="Feed the body in pieces of N bytes.",
)
@click.option(
    "--splits",
    metavar="N,N,…",
    callback=_read_sizes,
    help="Feed the body in pieces of these sizes, and the rest in one.",
)
@click.option("--cut", is_flag=True, help="The connection broke at the end of FILE.")
@click.argument("file", type=click.File("rb"))
def decode(
    *,
    wire: str | None,
    status: int,
    header_file: _Headers,
    header: _Headers,
    quirk: dict[str, object],
    split: int | None,
    splits: list[int],
    cut: bool,
    file: io.BufferedReader,
) -> ExitCode:
    """Print the events of a recording, or of a recorded response body.

    FILE is what 'tokenwire ask --record' wrote, and takes no options, or it holds the bytes of one
    body without any transfer coding; '-' reads standard input. The events are those of 'tokenwire
    ask --json', and the exit codes are the same. To a body no header is made up: give those that
    matter.

    In a recording each exchange begins with a line of type "exchange", and events have their time
    in seconds since it began.
    """
    if is_recording(file):
        _refuse_options()
        return print_recording(file)
    if split and splits:
        raise click.UsageError("--split and --splits exclude each other")
    response = _Response(
        status=status,
        headers=[*header_file, *header],
        pieces=_pieces(file, split, splits),
        cut=cut,
    )
    exchange = Exchange(
        wire_by_kind(wire or WIRE_KINDS[0]), Endpoint(base_url=_NOWHERE, quirks=quirk)
    )
    exchange.expect(_NOWHERE)
    return _print_events(_read(exchange, response))


def _refuse_options() -> None:
    """Refuse what a recording knows better."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and isinstance(parameter, click.Option):
            raise click.UsageError(
                f"a recording says itself how to read it: leave out {parameter.opts[0]}"
            )


def _pieces(file: io.BufferedReader, size: int | None, sizes: list[int]) -> Iterator[bytes]:
    """Cut the body up, or without sizes pass on what is there: it may be a live pipe."""
    if sizes:
        yield from (file.read(size) for size in sizes)
        yield file.read()
    elif size:
        yield from iter(partial(file.read, size), b"")
    else:
        yield from iter(partial(file.read1, _PIECE_BYTES), b"")


def _read(exchange: Exchange, response: _Response) -> Iterator[Events]:
    """Let an exchange receive the response, no further than it would read from a network."""
    yield exchange.receive_head(response.status, response.headers)
    for piece in response.pieces:
        if exchange.state in _ENDED:
            return
        yield exchange.receive_data(piece)
    if exchange.state not in _ENDED:
        yield exchange.receive_eof(clean=not response.cut)


def _print_events(batches: Iterable[Events]) -> ExitCode:
    output = JSONLines()
    code = ExitCode.COMPLETE
    for events in batches:
        output.write(events)
        if events and isinstance(events[-1], ProviderError):
            _, stderr = standard_outlets()
            stderr.notice(f"Error: {events[-1]}{_hint(events[-1])}")
            code = of_error(events[-1])
    return code


def _hint(error: ProviderError) -> str:
    """Ask for what is more likely than a damage, where nothing at all could be read."""
    if isinstance(error, MalformedResponseError) and not error.tokens_emitted:
        return " (is FILE the body of a response, in the format that --wire names?)"
    return ""
