"""Servers that break the rules of HTTP, of WebSockets, or of the API: one typed error each.

So does a recording of each.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import lockstep_stream_pair
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from tests.patience import HANGS_S
from tests.trio_backend.played_back import text_played_back
from tests.trio_backend.servers import FailingStream, Handler, ServerSide
from tests.trio_backend.socket_servers import (
    BOTH_WIRES,
    HELLO,
    Peer,
    RawServer,
    SectionOf,
    answers_all,
    created,
    ended,
    events,
    raw_handler,
    realtime_section,
    said,
    socket_provider,
    socket_section,
    websocket_handler,
)
from tokenwire.endpoint import Deadlines, Limits
from tokenwire.errors import (
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire.messages import Message
from tokenwire_trio.socket_connection import PING_INTERVAL_S, PONG_WAIT_S
from tokenwire_trio.socket_provider import SocketProvider

KEY = "sk-canary-0123456789abcdef"


async def error_of(
    handler: Handler, section_of: SectionOf = socket_section, **endpoint: Any
) -> ProviderError:
    """Make a call that fails, and return its error; nothing may stay open."""
    settings: dict[str, Any] = {"credential": KEY, **endpoint}
    async with socket_provider(handler, section_of=section_of, **settings) as (provider, network):
        with pytest.raises(ProviderError) as caught:
            await text_played_back(provider)
        await trio.testing.wait_all_tasks_blocked()
    assert all(connection.closed for connection in network.connections)
    assert KEY not in repr(caught.value.facts())
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def says(*pieces: bytes, stays: bool = True) -> Handler:
    """Make a handler that reads the request for a WebSocket and sends these bytes."""

    async def handler(side: ServerSide) -> None:
        await _read_head(side)
        for piece in pieces:
            await side.send(piece)
        if stays:
            await side.wait_until_client_leaves()

    return handler


async def _read_head(side: ServerSide) -> bytes:
    while b"\r\n\r\n" not in side.request:
        side.request += await side.stream.receive_some()
    return side.request


def event(kind: str, **members: Any) -> str:
    """Write an event."""
    return json.dumps({"type": kind, **members})


CREATED = event("response.created", response={"id": "r1"})
DELTA = event("response.output_text.delta", delta="Hi")
COMPLETED = event("response.completed", response={"id": "r1", "status": "completed"})


def refusal(status: int, *headers: str, body: str = "", length: int | None = None) -> bytes:
    """Write a response that refuses."""
    lines = [f"HTTP/1.1 {status} No", *headers]
    lines.append(f"content-length: {len(body) if length is None else length}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def failure(code: str) -> str:
    """Write the body of a failed request."""
    return json.dumps({"error": {"code": code, "message": f"Key {KEY} is no good."}})


# In place of an agreement


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", AuthError),
        (403, "forbidden", AuthError),
        (429, "rate_limit_exceeded", RateLimitError),
        (404, "model_not_found", OtherError),
        (500, "server_error", OtherError),
        (503, "server_is_overloaded", OtherError),
    ],
)
async def test_a_refused_upgrade_is_a_refused_request(
    status: int, code: str, kind: type[ProviderError]
) -> None:
    """With its status, code, request id and delay, and without the key that it echoes."""
    headers = ("x-request-id: req-7", "retry-after: 3")
    error = await error_of(says(refusal(status, *headers, body=failure(code))))
    assert type(error) is kind
    assert (error.status, error.code, error.request_id) == (status, code, "req-7")
    assert (error.retry_after, error.sent, error.in_stream) == (3, "nothing", False)


async def test_a_refusal_may_come_byte_by_byte() -> None:
    """After interim responses, too."""
    response = b"HTTP/1.1 103 Hints\r\n\r\n" + refusal(401, body=failure("invalid_api_key"))
    error = await error_of(says(*(response[i : i + 1] for i in range(len(response)))))
    assert isinstance(error, AuthError)


@pytest.mark.parametrize("stays", [True, False])
async def test_a_refusal_without_its_body_is_one(
    stays: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """The status says most, whether the connection ends or the body is kept back."""
    error = await error_of(says(refusal(401, length=100), stays=stays))
    assert isinstance(error, AuthError)


async def test_a_refusal_with_an_endless_body_is_cut_off() -> None:
    """At the limit for bodies of errors."""
    handler = says(b"HTTP/1.1 500 No\r\n\r\n", *[b"x" * 60_000] * 10)
    error = await error_of(handler, limits=Limits(error_body_bytes=100_000))
    assert isinstance(error, OtherError)


async def test_a_page_in_place_of_a_websocket_is_no_answer() -> None:
    """A status of success is none here."""
    error = await error_of(says(refusal(200, body="<html><title>Welcome</title>")))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "content_type"


def agreement(key: bytes) -> bytes:
    """Compute what proves that a server speaks WebSocket (RFC 6455 section 4.2.2)."""
    proof = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324
    return base64.b64encode(proof)


def agrees(*lines: str) -> Handler:
    """Make a handler that agrees with these headers, ``PROOF`` standing for the right one."""

    async def handler(side: ServerSide) -> None:
        head = await _read_head(side)
        (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", head)
        text = "\r\n".join(("HTTP/1.1 101 Switching Protocols", *lines, "", ""))
        await side.send(text.encode().replace(b"PROOF", agreement(key)))
        await side.wait_until_client_leaves()

    return handler


_AGREEMENT = ("upgrade: websocket", "connection: upgrade", "sec-websocket-accept: PROOF")


@pytest.mark.parametrize(
    "lines",
    [
        ("upgrade: websocket", "connection: upgrade", "sec-websocket-accept: bm8="),
        ("upgrade: websocket", "connection: upgrade"),
        ("connection: upgrade", "sec-websocket-accept: PROOF"),
        ("upgrade: websocket", "sec-websocket-accept: PROOF"),
        (*_AGREEMENT, "sec-websocket-protocol: chat"),
        (*_AGREEMENT, "sec-websocket-protocol: caf\u00e9"),
        (*_AGREEMENT, "no header at all"),
    ],
)
async def test_an_agreement_against_the_rules_is_malformed(lines: tuple[str, ...]) -> None:
    """A wrong key, a missing header, a subprotocol that nobody asked for."""
    error = await error_of(agrees(*lines))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "framing"
    assert error.sent == "nothing"


@pytest.mark.parametrize(
    "response", [b"SSH-2.0-OpenSSH_9.7\r\n", b"HTTP/1.1 101 " + b"x" * 70_000, b"\x00\xff" * 20]
)
async def test_what_is_no_http_is_malformed(response: bytes) -> None:
    """And no reason to wait."""
    error = await error_of(says(response))
    assert isinstance(error, MalformedResponseError)


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 101 Switching", b"HTTP/1.1 4"])
async def test_a_connection_that_ends_before_an_answer_is_lost(response: bytes) -> None:
    """Wherever that is."""
    error = await error_of(says(response, stays=False) if response else says(stays=False))
    assert isinstance(error, NetworkError)
    assert (error.phase, error.sent, error.retryable) == ("head", "nothing", True)


@pytest.mark.parametrize("code", [1011, None])
@BOTH_WIRES
async def test_a_connection_that_ends_right_behind_the_agreement_is_lost(
    section_of: SectionOf, code: int | None
) -> None:
    """If the request was not sent, nothing was lost but the connection."""

    async def script(server: RawServer) -> None:
        if code is not None:
            await server.send(CloseConnection(code))

    error = await error_of(raw_handler(script), section_of)
    assert isinstance(error, NetworkError)
    assert error.phase == "head" or error.sent != "nothing"
    assert (error.retryable, error.in_stream) == (True, False)


# Faults anywhere


def _bytes_of(key: bytes) -> bytes:
    """Return all that a server says in a whole answer."""
    head = "\r\n".join(("HTTP/1.1 101 Switching Protocols", *_AGREEMENT, "", ""))
    frames = b"".join(
        b"\x81" + bytes([len(text)]) + text.encode() for text in (CREATED, DELTA, COMPLETED)
    )
    return head.encode().replace(b"PROOF", agreement(key)) + frames


def plays(change: Callable[[bytes], bytes]) -> Handler:
    """Make a handler that says all of that, changed, once, and goes."""

    async def handler(side: ServerSide) -> None:
        head = await _read_head(side)
        (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", head)
        agreed, end, _ = _bytes_of(key).partition(b"\r\n\r\n")
        said = change(_bytes_of(key))
        answer = said.removeprefix(agreed + end)
        await side.send(said.removesuffix(answer))
        if answer != said:
            await side.stream.receive_some()  # the request
        await side.send(answer)

    return handler


async def _outcome(handler: Handler) -> str | ProviderError:
    with trio.fail_after(HANGS_S):
        async with socket_provider(handler) as (provider, network):
            outcome: str | ProviderError
            try:
                outcome = await text_played_back(provider)
            except ProviderError as error:
                outcome = error
            await trio.testing.wait_all_tasks_blocked()
            assert all(connection.closed for connection in network.connections)
    return outcome


def _beginning(length: int, data: bytes) -> bytes:
    return data[:length]


async def test_a_connection_may_be_cut_at_every_byte() -> None:
    """Never success but for the whole, never anything but a `ProviderError`."""
    size = len(_bytes_of(b"x"))
    for length in range(size):
        outcome = await _outcome(plays(partial(_beginning, length)))
        assert isinstance(outcome, NetworkError), length
        assert outcome.retryable
    assert await _outcome(plays(lambda data: data)) == "Hi"


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
async def test_a_connection_may_be_damaged_at_every_byte(mask: int) -> None:
    """What comes out is a text or a `ProviderError`, and nothing waits for ever."""

    def damage(position: int, data: bytes) -> bytes:
        return data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]

    for position in range(len(_bytes_of(b"x"))):
        outcome = await _outcome(plays(partial(damage, position)))
        assert isinstance(outcome, str | ProviderError)


# The end of the connection


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1000, NetworkError),
        (1001, NetworkError),
        (1011, NetworkError),
        (1012, NetworkError),
        (1013, NetworkError),
        (4000, NetworkError),
        (1002, MalformedResponseError),
        (1003, MalformedResponseError),
        (1007, MalformedResponseError),
        (1008, OtherError),
        (1009, OtherError),
        (3000, AuthError),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
@BOTH_WIRES
async def test_a_close_before_the_end_says_what_kind_of_failure_it_is(
    section_of: SectionOf, code: int, kind: type[ProviderError], begun: bool
) -> None:
    """By its code; the reason is shown, without the key."""

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        if begun:
            await peer.begin(request, "r1")
            await peer.say(request, "Hi")
        await peer.websocket.aclose(code, f"because of {KEY}")

    error = await error_of(websocket_handler(script), section_of)
    assert type(error) is kind
    assert error.code == str(code)
    assert "because of" in error.message
    assert error.tokens_emitted == begun
    assert error.sent == "all"


@pytest.mark.parametrize("begun", [True, False])
@BOTH_WIRES
async def test_a_connection_that_ends_without_a_word_is_lost(
    section_of: SectionOf, begun: bool
) -> None:
    """Code 1006, as RFC 6455 has it."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        if begun:
            await server.send(*events(created(request), said(request, "Hi")))

    error = await error_of(raw_handler(script), section_of)
    assert isinstance(error, NetworkError)
    assert (error.code, error.tokens_emitted, error.retryable) == ("1006", begun, True)


