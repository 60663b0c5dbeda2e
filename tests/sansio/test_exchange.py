"""One exchange: what is sent, what each response means, and which calls are possible when."""

import functools
from typing import Any

import attrs
import pytest

from tests.sansio.exchanges import URL, exchange, failure_of, sent, streaming
from tests.sansio.leaks import everything_in
from tests.sansio.wire.openai_chat.streams import DONE, body, chunk, text
from tokenwire.endpoint import AuthStyle, Endpoint, Limits
from tokenwire.errors import (
    AuthError,
    LocalProtocolError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.exchange import TRANSITIONS, Exchange, State
from tokenwire.messages import Image, Message
from tokenwire.provider_config import ProviderConfig
from tokenwire.response import RateLimit, ResponseInfo
from tokenwire.secret import REDACTED, Secret
from tokenwire.tokens import End, Finish, TextDelta
from tokenwire.wire.openai_chat import OpenAIChat

KEY = "sk-proj-a1B2c3D4e5F6"
PROMPT = "the secret recipe"
USER = Message.user("Hi")
STOP = chunk({}, "stop")
END = End("stop", "stop", finishes={0: Finish("stop", "stop")})

CUT = NetworkError(phase="body", message="connection reset", sent="all", retryable=True)


def failed(status: int, data: bytes = b"", **headers: str) -> ProviderError:
    """Return the error of a response with this status and body."""
    made = sent()
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    assert made.receive_head(status, fields) == []
    assert made.receive_data(data) == []
    return failure_of(made.receive_eof(clean=True))


# The request


def test_a_response_is_read_to_a_request_that_was_made_elsewhere() -> None:
    """As if it had been made here, with its address in errors."""
    read = exchange()
    read.expect("https://host.example/v1/chat/completions")
    assert (read.state, read.url) == (State.SENT, "https://host.example/v1/chat/completions")
    assert read.receive_head(404, []) == []
    error = failure_of(read.receive_eof(clean=True))
    assert "(POST https://host.example/v1/chat/completions)" in error.message
    with pytest.raises(LocalProtocolError, match=r"^send is not possible in state FAILED$"):
        read.expect("https://host.example/v1/chat/completions")


def test_a_request_has_all_that_http_needs() -> None:
    """But for Host, which the HTTP client knows."""
    request = exchange().send([USER])
    assert request.method == "POST"
    assert request.url == "https://host.example/v1/chat/completions"
    assert request.body == b'{"messages":[{"role":"user","content":"Hi"}],"stream":true}'
    assert request.headers == (
        ("user-agent", "tokenwire"),
        ("accept", "text/event-stream"),
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
        ("content-length", "59"),
    )


def test_the_length_counts_bytes() -> None:
    """Not characters."""
    request = exchange().send([Message.user("é")])
    assert dict(request.headers)["content-length"] == str(len(request.body))


def test_settings_reach_the_body() -> None:
    """Those of the call."""
    request = exchange().send([USER], ProviderConfig(model="m", temperature=0))
    assert b'"model":"m"' in request.body
    assert b'"temperature":0' in request.body


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://h.example", "https://h.example/chat/completions"),
        ("https://h.example/", "https://h.example/chat/completions"),
        ("https://h.example/v1//", "https://h.example/v1/chat/completions"),
        ("http://h.example:80/a/v1", "http://h.example:80/a/v1/chat/completions"),
    ],
)
def test_the_path_follows_the_base_url(base_url: str, url: str) -> None:
    """Nothing is added between them but a slash."""
    assert exchange(base_url=base_url).send([USER]).url == url


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (None, ("authorization", f"Bearer {KEY}")),
        ("bearer", ("authorization", f"Bearer {KEY}")),
        ("header:X-API-Key", ("x-api-key", KEY)),
        (AuthStyle("X-Key", "Key "), ("x-key", f"Key {KEY}")),
    ],
)
def test_the_key_is_sent_in_its_style(auth: Any, header: tuple[str, str]) -> None:
    """In the wire format's own, unless the endpoint says otherwise."""
    request = exchange(credential=KEY, auth=auth).send([USER])
    assert header in request.headers
    assert [value for _, value in request.headers if KEY in value] == [header[1]]
    assert KEY not in request.url
    assert KEY.encode() not in request.body
    assert KEY not in repr(request)


