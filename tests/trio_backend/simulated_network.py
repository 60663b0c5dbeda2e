"""A network that is one number: every latency, cut, stall and fault follows from a seed.

`Plan.from_seed` draws what happens in a call, `SimulatedNetwork` lets it happen on trio's clock.
There are no tasks and no threads in it, so a seed gives the same run every time.
"""

from __future__ import annotations

import errno
import os
from math import inf
from random import Random
from typing import Final, Literal, Self, TypeAlias, final

import attrs
import trio

from tokenwire.endpoint import Deadlines
from tokenwire_trio.testing.responses import COMMENT, DONE, FINISH, LAST_CHUNK, chunk, text_event

Framing: TypeAlias = Literal["chunked", "length", "close"]
ConnectionEnd: TypeAlias = Literal["eof", "reset", "silence"]

_FRAMINGS: Final[tuple[Framing, ...]] = ("chunked", "chunked", "length", "close")
_WORDS: Final = ("a", "be", "sea ", "salt ", "\N{SNOWMAN}", '"quoted"', "line\nbreak ")


@final
@attrs.frozen
class Segment:
    """Bytes that arrive together.

    Attributes:
        data: What arrives.
        at: When, in seconds from the end of sending the request.
    """

    data: bytes
    at: float


@final
@attrs.frozen(kw_only=True)
class Response:
    """A response and where in its bytes things are said.

    Every mark is the number of bytes after which the client knows; infinity where it never does.

    Attributes:
        data: All bytes on the wire.
        status: HTTP status.
        framing: How the body's end is told.
        head: End of the head.
        tokens: End of each event that carries text.
        texts: Those texts.
        finish: End of the event with the finish reason.
        done: End of the end marker.
        body: End of the body, by its own framing.
        first_event: End of the first event of any kind.
    """

    data: bytes
    status: int
    framing: Framing
    head: float
    tokens: tuple[float, ...]
    texts: tuple[str, ...]
    finish: float
    done: float
    body: float
    first_event: float

    @classmethod
    def draw(cls, random: Random) -> Response:
        """Draw a response: mostly an answer, sometimes a refusal, often cut short."""
        status = 200 if random.random() < 0.85 else random.choice((401, 429, 500, 503))
        texts = tuple(random.choice(_WORDS) for _ in range(random.randrange(8)))
        has_finish, has_done = random.random() < 0.85, random.random() < 0.85
        framing = random.choice(_FRAMINGS)
        events: list[tuple[str, bytes]] = []
        for text in texts:
            events += [("comment", COMMENT)] * (random.random() < 0.2)
            events.append(("token", text_event(text)))
        events += [("finish", FINISH)] * has_finish + [("done", DONE)] * has_done
        return _Writer(status, framing, events).response(texts)

    def cut(self, length: int) -> Response:
        """Return what is left of it when the bytes after `length` never come."""
        length = self._clear_of_line_ends(length)

        def seen(mark: float) -> float:
            return mark if mark <= length else inf

        return attrs.evolve(
            self,
            data=self.data[:length],
            head=seen(self.head),
            tokens=tuple(mark for mark in self.tokens if mark <= length),
            finish=seen(self.finish),
            done=seen(self.done),
            body=seen(self.body),
            first_event=seen(self.first_event),
        )

    def marks(self) -> list[int]:
        """Return all marks within the bytes."""
        marks = (self.head, *self.tokens, self.finish, self.done, self.body)
        return [int(mark) for mark in marks if mark < len(self.data)]

    def _clear_of_line_ends(self, length: int) -> int:
        """Move a cut out of an event's end: whether an event counts there is the core's affair."""
        for mark in (*self.tokens, self.finish, self.done):
            if mark - len(b"\n\n") <= length < mark < inf:
                return int(mark)
        return length


class _Writer:
    """Puts a response's bytes together, and notes where what ends."""

    def __init__(self, status: int, framing: Framing, events: list[tuple[str, bytes]]) -> None:
        self.status = status
        self.framing: Framing = framing
        self.data = b"HTTP/1.1 %d Status\r\ncontent-type: text/event-stream\r\n" % status
        self.data += {
            "chunked": b"transfer-encoding: chunked\r\n\r\n",
            "length": b"content-length: %d\r\n\r\n" % sum(len(data) for _, data in events),
            "close": b"connection: close\r\n\r\n",
        }[framing]
        self.head = len(self.data)
        self.marks: dict[str, list[float]] = {"token": [], "finish": [], "done": [], "comment": []}
        for what, data in events:
            self._write(what, data)
        self.body = inf
        if framing == "chunked":
            self.data += LAST_CHUNK
        if framing != "close":
            self.body = len(self.data)

    def _write(self, what: str, data: bytes) -> None:
        if self.framing == "chunked":
            framed = chunk(data)
            self.marks[what].append(len(self.data) + len(framed) - len(b"\r\n"))
            self.data += framed
        else:
            self.data += data
            self.marks[what].append(len(self.data))

    def response(self, texts: tuple[str, ...]) -> Response:
        said = [*self.marks["token"], *self.marks["finish"], *self.marks["done"]]
        return Response(
            data=self.data,
            status=self.status,
            framing=self.framing,
            head=self.head,
            tokens=tuple(self.marks["token"]),
            texts=texts,
            finish=min(self.marks["finish"], default=inf),
            done=min(self.marks["done"], default=inf),
            body=self.body,
            first_event=min(said, default=inf),
        )