@BOTH_WIRES
async def test_an_answer_is_whole_whose_connection_ends_right_behind_it(
    section_of: SectionOf,
) -> None:
    """Nothing is missing."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        await server.send(*events(created(request), said(request, "Hi"), ended(request)))

    async with socket_provider(raw_handler(script), section_of=section_of) as (provider, _):
        assert await text_played_back(provider) == "Hi"


@BOTH_WIRES
async def test_what_comes_behind_the_close_changes_nothing(section_of: SectionOf) -> None:
    """A ping that can't be answered any more, for instance."""

    async def script(server: RawServer) -> None:
        await server.send(*events(created(await server.receive_request())))
        await server.send_bytes(b"\x88\x02\x03\xf0" + b"\x89\x00")
        await server.receive()

    error = await error_of(raw_handler(script), section_of)
    assert isinstance(error, OtherError)
    assert error.code == "1008"


@pytest.mark.parametrize("failure", [trio.BrokenResourceError, ConnectionResetError])
async def test_a_connection_that_breaks_before_the_upgrade_is_lost(
    failure: type[Exception],
) -> None:
    """Whatever a stream of the program's own raises."""

    async def dial(host: str, port: int) -> trio.abc.Stream:
        return FailingStream(failure)

    async with SocketProvider(socket_section(), dial=dial) as provider:
        with pytest.raises(NetworkError) as caught:
            await text_played_back(provider)
    assert (caught.value.sent, caught.value.retryable) == ("nothing", True)


