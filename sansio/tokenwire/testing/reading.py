"""Reads responses with a wire format, as a transport does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, final

import attrs

from tokenwire.endpoint import Endpoint, Limits
from tokenwire.errors import ProviderError
from tokenwire.exchange import Exchange
from tokenwire.messages import Message
from tokenwire.request import HTTPRequest
from tokenwire.secret import Secret
from tokenwire.testing.invariants import Event, check_events, check_state_of
from tokenwire.testing.samples import WireSample

#: What must never show: made up, and unlike anything that a sample says.
KEY: Final = "key-wJ7qZt4Vx9Lm2Rb6"
PROMPT: Final = "Xylophon-Quitte-8731"

#: Longest body that is cut at every byte; longer ones are cut at as many places, evenly.
_MAX_CUTS: Final = 300

NO_HEADERS: Final[Mapping[str, str]] = {}


@final
@attrs.frozen
class Reading:
    """All that came of one response."""

    events: tuple[Event, ...]
    exchange: Exchange
    request: HTTPRequest

    @property
    def error(self) -> ProviderError | None:
        """The failure, None if the answer is whole."""
        last = self.events[-1]
        return last if isinstance(last, ProviderError) else None

    def check(self) -> None:
        """Check all that is true of every reading."""
        check_events(self.events)
        check_state_of(self.exchange, self.events)


def sent_exchange(sample: WireSample, limits: Limits | None = None) -> tuple[Exchange, HTTPRequest]:
    """Return an exchange whose request is out, with `KEY` and `PROMPT`."""
    endpoint = Endpoint(
        base_url="https://host.example/v1",
        credential=Secret(KEY),
        limits=limits or Limits(),
        quirks=sample.quirks,
    )
    exchange = Exchange(sample.wire, endpoint)
    return exchange, exchange.send([Message.user(PROMPT)], sample.config)


def read(
    sample: WireSample,
    pieces: Iterable[bytes],
    *,
    status: int = 200,
    headers: Mapping[str, str] = NO_HEADERS,
    clean: bool = True,
    limits: Limits | None = None,
) -> Reading:
    """Read a response.

    Args:
        sample: Whose wire format.
        pieces: The body, as the reads bring it.
        status: HTTP status.
        headers: By lower-case name.
        clean: The body is whole by its framing, and the connection did not break.
        limits: The endpoint's.

    Raises:
        AssertionError: If the wire format raises anything that is no `ProviderError`.
    """
    exchange, request = sent_exchange(sample, limits)
    try:
        events = exchange.receive_head(status, headers.items())
        for piece in pieces:
            events += exchange.receive_data(piece)
        events += exchange.receive_eof(clean=clean)
    except Exception as error:
        raise AssertionError(
            f"a response made the wire format raise {type(error).__name__}: {error!s:.300}; what a"
            " peer sends ends in tokens or a ProviderError, whatever it is"
        ) from error
    return Reading(tuple(events), exchange, request)


def single_bytes(body: bytes) -> list[bytes]:
    """Cut a body into single bytes."""
    return [body[position : position + 1] for position in range(len(body))]


def cuts(body: bytes) -> Iterator[int]:
    """Give positions at which to cut a body in two: all, as long as there are not too many."""
    return iter(range(0, len(body) + 1, 1 + len(body) // _MAX_CUTS))
