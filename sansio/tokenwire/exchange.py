"""One exchange: a request goes out, a response comes in, and each byte moves a state machine.

    IDLE ──send──▶ SENT ──head──▶ STREAMING ──end──▶ DONE
                    │                 │
                    └────failure──────┴────────────▶ FAILED

An exchange begins IDLE. `send` makes the request and leaves it SENT; until a response head comes,
informational (1xx) heads change nothing. Any other head makes it STREAMING, where the body is
either an answer (2xx) or the description of a failure. The `End` token leads to DONE, a
`ProviderError` to FAILED, and both are for good: whatever still comes is ignored, so that nothing
behind a terminal marker can change the result. What the peer does wrong is a value at the end of a
list; what the caller does wrong, a call that the table below does not have, raises
`LocalProtocolError` and changes nothing.

No I/O, no clock: drive it from any event loop, thread or test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias, final
from urllib.parse import quote, urlencode, urlsplit

import attrs

from tokenwire._urls import without_secrets
from tokenwire.completion import Completion, CompletionBuilder
from tokenwire.endpoint import Endpoint
from tokenwire.errors import (
    MAX_EXCERPT_BYTES,
    MAX_MESSAGE_LENGTH,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    ProviderError,
)
from tokenwire.messages import Message, as_conversation
from tokenwire.provider_config import ProviderConfig
from tokenwire.request import HTTPRequest
from tokenwire.response import RateLimit, ResponseInfo
from tokenwire.retry_delay import retry_advice, retry_delay
from tokenwire.secret import Secret
from tokenwire.tokens import End, Token
from tokenwire.wire.base import Answer, EncodedRequest, Wire
from tokenwire.wire.malformed import limit_error

#: What a step brings: tokens, and at most one error, which is the last.
Events: TypeAlias = list[Token | ProviderError]

_USER_AGENT: Final = "tokenwire"


@final
class State(Enum):
    """Where an exchange stands; see the module's description."""

    IDLE = auto()
    SENT = auto()
    STREAMING = auto()
    DONE = auto()
    FAILED = auto()


class _Step(Enum):
    SEND = "send"
    HEAD = "receive_head"
    DATA = "receive_data"
    EOF = "receive_eof"
    END = "the end of the answer"
    FAILURE = "receive_failure"


_TRANSITIONS: Final[dict[State, dict[_Step, State]]] = {
    State.IDLE: {_Step.SEND: State.SENT},
    State.SENT: {
        _Step.HEAD: State.STREAMING,
        _Step.EOF: State.SENT,  # always followed by a failure
        _Step.FAILURE: State.FAILED,
    },
    State.STREAMING: {
        _Step.DATA: State.STREAMING,
        _Step.EOF: State.STREAMING,  # always followed by an end or a failure
        _Step.END: State.DONE,
        _Step.FAILURE: State.FAILED,
    },
    State.DONE: dict.fromkeys((_Step.DATA, _Step.EOF, _Step.FAILURE), State.DONE),
    State.FAILED: dict.fromkeys((_Step.DATA, _Step.EOF, _Step.FAILURE), State.FAILED),
}

#: Transitions as names, for documentation and tests.
TRANSITIONS: Final = {
    state.name: {step.value: target.name for step, target in steps.items()}
    for state, steps in _TRANSITIONS.items()
}


