"""What a recording writes of one call: its lines, without secrets, as things happen."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

import attrs
import trio

from tokenwire.completion import Completion
from tokenwire.endpoint import Endpoint
from tokenwire.errors import ProviderError, Sent
from tokenwire.exchange import Events, Exchange, State
from tokenwire.request import HTTPRequest
from tokenwire.response import RateLimit, ResponseInfo
from tokenwire.secret import REDACTED, names_credential
from tokenwire.session import SentRequest
from tokenwire.wire.base import Wire
from tokenwire_trio.recording.appended_file import AppendedFile
from tokenwire_trio.recording.file_format import (
    SOCKET_VERSION,
    VERSION,
    DataLine,
    EndLine,
    EOFLine,
    FailureLine,
    HeadLine,
    Line,
    Outcome,
    RateLimitsLine,
    RequestLine,
    SentLine,
    encode,
    json_value,
)
from tokenwire_trio.recording.redacted_body import Piece, RedactedBody


@final
class Tape:
    """What one call writes: an exchange, or two where it was refused and made again.

    Args:
        path: The file.
        prompts: Whether to keep the body of requests.
    """

    def __init__(self, path: Path, *, prompts: bool) -> None:
        self._path = path
        self._prompts = prompts
        self._file: AppendedFile | None = None
        self._current: TapedExchange | None = None

    def record(
        self,
        exchange: Exchange,
        request: HTTPRequest,
        wire: Wire,
        endpoint: Endpoint,
        sent: SentRequest | None = None,
    ) -> TapedExchange:
        """Begin an exchange, or go on with one of which nothing has come; see `Tap`.

        Raises:
            OSError: If the file cannot be written, before the first exchange.
        """
        current = self._current
        if current is None:
            current = self._begin_first(exchange, request, wire, endpoint)
        elif current.has_begun:
            current.end("renewed", None)
            current = self._begin(exchange, request, wire, endpoint)
        else:
            current.be_read_by(exchange, endpoint)
        if sent is not None:
            current.note_sent(sent, prompts=self._prompts)
        self._current = current
        return current

    def _begin_first(
        self, exchange: Exchange, request: HTTPRequest, wire: Wire, endpoint: Endpoint
    ) -> TapedExchange:
        self._file = AppendedFile(self._path)
        begun = self._begin(exchange, request, wire, endpoint)
        if self._file.failure is not None:
            raise self._file.failure
        return begun

    def _begin(
        self, exchange: Exchange, request: HTTPRequest, wire: Wire, endpoint: Endpoint
    ) -> TapedExchange:
        assert self._file is not None  # see `_begin_first`
        begin = _request_line(request, wire, endpoint, prompts=self._prompts)
        self._file.write(encode([begin]))
        return TapedExchange(exchange, begin.exchange, self._file, endpoint)

    def close(self, error: BaseException | None) -> OSError | None:
        """Write how it ended, for whatever reason.

        Args:
            error: What the block is left with.

        Returns:
            Why not all could be written, None if it was.
        """
        if self._file is None:
            return None
        if self._current is not None:
            self._current.end(None, error)
        self._file.close()
        return self._file.failure


@final
class TapedExchange:
    """Stands in front of an exchange, and writes what comes before the exchange reads it.

    Args:
        exchange: What reads the answer.
        name: Of the exchange, in the file.
        file: Where to write.
        endpoint: Whose secrets are to be left out.

    Attributes:
        has_begun: Something has come.
    """

    def __init__(
        self, exchange: Exchange, name: str, file: AppendedFile, endpoint: Endpoint
    ) -> None:
        self._exchange = exchange
        self._name = name
        self._file = file
        self._scrubbers = {endpoint.credential: endpoint.scrubber()}
        self._began = trio.current_time()
        self._body = RedactedBody(self._scrub)
        self._error: ProviderError | None = None
        self.has_begun: bool = False

    @property
    def state(self) -> State:
        """Where the exchange stands."""
        return self._exchange.state

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head has come."""
        return self._exchange.response

    def partial(self) -> Completion:
        """Return what has come so far."""
        return self._exchange.partial()

    def be_read_by(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Have another exchange read what comes, with an endpoint that differs in its key only.

        The connection that was found may have been opened with an older one.
        """
        self._exchange = exchange
        if endpoint.credential not in self._scrubbers:
            self._scrubbers[endpoint.credential] = endpoint.scrubber()

    def _scrub(self, text: str) -> str:
        for scrubber in self._scrubbers.values():
            text = scrubber.scrub(text)
        return text

    def note_sent(self, sent: SentRequest, *, prompts: bool) -> None:
        """Write how the request goes out over a socket."""
        messages = [json_value(self._scrub(message)) for message in sent.messages]
        self._write(
            SentLine(self._name, self._time(), sent.continued, messages if prompts else None)
        )

    def receive_head(self, status: int, headers: Iterable[tuple[str, str]]) -> Events:
        """Take a response head."""
        self.has_begun = True
        fields = list(headers)
        redacted = [(name, self._redacted(name, value)) for name, value in fields]
        self._write(HeadLine(self._name, self._time(), status, redacted))
        return self._noted(self._exchange.receive_head(status, fields))

    def _redacted(self, name: str, value: str) -> str:
        # Allowances of tokens are no tokens.
        secret = names_credential(name) and "ratelimit" not in name.lower().replace("-", "")
        return REDACTED if secret else self._scrub(value)

    def receive_rate_limits(self, rate_limits: Iterable[RateLimit]) -> None:
        """Take allowances that the provider reports elsewhere than in the response head."""
        limits = list(rate_limits)
        redacted = [attrs.evolve(each, name=self._scrub(each.name)) for each in limits]
        if limits:
            self._write(RateLimitsLine(self._name, self._time(), redacted))
        self._exchange.receive_rate_limits(limits)

    def receive_data(self, data: bytes) -> Events:
        """Take the next bytes of the response body."""
        pieces = self._body.receive(self._time(), data)
        if pieces:
            self._file.write(encode(self._data_lines(pieces)))
        return self._noted(self._exchange.receive_data(data))

    def receive_eof(self, clean: bool) -> Events:
        """Take the end of the response body."""
        self._write(EOFLine(self._name, self._time(), clean))
        return self._noted(self._exchange.receive_eof(clean))

    def receive_failure(self, error: ProviderError) -> Events:
        """Take a failure of the transport."""
        self.has_begun = True
        facts = {
            name: self._scrub(value) if isinstance(value, str) else value
            for name, value in error.facts().items()
        }
        self._write(FailureLine(self._name, self._time(), facts))
        return self._noted(self._exchange.receive_failure(error))

    def end(self, outcome: Outcome | None, error: BaseException | None) -> None:
        """Write how the exchange ended.

        Args:
            outcome: How, None for what its state says.
            error: What its block was left with.
        """
        told = self._error
        if told and isinstance(error, ProviderError) and error.message == told.message:
            told = error  # the same one, with what only the transport knows
        sent: Sent = "all" if told is None else told.sent
        message = None if told is None else self._scrub(str(told))
        how = outcome or _OUTCOMES.get(self._exchange.state, "left")
        self._write(EndLine(self._name, self._time(), how, sent, message))

    def _noted(self, events: Events) -> Events:
        if events and isinstance(events[-1], ProviderError):
            self._error = events[-1]
        return events

    def _time(self) -> float:
        return round(trio.current_time() - self._began, 6)

    def _write(self, line: Line) -> None:
        """Write a line, and before it what was held back."""
        self._file.write(encode([*self._data_lines(self._body.rest()), line]))

    def _data_lines(self, pieces: Iterable[Piece]) -> list[DataLine]:
        return [_data_line(self._name, piece) for piece in pieces]


#: How an exchange ended whose block is left.
_OUTCOMES: Final[dict[State, Outcome]] = {State.DONE: "complete", State.FAILED: "failed"}


def _data_line(name: str, piece: Piece) -> DataLine:
    try:
        return DataLine(name, piece.t, text=piece.data.decode(), more=piece.more)
    except UnicodeDecodeError:
        return DataLine(name, piece.t, base64=piece.data, more=piece.more)


def _request_line(
    request: HTTPRequest, wire: Wire, endpoint: Endpoint, *, prompts: bool
) -> RequestLine:
    scrubber = endpoint.scrubber()
    return RequestLine(
        tokenwire_recording=SOCKET_VERSION if request.method == "GET" else VERSION,
        exchange=secrets.token_hex(6),  # other programs may write to the same file
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        provider=endpoint.name,
        wire=wire.kind,
        quirks=dict(endpoint.quirks),
        limits=attrs.asdict(endpoint.limits),
        base_url=scrubber.scrub(endpoint.base_url),
        method=request.method,
        url=scrubber.scrub(request.url),
        headers=[
            (name, REDACTED if names_credential(name) else scrubber.scrub(value))
            for name, value in request.headers
        ],
        body=json_value(scrubber.scrub(request.body.decode())) if prompts else None,
        body_bytes=len(request.body),
    )