def test_the_key_may_stay_at_home() -> None:
    """A server may want none, whatever the configuration holds."""
    request = exchange(credential=KEY, auth="none").send([USER])
    assert KEY not in str(request.headers)


def test_a_credential_that_is_asked_for_must_be_asked_before() -> None:
    """The core cannot await it; the error says what to do, and the exchange is as it was."""

    async def source(key: str) -> Secret:
        return Secret(key)

    made = exchange(credential=functools.partial(source, KEY))
    with pytest.raises(LocalProtocolError, match="ask it, and pass the Secret") as caught:
        made.send([USER])
    assert KEY not in everything_in(caught.value)
    assert made.state is State.IDLE


def test_extra_headers_go_before_our_own() -> None:
    """In any case, secret or not."""
    request = exchange(
        credential="another-key",
        headers={
            "User-Agent": "mine",
            "X-Title": "Test",
            "AUTHORIZATION": Secret(KEY),
        },
    ).send([USER])
    headers = dict(request.headers)
    assert len(headers) == len(request.headers)
    assert (headers["user-agent"], headers["x-title"]) == ("mine", "Test")
    assert headers["authorization"] == KEY
    assert KEY not in repr(request)


def test_query_parameters_are_percent_encoded() -> None:
    """Names and values; a secret is sent, and not shown."""
    made = exchange(query={"api-version": "2026-01-01", "a b": "ü&=", "key": Secret("a/b c?d#e")})
    request = made.send([USER])
    assert request.url == (
        f"{URL}/chat/completions?api-version=2026-01-01&a%20b=%C3%BC%26%3D&key=a%2Fb%20c%3Fd%23e"
    )
    assert made.url == f"{URL}/chat/completions"
    assert "a%2Fb" not in repr(request)


BAD_CALLS: list[tuple[list[Message], ProviderConfig]] = [
    ([], ProviderConfig()),
    ([Message.system(PROMPT, Image(url="https://h.example"))], ProviderConfig()),
    ([Message.user(PROMPT + "\ud83d")], ProviderConfig()),
    ([USER], ProviderConfig(extra={"stream": PROMPT})),
]


@pytest.mark.parametrize(("messages", "config"), BAD_CALLS)
def test_what_cannot_be_sent_moves_nothing(messages: list[Message], config: ProviderConfig) -> None:
    """The caller's mistake raises, without a word of the prompt, and may be corrected."""
    made = exchange(credential=KEY)
    with pytest.raises(LocalProtocolError) as caught:
        made.send(messages, config)
    assert PROMPT not in everything_in(caught.value)
    assert KEY not in everything_in(caught.value)
    assert (made.state, made.url) == (State.IDLE, "")
    made.send([USER])
    assert made.state is State.SENT


def test_what_is_no_message_moves_nothing() -> None:
    """Other libraries' messages are dicts: the error says what to write here."""
    made = exchange()
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    with pytest.raises(
        TypeError, match=r"^messages\[0\] must be a Message, .*, not dict$"
    ) as caught:
        made.send(messages)
    assert PROMPT not in str(caught.value)
    assert made.state is State.IDLE


def test_an_unknown_quirk_is_refused_at_once() -> None:
    """Before there is a request."""
    with pytest.raises(ValueError, match="did you mean 'include_usage'"):
        exchange(quirks={"include_usag": True})


def test_quirks_reach_request_and_answer() -> None:
    """They belong to the endpoint."""
    request = exchange(quirks={"include_usage": True}).send([USER])
    assert b'"include_usage":true' in request.body


# The states


def test_an_exchange_from_beginning_to_end() -> None:
    """Each step leads to its state."""
    made = exchange()
    states = [made.state]
    made.send([USER])
    states.append(made.state)
    made.receive_head(200, [])
    states.append(made.state)
    events = made.receive_data(body(text("Hi"), STOP))
    states.append(made.state)
    events += made.receive_data(body(DONE))
    states.append(made.state)
    assert events == [TextDelta("Hi"), END]
    assert states == [State.IDLE, State.SENT, State.STREAMING, State.STREAMING, State.DONE]


