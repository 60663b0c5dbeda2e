"""Drives an `Exchange` through a whole response, cut into pieces, and keeps all that came of it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final, Literal, TypeAlias, final

import attrs

from tokenwire.completion import Completion
from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import NetworkError, ProviderError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.secret import Secret
from tokenwire.tokens import Token
from tokenwire.wire import WIRE_KINDS, wire_by_kind

Event: TypeAlias = Token | ProviderError
Headers: TypeAlias = tuple[tuple[str, str], ...]

#: How a body ends: whole by its framing, with a closed connection, with a failure of the transport.
Ending: TypeAlias = Literal["clean", "cut", "failure"]

_MAX_SINGLE_BYTES: Final = 120

#: What must never show. Made up, and unlike anything that a fuzzer finds by itself.
KEY: Final = "sk-wJ7 q/Zt4%Vx9+Lm2=Rb6"
PROMPT: Final = "the prompt: Xylophon-Quitte-8731"
_MESSAGES: Final = (Message.user(PROMPT),)
_CONFIG: Final = ProviderConfig(model="some-model", max_output_tokens=100)

#: Limits that inputs of a fuzzer's size do reach.
SMALL_LIMITS: Final = Limits(
    line_bytes=400,
    event_bytes=600,
    document_bytes=800,
    error_body_bytes=500,
    silent_bytes=300,
    answer_bytes=120,
    json_depth=12,
    tool_calls=3,
    choices=3,
)


@final
@attrs.frozen
class Response:
    """One response as an HTTP client would hand it over."""

    body: bytes
    status: int = 200
    headers: Headers = ()
    ending: Ending = "clean"
    wire: str = "openai-chat"


@final
@attrs.frozen
class Outcome:
    """All that came of one response."""

    events: tuple[Event, ...]
    exchange: Exchange
    request: HTTPRequest
    limits: Limits

    @property
    def partial(self) -> Completion:
        """What the exchange kept of the answer."""
        return self.exchange.partial()

    @property
    def error(self) -> ProviderError | None:
        """The failure, None if the answer is complete."""
        last = self.events[-1] if self.events else None
        return last if isinstance(last, ProviderError) else None


@cache
def _endpoint(limits: Limits) -> Endpoint:
    return Endpoint(base_url="https://host.example/v1", credential=Secret(KEY), limits=limits)


def sent_exchange(
    limits: Limits | None = None, wire: str = "openai-chat"
) -> tuple[Exchange, HTTPRequest]:
    """Return an exchange whose request is out, with a key and a prompt that must not show."""
    exchange = Exchange(wire_by_kind(wire), _endpoint(limits or Limits()))
    return exchange, exchange.send(_MESSAGES, _CONFIG)


def outcome_of(
    response: Response, pieces: Iterable[bytes] | None = None, limits: Limits | None = None
) -> Outcome:
    """Drive a new exchange through `response`.

    Args:
        response: What the server answers.
        pieces: Its body as the reads bring it; None for the whole of it in one read.
        limits: The endpoint's.
    """
    exchange, request = sent_exchange(limits, response.wire)
    events = exchange.receive_head(response.status, response.headers)
    for piece in [response.body] if pieces is None else pieces:
        events += exchange.receive_data(piece)
    match response.ending:
        case "clean":
            events += exchange.receive_eof(clean=True)
        case "cut":
            events += exchange.receive_eof(clean=False)
        case "failure":
            reset = NetworkError(phase="body", message="connection reset", retryable=True)
            events += exchange.receive_failure(reset)
    return Outcome(tuple(events), exchange, request, limits or Limits())


def split_at(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut `data` at these positions, which are in order."""
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Give `data` in some pieces and, where that is few, in single bytes."""
    yield some_split(data)
    if len(data) <= _MAX_SINGLE_BYTES:
        yield list(single_bytes(data))


def single_bytes(data: bytes) -> Iterator[bytes]:
    """Give `data` byte by byte."""
    return (data[i : i + 1] for i in range(len(data)))


def some_split(data: bytes, variant: int = 0) -> list[bytes]:
    """Cut `data` in up to twelve pieces, always the same for the same data and variant.

    Fuzzers keep inputs, not random numbers: what decides about the cuts is a checksum of the input,
    so that seeds and findings are plain bodies.
    """
    choose = random.Random(zlib.crc32(data, variant))  # noqa: S311  # which cuts is no secret
    cuts = (choose.randint(0, len(data)) for _ in range(choose.randint(1, 11)))
    return split_at(data, sorted(cuts))


def parse_response(data: bytes) -> Response:
    """Read a fuzzer's input as a response.

    Its first line says what it is, ``200 clean anthropic`` for instance; header lines, an empty
    line and the body follow. Every input is some response, so that a fuzzer wastes none: what
    cannot be read is left out.
    """
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    digits, word, wire = [*first.split(" "), "", ""][:3]
    status = int(digits) if digits.isascii() and digits.isdigit() and len(digits) == 3 else 200
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip(), value.strip()) for name, colon, value in pairs if colon)
    endings: dict[str, Ending] = {"cut": "cut", "failure": "failure"}
    kind = wire if wire in WIRE_KINDS else "openai-chat"
    return Response(body, status, headers, endings.get(word, "clean"), kind)