# Messages


@BOTH_WIRES
async def test_messages_may_come_in_fragments_and_frames_in_pieces(section_of: SectionOf) -> None:
    """With pings in between, and a character cut in two."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        await server.send(*events(created(request)))
        for character in json.dumps(said(request, "H\u00e9"), ensure_ascii=False):
            await server.send(TextMessage(character, message_finished=False), Ping(b"x"))
        await server.send(TextMessage("", message_finished=True))
        last = json.dumps(ended(request)).encode()
        assert len(last) < 126
        for byte in b"\x81" + bytes([len(last)]) + last:
            await server.send_bytes(bytes([byte]))

    async with socket_provider(raw_handler(script), section_of=section_of) as (provider, _):
        assert await text_played_back(provider) == "H\u00e9"


@BOTH_WIRES
async def test_a_character_may_be_cut_by_a_fragment(section_of: SectionOf) -> None:
    """RFC 6455 section 5.6 asks for UTF-8 of the message, not of each fragment."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        await server.send(*events(created(request)))
        text = json.dumps(said(request, "H\u00e9"), ensure_ascii=False).encode()
        cut = text.index(b"\xc3") + 1
        await server.send_bytes(b"\x01" + bytes([cut]) + text[:cut])
        await server.send_bytes(b"\x80" + bytes([len(text) - cut]) + text[cut:])
        await server.send(*events(ended(request)))

    async with socket_provider(raw_handler(script), section_of=section_of) as (provider, _):
        assert await text_played_back(provider) == "H\u00e9"