def test_the_table_of_transitions_is_public() -> None:
    """As names, for documentation."""
    assert TRANSITIONS == {
        "IDLE": {"send": "SENT"},
        "SENT": {"receive_head": "STREAMING", "receive_eof": "SENT", "receive_failure": "FAILED"},
        "STREAMING": {
            "receive_data": "STREAMING",
            "receive_eof": "STREAMING",
            "the end of the answer": "DONE",
            "receive_failure": "FAILED",
        },
        "DONE": {"receive_data": "DONE", "receive_eof": "DONE", "receive_failure": "DONE"},
        "FAILED": {"receive_data": "FAILED", "receive_eof": "FAILED", "receive_failure": "FAILED"},
    }


def in_state(state: State) -> Exchange:
    """Return an exchange in a state."""
    made = exchange()
    if state is not State.IDLE:
        made.send([USER])
    if state in (State.STREAMING, State.DONE, State.FAILED):
        made.receive_head(200, [])
    if state is State.DONE:
        made.receive_data(body(STOP, DONE))
    if state is State.FAILED:
        made.receive_failure(CUT)
    assert made.state is state
    return made


def call(made: Exchange, step: str) -> None:
    """Call the method of a step."""
    match step:
        case "send":
            made.send([USER])
        case "receive_head":
            made.receive_head(200, [])
        case "receive_data":
            made.receive_data(b"")
        case "receive_eof":
            made.receive_eof(clean=True)
        case _:
            made.receive_failure(CUT)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "step", ["send", "receive_head", "receive_data", "receive_eof", "receive_failure"]
)
def test_a_call_out_of_order_raises_and_changes_nothing(state: State, step: str) -> None:
    """Every call that the table does not have is the caller's mistake."""
    made = in_state(state)
    if step in TRANSITIONS[state.name]:
        call(made, step)
        return
    with pytest.raises(LocalProtocolError, match=f"^{step} is not possible in state {state.name}$"):
        call(made, step)
    assert made.state is state


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
@pytest.mark.parametrize("clean", [True, False])
def test_nothing_changes_a_result(state: State, clean: bool) -> None:
    """What still comes is passed over, whatever it is."""
    made = in_state(state)
    before = made.partial()
    assert made.receive_data(body(text("late"), {"error": {"message": "late"}})) == []
    assert made.receive_eof(clean=clean) == []
    assert made.receive_failure(CUT) == []
    assert (made.state, made.partial()) == (state, before)


# The response head


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_informational_heads_are_passed_over(status: int) -> None:
    """The real one is still to come."""
    made = sent()
    assert made.receive_head(status, [("x-request-id", "no")]) == []
    assert (made.state, made.response) == (State.SENT, ResponseInfo())
    made.receive_head(200, [])
    assert made.state is State.STREAMING


@pytest.mark.parametrize("status", [200, 201, 206, 299])
def test_every_success_may_hold_an_answer(status: int) -> None:
    """Gateways have their own ideas of success."""
    made = sent()
    made.receive_head(status, [])
    assert made.receive_data(body(text("Hi"), STOP, DONE)) == [TextDelta("Hi"), END]


def test_the_head_is_read() -> None:
    """Status, id and allowances, whatever the case of their names."""
    made = sent()
    made.receive_head(
        200,
        [
            ("X-Request-ID", "req_1"),
            ("X-RateLimit-Limit-Requests", "5"),
            ("Content-Type", "text/event-stream"),
        ],
    )
    assert made.response == ResponseInfo(
        status=200, request_id="req_1", rate_limits=(RateLimit(name="requests", limit=5),)
    )


def test_allowances_may_be_told_behind_the_head() -> None:
    """They take the place of those in it, but nothing takes the place of something."""
    made = sent()
    made.receive_head(200, [("X-RateLimit-Limit-Requests", "5")])
    made.receive_rate_limits([])
    assert made.response.rate_limits == (RateLimit(name="requests", limit=5),)
    made.receive_rate_limits([RateLimit(name="tokens", remaining=7)])
    assert made.response.rate_limits == (RateLimit(name="tokens", remaining=7),)


def test_nothing_is_known_of_a_response_before_its_head() -> None:
    """Nor is the address before the request."""
    made = exchange()
    assert (made.response, made.url) == (ResponseInfo(), "")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP"])
@pytest.mark.parametrize("status", [200, 500])
def test_a_compressed_response_is_refused(encoding: str, status: int) -> None:
    """None was asked for, and it would hold tokens back."""
    made = sent()
    error = failure_of(
        made.receive_head(status, [("Content-Encoding", encoding), ("x-request-id", "req_1")])
    )
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.status, error.request_id) == ("content_encoding", status, "req_1")
    assert f"compressed ({encoding.lower()})" in error.message
    assert made.state is State.FAILED