@final
class Exchange:
    """One request and its response.

    Args:
        wire: The wire format.
        endpoint: Where the request goes. A credential must be a `Secret` here: ask a callable for
            it first, and pass ``attrs.evolve(endpoint, credential=secret)``.

    Raises:
        ValueError: If the endpoint has a quirk that the wire format does not know.
    """

    def __init__(self, wire: Wire, endpoint: Endpoint) -> None:
        wire.check_quirks(endpoint.quirks)
        self._wire = wire
        self._endpoint = endpoint
        self._scrubber = endpoint.scrubber()
        self._state = State.IDLE
        self._url = ""
        self._asked_for = ""
        self._headers: dict[str, str] = {}
        self._retry_after: float | None = None
        self._response = ResponseInfo()
        self._answer: Answer | None = None
        self._error_body = bytearray()
        self._builder = CompletionBuilder(endpoint.limits.answer_bytes)
        self._tokens_emitted = 0

    @property
    def state(self) -> State:
        """Where the exchange stands."""
        return self._state

    @property
    def url(self) -> str:
        """The request's URL without its query, empty before `send`."""
        return self._url

    @property
    def response(self) -> ResponseInfo:
        """The response as far as its head has come."""
        return self._response

    @property
    def complete(self) -> bool:
        """Whether the answer is whole, even if its `End` still waits for the usage."""
        return self._state is State.DONE or (self._answer is not None and self._answer.complete)

    def partial(self) -> Completion:
        """Return what has come so far, also after a failure."""
        return self._builder.completion()

    def send(
        self, messages: Sequence[Message], config: ProviderConfig | None = None
    ) -> HTTPRequest:
        """Make the request.

        Args:
            messages: The conversation, at least one message.
            config: The settings of this call.

        Returns:
            What to put on the wire; its response goes to `receive_head` and so on.

        Raises:
            LocalProtocolError: If the wire format cannot carry what was asked, or a request was
                made already.
            TypeError: If something else than a `Message` is among the messages.
        """
        self._check(_Step.SEND)
        config = config or ProviderConfig()
        encoded = self._wire.encode(as_conversation(messages), config, self._endpoint.quirks)
        headers = _request_headers(encoded, self._endpoint, self._wire)
        self._url = request_url(self._wire, self._endpoint, config)
        method = "GET" if encoded.opens_socket else "POST"
        self._asked_for = _asked_for(method, self._url)
        self._move(_Step.SEND)
        return HTTPRequest(
            method, self._url + _query(encoded, self._endpoint), headers, encoded.body
        )

    def expect(self, url: str, method: str = "POST") -> None:
        """Take note of a request that was made elsewhere, in place of `send`.

        So a response can be read that was recorded, or that another program received.

        Args:
            url: Where the request went, without its query. Errors show it.
            method: ``"GET"`` where the request asked for a WebSocket.

        Raises:
            LocalProtocolError: If a request was made already.
        """
        self._check(_Step.SEND)
        self._url = url
        self._asked_for = _asked_for(method, url)
        self._move(_Step.SEND)

    def receive_head(self, status: int, headers: Iterable[tuple[str, str]]) -> Events:
        """Take a response head.

        Args:
            status: HTTP status; informational ones (1xx) are passed over.
            headers: In order, names in any case.

        Returns:
            Nothing, or the error for a response that cannot be read.
        """
        self._check(_Step.HEAD)
        if 100 <= status < 200:
            return []
        self._headers = {name.lower(): value for name, value in headers}
        self._retry_after = retry_delay(self._headers)
        request_id = self._wire.request_id(self._headers)
        self._response = ResponseInfo(
            status=status,
            request_id=self._scrub(request_id, MAX_EXCERPT_BYTES) if request_id else None,
            rate_limits=self._wire.rate_limits(self._headers),
        )
        self._move(_Step.HEAD)
        encoding = self._headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            return self._fail(
                MalformedResponseError(
                    reason="content_encoding",
                    message=f"the response is compressed ({encoding}), although none was asked"
                    " for: a proxy in between is badly set up",
                )
            )
        if 200 <= status < 300:
            self._headers = {}  # only a refusal is read with them, and an answer may be long
            self._answer = self._wire.answer(self._endpoint.limits, self._endpoint.quirks)
        return []

    def receive_rate_limits(self, rate_limits: Iterable[RateLimit]) -> None:
        """Take allowances that the provider reports elsewhere than in the response head.

        Args:
            rate_limits: They take the place of those known so far, unless there are none.
        """
        if limits := tuple(rate_limits):
            self._response = attrs.evolve(self._response, rate_limits=limits)

    def receive_data(self, data: bytes) -> Events:
        """Take the next bytes of the response body, without any transfer coding.

        Args:
            data: As they came, cut anywhere.

        Returns:
            The tokens that they completed. A `ProviderError` is the last item that ever comes.
        """
        answer = self._answer
        if answer is None:
            self._check(_Step.DATA)
            return self._receive_error_body(data) if self._state is State.STREAMING else []
        tokens: list[Token] = []
        try:
            answer.receive_data(data, tokens)
        except ProviderError as error:
            return self._emit(tokens, error)
        return self._emit(tokens) if tokens else []

    def receive_eof(self, clean: bool) -> Events:
        """Take the end of the response body.

        Args:
            clean: The body is whole by its HTTP framing; False if the connection broke.

        Returns:
            The rest of the answer with its `End`, or the error that it is cut off.
        """
        self._check(_Step.EOF)
        if self._state is State.SENT or not clean:
            return self.receive_failure(
                NetworkError(
                    phase="head" if self._state is State.SENT else "body",
                    message="the server closed the connection "
                    + ("without an answer" if self._state is State.SENT else "in mid-answer"),
                    retryable=True,
                )
            )
        if self._state is not State.STREAMING:
            return []
        if self._answer is None:
            return self._fail_with_error_body()
        tokens: list[Token] = []
        try:
            self._answer.receive_eof(tokens)
        except ProviderError as error:
            return self._emit(tokens, error)
        return self._emit(tokens)

    def receive_failure(self, error: ProviderError) -> Events:
        """Take a failure of the transport: a reset, a deadline, broken framing.

        Args:
            error: What the transport knows of it; the rest is filled in here.

        Returns:
            The `End` if a terminal marker had come, so that nothing is missing but the connection;
            the response's own error if it was one; else the completed error.
        """
        self._check(_Step.FAILURE)
        if self._state in (State.DONE, State.FAILED):
            return []
        if self._answer is not None and self._answer.complete:
            tokens: list[Token] = []
            self._answer.receive_cut(tokens)
            return self._emit(tokens)
        if self._state is State.STREAMING and self._answer is None:
            return self._fail_with_error_body()
        return self._fail(error)

    def _receive_error_body(self, data: bytes) -> Events:
        limit = self._endpoint.limits.error_body_bytes
        self._error_body += data[: limit - len(self._error_body)]
        return self._fail_with_error_body() if len(self._error_body) >= limit else []

    def _fail_with_error_body(self) -> Events:
        status = self._response.status or 0
        error = self._wire.failure(status, self._headers, bytes(self._error_body))
        self._error_body.clear()
        advice = retry_advice(self._headers)
        if advice is not None:
            error = attrs.evolve(error, retryable=advice)
        if status == 404:
            hint = _hint(self._endpoint.base_url, self._url)
            error = attrs.evolve(error, message=f"{error.message} ({self._asked_for}{hint})")
        elif 300 <= status < 400:
            error = attrs.evolve(error, message=_redirect(self._headers.get("location", "")))
        return self._fail(error)

    def _emit(self, tokens: list[Token], error: ProviderError | None = None) -> Events:
        """Account for new tokens, and for the end that may be among them."""
        kept = self._builder.extend(tokens)
        self._tokens_emitted += kept
        events: Events = [*tokens]
        if kept < len(tokens):
            del events[kept:]
            error = limit_error("answer_bytes", self._endpoint.limits.answer_bytes)
        if error is not None:
            events += self._fail(error if self._tokens_emitted else self._without_token(error))
        elif tokens and type(tokens[-1]) is End:
            self._move(_Step.END)
            self._answer = None
        return events

    def _without_token(self, error: ProviderError) -> ProviderError:
        """Say what else an end before the first token may mean: all events are strange here."""
        if not isinstance(error, MalformedResponseError) or error.reason != "truncated":
            return error
        return attrs.evolve(
            error,
            message="the stream ended cleanly before a first token: it is cut off, or not in the"
            f" wire format {self._wire.kind}",
        )

    def _fail(self, error: ProviderError) -> Events:
        """Complete an error with what the exchange knows, and end in it."""
        status = self._response.status
        in_stream = status is not None and 200 <= status < 300
        own_status = error.status if error.status is not None else status
        completed = attrs.evolve(
            error,
            provider=self._endpoint.name or self._wire.kind,
            message=self._scrub(error.message, MAX_MESSAGE_LENGTH),
            code=self._scrub(error.code, MAX_EXCERPT_BYTES) if error.code else None,
            status=own_status,
            request_id=self._scrub(error.request_id, MAX_EXCERPT_BYTES)
            if error.request_id
            else self._response.request_id,
            retry_after=error.retry_after or self._retry_after,
            in_stream=in_stream,
            tokens_emitted=self._tokens_emitted,
        )
        if isinstance(completed, MalformedResponseError):
            completed = attrs.evolve(
                completed, excerpt=self._scrub(completed.excerpt, MAX_EXCERPT_BYTES)
            )
        self._move(_Step.FAILURE)
        self._answer = None
        return [completed]

    def _scrub(self, text: str, length: int) -> str:
        """Make server text fit for an error: one line, bounded, without secrets."""
        # Bounded before as well, so that scrubbing a huge text costs nothing.
        line = " ".join(self._scrubber.scrub(text[: 4 * length]).split())
        return line if len(line) <= length else line[: length - 1] + "…"

    def _check(self, step: _Step) -> None:
        if step not in _TRANSITIONS[self._state]:
            raise LocalProtocolError(f"{step.value} is not possible in state {self._state.name}")

    def _move(self, step: _Step) -> None:
        self._state = _TRANSITIONS[self._state][step]