@BOTH_WIRES
async def test_a_binary_message_is_none_of_the_api(section_of: SectionOf) -> None:
    """Even where it holds one."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        hidden = BytesMessage(json.dumps(said(request, "Hi")).encode())
        await server.send(*events(created(request)), hidden)

    error = await error_of(raw_handler(script), section_of)
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "schema"


@pytest.mark.parametrize("fragmented", [True, False])
@BOTH_WIRES
async def test_a_message_without_end_is_cut_off(section_of: SectionOf, fragmented: bool) -> None:
    """At the limit for events, by its name."""

    async def script(server: RawServer) -> None:
        await server.send(*events(created(await server.receive_request())))
        if fragmented:
            while True:
                await server.send(TextMessage("x" * 1000, message_finished=False))
        await server.send(TextMessage("x" * 20_000))
        await server.wait_until_client_leaves()

    error = await error_of(raw_handler(script), section_of, limits=Limits(event_bytes=10_000))
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "limit"
    assert "event_bytes" in error.message


@pytest.mark.parametrize("empty", [Ping(b"x" * 100), TextMessage("", message_finished=False)])
@BOTH_WIRES
async def test_a_flood_that_brings_no_message_is_cut_off(
    section_of: SectionOf, empty: Ping | TextMessage
) -> None:
    """Pings, and fragments with nothing in them."""

    async def script(server: RawServer) -> None:
        await server.send(*events(created(await server.receive_request())))
        while True:
            await server.send(*[empty] * 100)

    async def handler(side: ServerSide) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await raw_handler(script)(side)

    limits = Limits(event_bytes=10_000, silent_bytes=50_000)
    error = await error_of(handler, section_of, limits=limits)
    assert isinstance(error, MalformedResponseError)
    assert "silent_bytes" in error.message


@pytest.mark.parametrize(
    "frame",
    [
        b"\x83\x00",  # a reserved opcode
        b"\xc1\x00",  # a reserved bit
        b"\x81\x82abcdxy",  # masked, which servers must not
        b"\x09\x00",  # a fragmented ping
        b"\x80\x00",  # a continuation of nothing
        b"\x81\x02\xff\xfe",  # no UTF-8
        b"\x88\x01\x03",  # half a close code
        b"\x88\x02\x03\xed",  # a close code that is never sent
        b"\x89\x7e\x00\x7e" + bytes(126),  # a ping that is too long
        b"\x01\x01x\x81\x01y",  # a message in the middle of another
    ],
)
@BOTH_WIRES
async def test_frames_against_the_rules_are_malformed(section_of: SectionOf, frame: bytes) -> None:
    """All tokens before count."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        await server.send(*events(created(request), said(request, "Hi")))
        await server.send_bytes(frame)
        await server.wait_until_client_leaves()

    error = await error_of(raw_handler(script), section_of)
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "framing"
    assert error.tokens_emitted == 1