@pytest.mark.parametrize("encoding", ["identity", "Identity", " identity ", ""])
def test_an_encoding_that_is_none_is_none(encoding: str) -> None:
    """Some proxies say so."""
    made = sent()
    assert made.receive_head(200, [("content-encoding", encoding)]) == []
    assert made.receive_data(body(STOP, DONE)) == [END]


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/json", "TEXT/EVENT-STREAM; charset=utf-8", ""]
)
def test_the_content_type_does_not_decide(content_type: str) -> None:
    """It is as often wrong as the body; the body is what counts."""
    made = sent()
    made.receive_head(200, [("content-type", content_type)])
    assert made.receive_data(body(text("Hi"), STOP, DONE)) == [TextDelta("Hi"), END]


# Failed requests


STATUSES: list[tuple[int, type[ProviderError], dict[str, object]]] = [
    (301, OtherError, {"kind": "redirect"}),
    (400, OtherError, {"kind": "rejected", "retryable": False}),
    (401, AuthError, {"retryable": False}),
    (402, RateLimitError, {"scope": "quota", "retryable": False}),
    (403, AuthError, {"retryable": False}),
    (404, OtherError, {"kind": "not_found", "retryable": False}),
    (408, OtherError, {"kind": "timeout", "retryable": True}),
    (409, OtherError, {"kind": "conflict", "retryable": True}),
    (413, OtherError, {"kind": "rejected", "retryable": False}),
    (422, OtherError, {"kind": "rejected", "retryable": False}),
    (429, RateLimitError, {"scope": "requests", "retryable": True}),
    (500, OtherError, {"kind": "server", "retryable": True}),
    (503, OtherError, {"kind": "overloaded", "retryable": True}),
    (529, OtherError, {"kind": "overloaded", "retryable": True}),
    (600, OtherError, {"kind": "server", "retryable": True}),
]


