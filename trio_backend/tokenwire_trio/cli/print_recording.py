"""The part of `tokenwire decode` that prints recordings."""

import io

from tokenwire.errors import ProviderError
from tokenwire.exchange import Events
from tokenwire_trio.cli.exit_codes import ExitCode, of_error
from tokenwire_trio.cli.outlet import standard_outlets
from tokenwire_trio.json_lines import JSONLines, JSONObject, event_object
from tokenwire_trio.recording.file_format import SIGNATURE, HeadLine, RecordedExchange, read
from tokenwire_trio.recording.replay import Replay


def is_recording(file: io.BufferedReader) -> bool:
    """Tell whether a file is a recording, without reading on in it."""
    if file.seekable():
        begun = file.read(len(SIGNATURE))
        file.seek(-len(begun), io.SEEK_CUR)
    else:
        begun = file.peek(len(SIGNATURE))
    return begun.startswith(SIGNATURE)


def print_recording(file: io.BufferedReader) -> ExitCode:
    """Print every exchange with its events and their times.

    Returns:
        What became of the first one that was not whole, if there is any.

    Raises:
        RecordingError: If a line cannot be read.
    """
    output = JSONLines()
    codes: list[ExitCode] = []
    for recorded in read(file):
        output.write_objects([_exchange_object(recorded)])
        codes.append(_print_events(Replay(recorded), output))
    return next((code for code in codes if code is not ExitCode.COMPLETE), ExitCode.COMPLETE)


def _print_events(replay: Replay, output: JSONLines) -> ExitCode:
    while not replay.over:
        at = replay.next_at
        events = replay.step()
        output.write_objects([{"t": at, **event_object(event)} for event in events])
        if error := _error_in(events):
            _, stderr = standard_outlets()
            stderr.notice(f"Error: {error}")
            return of_error(error)
    return ExitCode.COMPLETE


def _error_in(events: Events) -> ProviderError | None:
    last = events[-1] if events else None
    return last if isinstance(last, ProviderError) else None


def _exchange_object(recorded: RecordedExchange) -> JSONObject:
    """Return what says which exchange follows, and what is known of it besides its events."""
    request = recorded.request
    heads = (line for _, line in recorded.lines if isinstance(line, HeadLine))
    head = next(heads, None)
    return {
        "type": "exchange",
        "exchange": request.exchange,
        "at": request.at,
        "wire": request.wire,
        "url": request.url,
        "status": None if head is None else head.status,
        "outcome": None if recorded.end is None else recorded.end.outcome,
    }