async def test_foreign_and_late_lanes_reach_nobody() -> None:
    """Between the messages of the answer, and behind them."""
    foreign = [event("response.created", stream_id="no", response={"id": "x"})]
    foreign.append(event("response.output_text.delta", stream_id="no", delta="foreign"))

    async def script(peer: Peer) -> None:
        for number in range(2):
            request = await peer.receive()
            for text in (*foreign, DELTA, COMPLETED)[: 2 if not number else 4]:
                await peer.websocket.send_message(text)
            await peer.answer(request, f"r{number + 1}", "a", "b")
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(script)) as (provider, _):
        for _ in range(2):
            assert await text_played_back(provider) == "ab"


async def test_foreign_and_late_responses_reach_nobody() -> None:
    """As Realtime names them: before the answer, between its messages, and behind them."""

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.receive_request()
            response_id = f"r{len(peer.requests)}"
            for each in (
                said(request, "foreign", "x"),
                created(request, response_id),
                said(request, "foreign", "x"),
                said(request, "a", response_id),
                ended(request, "x"),
                said(request, "b", response_id),
                ended(request, response_id),
                said(request, "late", response_id),
            ):
                await peer.websocket.send_message(json.dumps(each))

    handler = websocket_handler(script)
    async with socket_provider(handler, section_of=realtime_section) as (provider, network):
        messages = [*HELLO]
        for _ in range(2):
            async with provider.complete(messages) as stream:
                completion = await stream.collect()
                assert completion.text == "ab"
            messages += [completion.message, Message.user("More")]
        assert len(network.connections) == 1


@pytest.mark.parametrize(
    "text",
    [
        event("error", status=429, error={"code": "rate_limit_exceeded", "message": KEY}),
        event("error", status_code=429, error={"message": KEY}, headers={"retry-after": "1"}),
        event("error", code="rate_limit_exceeded", message=KEY, param=None, sequence_number=0),
    ],
)
async def test_each_shape_of_error_fails_the_answer(text: str) -> None:
    """And only that: the connection goes on."""

    async def script(peer: Peer) -> None:
        await peer.receive()
        await peer.websocket.send_message(text)
        await peer.answer(await peer.receive(), "r1", "Hi")
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(script), credential=KEY) as (provider, network):
        with pytest.raises(RateLimitError) as caught:
            await text_played_back(provider)
        assert KEY not in str(caught.value)
        assert await text_played_back(provider, [Message.user("Again")]) == "Hi"
        assert len(network.connections) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"type": "invalid_request_error", "code": "rate_limit_exceeded", "message": KEY},
        {"code": "rate_limit_exceeded", "message": KEY, "param": None},
        {"type": "rate_limit_error", "message": KEY},
    ],
)
async def test_an_error_about_a_request_fails_only_that(error: dict[str, Any]) -> None:
    """Realtime names the request; the connection goes on."""

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        about = {**error, "event_id": request["event_id"]}
        await peer.websocket.send_message(event("error", error=about))
        await answers_all(peer)

    handler = websocket_handler(script)
    async with socket_provider(
        handler, section_of=realtime_section, credential=KEY, quirks={"out_of_band": True}
    ) as (provider, network):
        with pytest.raises(RateLimitError) as caught:
            await text_played_back(provider)
        assert KEY not in str(caught.value)
        assert await text_played_back(provider, [Message.user("Again")]) == "Again"
        assert len(network.connections) == 1