@pytest.mark.parametrize(("status", "kind", "facts"), STATUSES)
def test_a_failed_request_is_told_with_all_its_facts(
    status: int, kind: type[ProviderError], facts: dict[str, object]
) -> None:
    """Who failed, how, with which id, and how long to wait."""
    error = failed(
        status,
        b'{"error":{"message":"what happened","code":"oops"}}',
        x_request_id="req_1",
        retry_after="7",
    )
    assert type(error) is kind
    told = error.facts()
    assert told == told | facts | {
        "provider": "openai-chat",
        "status": status,
        "code": "oops",
        "request_id": "req_1",
        "retry_after": 7.0,
        "in_stream": False,
        "tokens_emitted": 0,
        "sent": "all",
    }


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after": "2"}, 2.0),
        (
            {
                "retry_after": "Sun, 06 Nov 1994 08:49:40 GMT",
                "date": "Sun, 06 Nov 1994 08:49:37 GMT",
            },
            3.0,
        ),
        ({}, None),
    ],
)
def test_the_retry_delay_is_read_in_its_three_spellings(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Milliseconds, seconds, and a date."""
    error = failed(429, b"", **headers)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "advice", "retryable"),
    [(500, "false", False), (400, "true", True), (500, "maybe", True), (400, "", False)],
)
def test_the_servers_advice_goes_before_its_status(
    status: int,
    advice: str,
    retryable: bool,
) -> None:
    """It knows better whether to try again."""
    assert failed(status, b"", x_should_retry=advice).retryable is retryable


def test_an_answer_that_fails_knows_the_delay_of_its_head() -> None:
    """It keeps no header field, but what they said of that."""
    made = sent()
    made.receive_head(200, [("Retry-After", "9")])
    assert failure_of(made.receive_failure(CUT)).retry_after == 9.0


def test_a_delay_that_the_error_knows_goes_before_the_headers() -> None:
    """A transport or a body may be more precise."""
    made = sent()
    made.receive_head(200, [("retry-after", "9")])
    error = failure_of(made.receive_failure(attrs.evolve(CUT, retry_after=1.0)))
    assert error.retry_after == 1.0


def test_an_error_names_its_provider() -> None:
    """By the endpoint's name, where it has one."""
    made = sent(name="acme")
    made.receive_head(500, [])
    assert failure_of(made.receive_eof(clean=True)).provider == "acme"


def test_an_error_body_comes_in_pieces() -> None:
    """It is read when it is whole."""
    made = sent()
    made.receive_head(401, [])
    assert made.receive_data(b'{"error":{"message":"what') == []
    assert made.receive_data(b' happened"}}') == []
    assert failure_of(made.receive_eof(clean=True)).message == "what happened"


@pytest.mark.parametrize("data", [b"", b'{"error":{"message":"what'])
def test_an_error_whose_body_breaks_off_is_the_error(data: bytes) -> None:
    """The status says more than the broken connection."""
    made = sent()
    made.receive_head(401, [])
    made.receive_data(data)
    assert isinstance(failure_of(made.receive_eof(clean=False)), AuthError)
    made = sent()
    made.receive_head(401, [])
    made.receive_data(data)
    assert isinstance(failure_of(made.receive_failure(CUT)), AuthError)


def test_an_error_body_is_read_up_to_its_limit() -> None:
    """Then it is told at once, and the rest is passed over."""
    made = sent(limits=Limits(error_body_bytes=10))
    made.receive_head(500, [])
    assert made.receive_data(b"abcde") == []
    assert made.receive_data(b"fghi") == []
    error = failure_of(made.receive_data(b"jklm"))
    assert error.message == "abcdefghij"
    assert made.receive_data(b"nop") == []
    assert made.receive_eof(clean=True) == []


@pytest.mark.parametrize(
    ("base_url", "hint"),
    [
        ("https://h.example/v1/v1", ": /v1 stands there twice, take it out of base_url)"),
        (
            "https://h.example/v1/chat/completions",
            ": /chat/completions stands there twice, take it out of base_url)",
        ),
        ("https://h.example", ": most APIs live under a path such as /v1"),
        ("https://h.example/v1", "/v1/chat/completions)"),
        ("https://h.example/v1beta/openai", "/v1beta/openai/chat/completions)"),
    ],
)
def test_not_found_shows_the_address_and_a_hint(base_url: str, hint: str) -> None:
    """A wrong base_url is the usual reason."""
    made = sent(base_url=base_url, query={"key": KEY})
    made.receive_head(404, [])
    made.receive_data(b'{"detail":"Not Found"}')
    error = failure_of(made.receive_eof(clean=True))
    assert error.message.startswith(f"Not Found (POST {base_url}/chat/completions")
    assert hint in error.message
    assert error.message.endswith(")")
    assert KEY not in error.message


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 399])
def test_a_redirect_shows_where_to(status: int) -> None:
    """It is not followed: it would take the key along."""
    error = failed(status, b"moved", location="https://new.example/v1")
    assert isinstance(error, OtherError)
    assert error.kind == "redirect"
    assert error.message == (
        "the server redirects to https://new.example/v1, which is not followed:"
        " set base_url to where the API is"
    )
    assert "redirects without saying where to" in failed(status).message
    assert not error.in_stream


def test_a_stream_that_ends_before_a_token_may_be_in_another_wire_format() -> None:
    """All its events are strange then, and a retry would not help; a cut one says only that."""
    made = sent()
    made.receive_head(200, [])
    made.receive_data(b'event: message_start\ndata: {"type":"message_start"}\n\n')
    error = failure_of(made.receive_eof(clean=True))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "truncated"
    assert "not in the wire format openai-chat" in error.message


@pytest.mark.parametrize("status", [400, 401])
def test_only_a_redirect_redirects(status: int) -> None:
    """Another status may have a location, too."""
    error = failed(status, b"no", location="https://new.example/v1")
    assert error.message == "no"


# Errors and what they must not hold


@pytest.mark.parametrize(
    "settings",
    [{"credential": KEY}, {"headers": {"x-custom": Secret(KEY)}}, {"headers": {"x-api-key": KEY}}],
)
def test_a_key_that_a_server_echoes_is_removed(settings: dict[str, Any]) -> None:
    """From the message, the code and the request id, whole and in long parts."""
    made = sent(**settings)
    made.receive_head(401, [("x-request-id", f"req-{KEY}")])
    made.receive_data(
        f'{{"error":{{"message":"Bad key {KEY}, {KEY[:-5]}…","code":"{KEY}"}}}}'.encode()
    )
    error = failure_of(made.receive_eof(clean=True))
    assert error.message == f"Bad key {REDACTED}, {REDACTED}…"
    assert (error.code, error.request_id) == (REDACTED, f"req-{REDACTED}")
    assert made.response.request_id == f"req-{REDACTED}"
    assert KEY not in everything_in(error)