def request_url(wire: Wire, endpoint: Endpoint, config: ProviderConfig) -> str:
    """Return where a request with these settings goes: the final URL without its query.

    Raises:
        LocalProtocolError: If a setting that is part of the address is missing.
    """
    return endpoint.base_url + wire.path(config, endpoint.quirks)


def _asked_for(method: str, url: str) -> str:
    """Name a request; one that asks for a WebSocket as everybody does."""
    return f"GET ws{url.removeprefix('http')}" if method == "GET" else f"{method} {url}"


def _request_headers(
    encoded: EncodedRequest, endpoint: Endpoint, wire: Wire
) -> tuple[tuple[str, str], ...]:
    headers = {
        "user-agent": _USER_AGENT,
        "accept": encoded.accept,
        "accept-encoding": "identity",  # compression would hold tokens back
        "content-type": "application/json",
        **encoded.headers,
    }
    style = endpoint.auth or wire.auth
    if isinstance(endpoint.credential, Secret) and style.header:
        headers[style.header.lower()] = style.prefix + endpoint.credential.reveal()
    elif endpoint.credential is not None and not isinstance(endpoint.credential, Secret):
        raise LocalProtocolError("the credential is a callable: ask it, and pass the Secret")
    headers |= {name.lower(): _revealed(value) for name, value in endpoint.headers.items()}
    headers["content-length"] = str(len(encoded.body))
    return tuple(headers.items())


def _query(encoded: EncodedRequest, endpoint: Endpoint) -> str:
    query = {**encoded.query, **{name: _revealed(value) for name, value in endpoint.query.items()}}
    return "?" + urlencode(query, quote_via=quote) if query else ""


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _redirect(location: str) -> str:
    target = without_secrets(location)
    where = f"to {target}, which is not followed" if target else "without saying where to"
    return f"the server redirects {where}: set base_url to where the API is"


def _hint(base_url: str, url: str) -> str:
    """Say what is probably wrong with a base URL under which nothing was found.

    Args:
        base_url: The endpoint's.
        url: Where the request went.
    """
    path = urlsplit(base_url).path
    added = url.removeprefix(base_url)
    if added and base_url.endswith(added):
        return f": {added} stands there twice, take it out of base_url"
    if path.endswith("/v1/v1"):
        return ": /v1 stands there twice, take it out of base_url"
    if not path:
        return ": most APIs live under a path such as /v1 or /api, perhaps base_url lacks it"
    return ""