def _draw_span(random: Random) -> float:
    """Draw a pause: mostly short, sometimes a stall."""
    return random.choice((random.uniform(0, 0.01), random.uniform(0, 0.2), random.uniform(0, 4)))


def _draw_deadlines(random: Random, *, endless: bool) -> Deadlines:
    def draw() -> float | None:
        return random.uniform(0.01, 5) if random.random() < 0.3 else None

    return Deadlines(
        connect=draw(),
        send=draw(),
        first_byte=draw(),
        first_token=draw(),
        gap=draw(),
        total=random.uniform(0.01, 8) if endless or random.random() < 0.4 else None,
    )


@final
@attrs.frozen(kw_only=True)
class Plan:
    """All that happens in one call.

    Attributes:
        seed: What it was drawn from.
        deadlines: The endpoint's.
        connect_s: How long connecting takes.
        refused: The connection is refused then.
        send_s: How long writing the request takes.
        send_fails: Writing it fails then; an answer may come all the same.
        response: What the server says.
        segments: In which pieces that arrives, and when.
        end: How the connection ends behind the last one.
        ends_at: When, in seconds from the end of sending.
        think_s: How long the client thinks about each token.
        cancelled_at: When the client is cancelled, in seconds from the call's start.
        closed_at: When another task closes the provider, in seconds from the call's start.
    """

    seed: int
    deadlines: Deadlines
    connect_s: float
    refused: bool
    send_s: float
    send_fails: bool
    response: Response
    segments: tuple[Segment, ...]
    end: ConnectionEnd
    ends_at: float
    think_s: float
    cancelled_at: float
    closed_at: float

    @classmethod
    def from_seed(cls, seed: int) -> Self:
        """Draw a plan."""
        random = Random(seed)  # noqa: S311  # to be repeated, not to be unpredictable
        response = Response.draw(random)
        if random.random() < 0.3:
            response = response.cut(random.randrange(len(response.data)))
        end: ConnectionEnd = random.choice(("eof", "reset", "silence"))
        segments = _draw_segments(random, response)
        return cls(
            seed=seed,
            deadlines=_draw_deadlines(random, endless=end == "silence"),
            connect_s=_draw_span(random),
            refused=random.random() < 0.03,
            send_s=_draw_span(random),
            send_fails=random.random() < 0.05,
            response=response,
            segments=segments,
            end=end,
            ends_at=(segments[-1].at if segments else 0) + 0.0001 + _draw_span(random),
            think_s=_draw_span(random) if random.random() < 0.3 else 0.0,
            cancelled_at=random.uniform(0, 6) if random.random() < 0.15 else inf,
            closed_at=random.uniform(0, 6) if random.random() < 0.05 else inf,
        )

    def arrival(self, mark: float) -> float:
        """Return when a mark of the response arrives, infinity if never."""
        received = 0
        for segment in self.segments:
            received += len(segment.data)
            if received >= mark:
                return segment.at
        return inf


def _draw_segments(random: Random, response: Response) -> tuple[Segment, ...]:
    data = response.data
    anywhere = {random.randrange(len(data) + 1) for _ in range(random.randrange(12))}
    # What lies between two marks is short, and would seldom come alone.
    cuts = sorted(anywhere | {mark for mark in response.marks() if random.random() < 0.3})
    at = 0.0
    segments: list[Segment] = []
    for begin, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        if begin < end:
            at += 0.0001 + _draw_span(random)  # no two at a time, or their order would be luck
            segments.append(Segment(data[begin:end], at))
    return tuple(segments)


@final
class SimulatedNetwork:
    """Lets a plan happen, once: pass it to a provider as `dial`.

    Attributes:
        streams: The connections that were opened, one at most.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.streams: list[SimulatedStream] = []

    async def __call__(self, host: str, port: int) -> trio.abc.Stream:
        """Connect."""
        await trio.sleep(self._plan.connect_s)
        if self._plan.refused:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        stream = SimulatedStream(self._plan)
        self.streams.append(stream)
        return stream


@final
class SimulatedStream(trio.abc.Stream):
    """The client's end of the connection."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._waiting = list(plan.segments)
        self._sent_at = inf
        self._closing = trio.Event()

    @property
    def closed(self) -> bool:
        """Whether the client has closed it."""
        return self._closing.is_set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Take as long as planned, and then succeed or fail."""
        await self._wait_until(trio.current_time() + self._plan.send_s)
        self._sent_at = trio.current_time()
        if self._plan.send_fails:
            raise trio.BrokenResourceError from BrokenPipeError(errno.EPIPE, "broken pipe")

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for the next segment, and return all that have arrived."""
        next_at = self._waiting[0].at if self._waiting else self._plan.ends_at
        silent = not self._waiting and self._plan.end == "silence"
        await self._wait_until(inf if silent else self._sent_at + next_at)
        arrived: list[bytes] = []
        while self._waiting and self._sent_at + self._waiting[0].at <= trio.current_time():
            arrived.append(self._waiting.pop(0).data)
        if not arrived and self._plan.end == "reset":
            raise trio.BrokenResourceError from ConnectionResetError(errno.ECONNRESET, "reset")
        return b"".join(arrived)

    async def _wait_until(self, moment: float) -> None:
        await trio.lowlevel.checkpoint()
        with trio.move_on_at(moment):
            await self._closing.wait()
        if self.closed:
            raise trio.ClosedResourceError

    async def aclose(self) -> None:
        """Close it; whoever waits is told."""
        self._closing.set()
        await trio.lowlevel.checkpoint()