async def test_an_error_about_nothing_fails_every_answer_of_its_connection() -> None:
    """Whom else it concerns cannot be told; the next call takes another connection."""

    async def script(peer: Peer) -> None:
        await peer.begin(await peer.receive_request(), "r1")
        error = {"type": "server_error", "message": "Something went wrong."}
        await peer.websocket.send_message(event("error", error=error))
        await peer.wait_until_client_leaves()

    handler = websocket_handler(script)
    async with socket_provider(handler, section_of=realtime_section) as (provider, network):
        for _ in range(2):
            with pytest.raises(OtherError, match="went wrong"):
                await text_played_back(provider)
        assert len(network.connections) == 2


@BOTH_WIRES
@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "null", '"x"', "{}{}", '{"type":1}', "[" * 9000]
)
async def test_a_message_that_is_none_reaches_nobody_as_one(
    section_of: SectionOf, text: str
) -> None:
    """Without a type it is passed over; what is no object fails the answer."""

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        await peer.begin(request, "r1")
        await peer.websocket.send_message(text)
        await peer.say(request, "Hi")
        await peer.end(request, "r1")
        await peer.wait_until_client_leaves()

    async with socket_provider(websocket_handler(script), section_of=section_of) as (provider, _):
        if text.startswith('{"'):
            assert await text_played_back(provider) == "Hi"
        else:
            with pytest.raises(MalformedResponseError):
                await text_played_back(provider)


# Pings


@BOTH_WIRES
async def test_pings_are_answered(section_of: SectionOf) -> None:
    """With what they carry."""
    pongs: list[bytes] = []

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        await server.send(*events(created(request)), Ping(b"are you there"))
        pongs.extend(
            bytes(each.payload) for each in await server.receive() if isinstance(each, Pong)
        )
        await server.send(*events(ended(request)), CloseConnection(1000))

    async with socket_provider(raw_handler(script), section_of=section_of) as (provider, _):
        assert await text_played_back(provider) == ""
    assert pongs == [b"are you there"]


