"""A response is read, ended and refused as h11 alone does it, at the same byte, for any cuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import h11

from fuzz.exchanges import splits
from tokenwire.request import HTTPRequest
from tokenwire_trio.http1 import BodyPart, PeerClosedError, RequestCycle, ResponseHead

#: Stands before inputs that have no head of their own, so that most are bodies.
_CHUNKED_HEAD: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

_REQUEST: Final = HTTPRequest("POST", "https://host.example/", (("content-length", "0"),), b"")

_AMPLE: Final = 64 * 1024
_SCARCE: Final = 80  # bytes of a head, and of the framing of a body


def one_input(data: bytes) -> None:
    """Read the bytes that a server sends until it closes the connection."""
    data = data if data.startswith(b"HTTP/1.") else _CHUNKED_HEAD + data
    for reads in ([data], *splits(data)):
        check_same_as_h11_only(reads)
        check_same_as_h11_only(reads, max_head_bytes=_SCARCE)
        check_same_as_bare_h11(reads)


def check_same_as_h11_only(reads: Sequence[bytes], max_head_bytes: int = _AMPLE) -> None:
    """Compare a cycle with one that leaves all reading to h11, after each read."""
    own = RequestCycle(_REQUEST, max_head_bytes=max_head_bytes)
    other = RequestCycle(_REQUEST, max_head_bytes=max_head_bytes, h11_only=True)
    for read in _until_closed(reads):
        assert list(_steps(own, read)) == list(_steps(other, read)), read


def check_same_as_bare_h11(reads: Sequence[bytes]) -> None:
    """Compare what a cycle makes of some reads with what h11 makes of all their bytes at once.

    A cycle refuses some heads that h11 takes: of other versions of HTTP, and too many in a row.
    """
    outcome = _outcome(reads)
    if outcome.status is not None:
        assert outcome == _outcome_of_h11(b"".join(reads))


def _until_closed(reads: Sequence[bytes]) -> Iterator[bytes]:
    yield from filter(None, reads)
    yield b""


class Step(NamedTuple):
    """What a cycle said when it was asked once."""

    head: ResponseHead | None
    part: BodyPart | None
    failure: str
    complete: bool
    nearly_complete: bool


def _steps(cycle: RequestCycle, read: bytes) -> Iterator[Step]:
    """Feed one read, and ask until nothing more comes of it."""
    cycle.receive(read)
    step = None
    while step is None or step.part is not None:
        step = _step(cycle)
        yield step


def _step(cycle: RequestCycle) -> Step:
    head: ResponseHead | None = None
    part: BodyPart | None = None
    failure = ""
    try:
        head = cycle.head()
        part = cycle.next_part() if head else None
    except PeerClosedError:
        failure = "closed"
    except h11.RemoteProtocolError as error:
        words = str(error).partition(":")[0].partition("(")[0].strip()  # without what it quotes
        failure = f"{error.error_status_hint} {words}"
    return Step(head, part, failure, cycle.complete, cycle.nearly_complete)


class Outcome(NamedTuple):
    """A response; its connection is `reusable` if it stays open."""

    status: int | None
    content: bytes
    whole: bool
    reusable: bool


def _outcome(reads: Sequence[bytes]) -> Outcome:
    cycle = RequestCycle(_REQUEST, max_head_bytes=_AMPLE)
    steps: list[Step] = []
    reusable = False
    for read in _until_closed(reads):
        reusable = cycle.complete  # before the connection is closed, in the end
        steps += _steps(cycle, read)
    parts = [step.part for step in steps if step.part]
    content = b"".join(part.data for part in parts)
    statuses = [step.head.status for step in steps if step.head]
    return Outcome(
        statuses[0] if statuses else None, content, any(part.complete for part in parts), reusable
    )


def _outcome_of_h11(data: bytes) -> Outcome:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_AMPLE)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "host.example")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    events = list(_events(connection))
    done = connection.our_state is connection.their_state is h11.DONE
    reusable = done and connection.trailing_data == (b"", False)
    connection.receive_data(b"")
    events += _events(connection)
    statuses = [event.status_code for event in events if isinstance(event, h11.Response)]
    content = b"".join(event.data for event in events if isinstance(event, h11.Data))
    whole = any(isinstance(event, h11.EndOfMessage) for event in events)
    return Outcome(statuses[0] if statuses else None, content, whole, reusable)


def _events(connection: h11.Connection) -> Iterator[h11.Event]:
    """Give what has come of a response, up to its end or what is none."""
    while connection.their_state is not h11.ERROR:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return
        if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
            return
        yield event