def test_a_key_in_an_excerpt_is_removed() -> None:
    """Also where the excerpt ends in the middle of it."""
    made = streaming(credential=KEY)
    page = b"<p>" + b"x" * 240 + KEY.encode() + b"</p>"
    error = failure_of(made.receive_data(page))
    assert isinstance(error, MalformedResponseError)
    assert error.excerpt == "<p>" + "x" * 240 + REDACTED
    assert KEY[:8] not in everything_in(error)


def test_a_key_in_a_redirect_is_removed() -> None:
    """A server may put the query into the new address."""
    made = sent(query={"key": Secret(KEY)})
    made.receive_head(302, [("location", f"https://new.example/?key={KEY}")])
    assert KEY not in everything_in(failure_of(made.receive_eof(clean=True)))


def test_a_transports_error_is_scrubbed_as_well() -> None:
    """And so is an id that it brings."""
    made = sent(credential=KEY)
    error = failure_of(
        made.receive_failure(
            NetworkError(phase="tls", message=f"refused {KEY}", request_id=f"id-{KEY}", code=KEY)
        )
    )
    assert (error.message, error.request_id) == (f"refused {REDACTED}", f"id-{REDACTED}")
    assert error.code == REDACTED


def test_a_message_is_one_bounded_line() -> None:
    """However long and however broken into lines."""
    assert failed(500, b"a\n b\r\n\tc\x00").message == "a b c\x00"
    assert failed(500, b"x" * 1_000).message == "x" * 1_000
    assert failed(500, b"x" * 1_001).message == "x" * 999 + "…"
    assert len(failed(500, b"x" * 100_000).message) == 1_000


def test_code_and_request_id_are_bounded() -> None:
    """They are words, not texts."""
    long = "x" * 300
    error = failed(500, f'{{"error":{{"code":"{long}"}}}}'.encode(), x_request_id=long)
    assert error.code == error.request_id == "x" * 255 + "…"
    short = "x" * 256
    error = failed(500, f'{{"error":{{"code":"{short}"}}}}'.encode(), x_request_id=short)
    assert error.code == error.request_id == short


def test_no_code_is_none() -> None:
    """An empty id is none either."""
    error = failed(500, b"", x_request_id="")
    assert (error.code, error.request_id) == (None, None)


def test_a_secret_behind_much_text_is_removed_before_it_is_cut() -> None:
    """Scrubbing sees more than what is kept."""
    made = sent(credential=KEY)
    made.receive_head(500, [])
    made.receive_data(b" " * 2_000 + b"y" * 990 + KEY.encode())
    message = failure_of(made.receive_eof(clean=True)).message
    assert message == "y" * 990 + REDACTED


# The end of the connection


@pytest.mark.parametrize("clean", [True, False])
def test_a_connection_that_ends_without_an_answer(clean: bool) -> None:
    """Nothing had come, so another attempt may do."""
    made = sent()
    error = failure_of(made.receive_eof(clean=clean))
    assert isinstance(error, NetworkError)
    assert error.message == "the server closed the connection without an answer"
    assert (error.phase, error.retryable, error.in_stream) == ("head", True, False)
    assert (error.status, error.timeout, error.sent) == (None, None, "all")
    assert made.state is State.FAILED


def test_a_connection_that_breaks_in_mid_answer() -> None:
    """It is never a success, and what had come stays."""
    made = streaming()
    assert made.receive_data(body(text("Hi"), text("!"))) == [TextDelta("Hi"), TextDelta("!")]
    error = failure_of(made.receive_eof(clean=False))
    assert isinstance(error, NetworkError)
    assert error.message == "the server closed the connection in mid-answer"
    assert (error.phase, error.retryable, error.in_stream) == ("body", True, True)
    assert (error.status, error.tokens_emitted) == (200, 2)
    assert made.partial().text == "Hi!"
    assert not made.partial().complete


def test_a_clean_end_in_mid_answer_is_another_failure() -> None:
    """The server said that this was all."""
    made = streaming()
    made.receive_data(body(text("Hi")))
    error = failure_of(made.receive_eof(clean=True))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.tokens_emitted) == ("truncated", 1)
    assert made.state is State.FAILED