@pytest.mark.parametrize("begun", [True, False])
@BOTH_WIRES
async def test_a_peer_that_is_gone_is_noticed(
    section_of: SectionOf, begun: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """Also without any deadline: it does not answer a ping."""

    async def script(server: RawServer) -> None:
        request = await server.receive_request()
        if begun:
            await server.send(*events(created(request)))
        await trio.sleep_forever()

    async with socket_provider(raw_handler(script), section_of=section_of) as (provider, _):
        began = trio.current_time()
        with pytest.raises(NetworkError, match="has not answered a ping") as caught:
            await text_played_back(provider)
        assert trio.current_time() - began == pytest.approx(PING_INTERVAL_S + PONG_WAIT_S)
    assert caught.value.retryable


@BOTH_WIRES
async def test_an_idle_connection_whose_peer_is_gone_is_replaced(
    section_of: SectionOf, autojump_clock: trio.testing.MockClock
) -> None:
    """Before a call meets it."""
    visits = 0

    async def script(server: RawServer) -> None:
        nonlocal visits
        visits += 1
        request = await server.receive_request()
        await server.send(*events(created(request), said(request, "Hi"), ended(request)))
        await trio.sleep_forever()

    async with socket_provider(raw_handler(script), section_of=section_of) as (provider, network):
        assert await text_played_back(provider) == "Hi"
        await trio.sleep(PING_INTERVAL_S + PONG_WAIT_S + 1)
        assert network.connections[0].closed
        assert await text_played_back(provider) == "Hi"
    assert visits == 2


async def mute(peer: Peer) -> None:
    """Take requests, and answer pings alone."""
    while True:
        await peer.receive()


async def ask_in_vain(provider: SocketProvider) -> None:
    """Make a call that no answer comes to, and give it up after 5 s at the latest."""
    with trio.move_on_after(5), suppress(NetworkError):
        await text_played_back(provider)
        pytest.fail("nothing was to come")


@BOTH_WIRES
@pytest.mark.parametrize(
    ("deadlines", "most", "seconds"),
    [
        pytest.param(Deadlines(first_byte=4), 1, 0, id="a deadline"),
        pytest.param(Deadlines(), 5, 2 * PING_INTERVAL_S, id="the caller"),
    ],
)
async def test_a_mute_server_does_not_collect_connections(
    section_of: SectionOf,
    deadlines: Deadlines,
    most: int,
    seconds: float,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """On which nobody waits any more: a deadline ends them at once, else their silence does."""
    async with socket_provider(
        websocket_handler(mute), section_of=section_of, deadlines=deadlines
    ) as (provider, network):
        for _ in range(20):
            await ask_in_vain(provider)
            assert sum(not each.closed for each in network.connections) <= most
        await trio.sleep(seconds + 1)
        assert all(each.closed for each in network.connections)


async def test_a_deadline_of_one_answer_leaves_the_others_their_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It may be that answer alone which is slow."""

    async def script(peer: Peer) -> None:
        first = await peer.receive()
        await peer.begin(first, "r1")
        await peer.receive()
        await trio.sleep(100)
        await peer.say(first, "Hi")
        await peer.end(first, "r1")
        await peer.wait_until_client_leaves()

    async with (
        socket_provider(websocket_handler(script), deadlines=Deadlines(first_byte=4)) as (
            provider,
            network,
        ),
        provider.complete(HELLO) as stream,
    ):
        await ask_in_vain(provider)
        assert (await stream.collect()).text == "Hi"
        assert [each.closed for each in network.connections] == [False]


@BOTH_WIRES
async def test_a_reader_who_takes_a_pause_is_no_lost_connection(
    section_of: SectionOf, autojump_clock: trio.testing.MockClock
) -> None:
    """While nothing is read, no answer to a ping is read, either."""

    async def script(peer: Peer) -> None:
        request = await peer.receive_request()
        await peer.begin(request, "r1")
        await peer.say(request, *["x"] * 3000)
        await peer.end(request, "r1")
        await peer.wait_until_client_leaves()

    async with (
        socket_provider(websocket_handler(script), section_of=section_of) as (provider, _),
        provider.complete(HELLO) as stream,
    ):
        await trio.sleep(300)
        assert len((await stream.collect()).text) == 3000


@BOTH_WIRES
async def test_a_request_that_takes_long_to_send_is_no_lost_connection(
    section_of: SectionOf, autojump_clock: trio.testing.MockClock
) -> None:
    """Behind it, pings wait for minutes; the server takes a piece of it now and then."""

    async def slow(side: ServerSide) -> None:
        await raw_handler(_answers_once)(ServerSide(_SlowStream(side.stream)))

    async with socket_provider(slow, lockstep_stream_pair, section_of=section_of) as (provider, _):
        began = trio.current_time()
        assert await text_played_back(provider, [Message.user("x" * 1_000_000)]) == "Hi"
        assert trio.current_time() - began > 2 * (PING_INTERVAL_S + PONG_WAIT_S)


async def _answers_once(server: RawServer) -> None:
    request = await server.receive_request()
    await server.send(*events(created(request), said(request, "Hi"), ended(request)))
    await server.wait_until_client_leaves()


class _SlowStream(trio.abc.Stream):
    """A stream that takes in 64 KiB in ten seconds."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await trio.sleep(10)
        return await self._stream.receive_some(64 * 1024)

    async def aclose(self) -> None:
        await self._stream.aclose()