def finished() -> Exchange:
    """Return an exchange whose finish reason has come, and no marker."""
    made = streaming()
    assert made.receive_data(body(text("Hi"), STOP)) == [TextDelta("Hi")]
    return made


def test_a_break_behind_the_finish_reason_loses_nothing() -> None:
    """Only the connection is missing."""
    made = finished()
    assert made.receive_eof(clean=False) == [END]
    assert made.state is State.DONE
    assert made.partial().complete


def test_a_failure_behind_the_finish_reason_loses_nothing() -> None:
    """The same, where the transport knows more."""
    made = finished()
    assert made.receive_failure(CUT) == [END]
    assert made.state is State.DONE


def test_a_clean_end_completes_the_answer() -> None:
    """With the usage that waited."""
    made = streaming()
    made.receive_data(body(text("Hi"), STOP))
    assert made.receive_eof(clean=True) == [END]
    assert made.state is State.DONE


def test_complete_is_not_only_done() -> None:
    """From the finish reason on the answer is whole."""
    made = streaming()
    seen = [made.complete]
    for data in (body(text("Hi")), body(STOP), body(DONE)):
        made.receive_data(data)
        seen.append(made.complete)
    assert seen == [False, False, True, True]
    assert not in_state(State.FAILED).complete
    assert not exchange().complete


def test_a_transports_failure_is_completed() -> None:
    """The transport knows its part, the exchange the rest."""
    made = sent(name="acme")
    made.receive_head(200, [("x-request-id", "req_1")])
    made.receive_data(body(text("Hi")))
    given = NetworkError(phase="body", message="no token", timeout="gap", sent="all")
    error = failure_of(made.receive_failure(given))
    assert error.facts() == given.facts() | {
        "provider": "acme",
        "status": 200,
        "request_id": "req_1",
        "in_stream": True,
        "tokens_emitted": 1,
    }


def test_a_failure_before_the_head_is_no_stream() -> None:
    """There was no response."""
    given = NetworkError(phase="tls", message="bad certificate", sent="nothing")
    error = failure_of(sent().receive_failure(given))
    assert error.facts() == given.facts() | {"provider": "openai-chat"}


def test_tokens_before_an_error_in_the_same_read_still_count() -> None:
    """They come first."""
    made = streaming()
    events = made.receive_data(body(text("a"), text("b"), {"error": {"message": "x"}}, text("c")))
    assert events[:-1] == [TextDelta("a"), TextDelta("b")]
    assert failure_of(events).tokens_emitted == 2
    assert made.partial().text == "ab"
    assert made.state is State.FAILED


def test_tokens_before_an_error_at_the_end_still_count() -> None:
    """The last event has no blank line, and holds both."""
    made = streaming()
    event = {"choices": [{"delta": {"content": "a"}}], "error": {"message": "x"}}
    assert made.receive_data(body(event)[:-2]) == []
    events = made.receive_eof(clean=True)
    assert events[:-1] == [TextDelta("a")]
    assert failure_of(events).tokens_emitted == 1


def test_an_answer_beyond_its_limit_fails() -> None:
    """With what fits in."""
    made = streaming(limits=Limits(answer_bytes=1024 + 2))
    events = made.receive_data(body(text("a"), text("b"), text("c"), DONE))
    assert events[:-1] == [TextDelta("a"), TextDelta("b")]
    error = failure_of(events)
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, error.tokens_emitted) == ("limit", 2)


def test_a_partial_answer_is_there_at_any_time() -> None:
    """From nothing to everything."""
    made = streaming()
    texts = [made.partial().text]
    for data in (body(text("a")), body(text("b"), STOP, DONE)):
        made.receive_data(data)
        texts.append(made.partial().text)
    assert texts == ["", "a", "ab"]
    assert made.partial().end == END


def test_an_empty_read_changes_nothing() -> None:
    """Some transports have them."""
    made = streaming()
    assert made.receive_data(b"") == []
    assert made.receive_data(body(STOP, DONE)) == [END]


def test_an_exchange_shows_no_secret() -> None:
    """Neither its own nor those of its endpoint."""
    made = Exchange(OpenAIChat(), Endpoint(base_url=URL, credential=Secret(KEY)))
    made.send([Message.user(PROMPT)])
    assert KEY not in repr(made)
    assert PROMPT not in repr(made)
