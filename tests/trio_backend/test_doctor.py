"""The doctor's findings: which stage is reached, what is told of it, and which one fails."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.conftest import TLSServer
from tests.llama import running_llama
from tests.tls import pump_both_ways
from tests.trio_backend.providers import provider_section
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    STREAM_HEAD,
    Handler,
    MemoryNetwork,
    ServerSide,
    answer,
    chunk,
    event,
    refusal,
    replies,
    sends_and_closes,
    socket_server,
    text_event,
)
from tokenwire.config import ProviderSection
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.errors import AuthError, NetworkError
from tokenwire.provider_config import ProviderConfig, ReasoningOptions
from tokenwire.secret import Secret
from tokenwire_trio import dialing
from tokenwire_trio.doctor import STAGES, Finding, Report, examine

_KEY = "sk-0123456789abcdef"


def _outcomes(report: Report) -> str:
    """Return the first letter of each outcome: ok, skipped, failed, not reached."""
    assert [finding.stage for finding in report.findings] == list(STAGES)
    return "".join(finding.outcome[0] for finding in report.findings)


def _finding(report: Report, stage: str) -> Finding:
    return report.findings[[*STAGES].index(stage)]  # type: ignore[arg-type]  # a wrong name fails


async def _examine_in_memory(handler: Handler, **endpoint: Any) -> Report:
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, handler)
        report = await examine(provider_section(**endpoint), dial=network)
        nursery.cancel_scope.cancel()
    return report


async def test_a_working_server_passes_every_stage(llama_url: str) -> None:
    """What is not needed is skipped, and the model says who it is."""
    report = await examine(provider_section(llama_url))
    assert _outcomes(report) == "oossosoo"
    assert (report.error, report.failed) == (None, None)
    assert report.url == f"{llama_url}/chat/completions"
    assert report.model == "tiny"
    assert report.response.status == 200
    assert report.response.timings.first_token is not None
    assert _finding(report, "dns").detail == "127.0.0.1"
    assert _finding(report, "tcp").detail == llama_url.split("/")[2]
    assert _finding(report, "http").detail.startswith("status 200")
    assert _finding(report, "answer").detail.endswith("by tiny")


async def test_what_the_provider_counts_is_told(llama_url: str) -> None:
    """It is what the call costs."""
    report = await examine(provider_section(llama_url, quirks={"include_usage": True}))
    assert " tokens, by tiny" in _finding(report, "answer").detail


async def test_tls_tells_version_issuer_and_expiry(llama_tls: TLSServer) -> None:
    """What one wants to know of a certificate that is trusted."""
    tls = TLSSettings(ca_file=str(llama_tls.ca_file))
    report = await examine(provider_section(llama_tls.base_url, tls=tls))
    assert _outcomes(report) == "oosoosoo"
    detail = _finding(report, "tls").detail
    assert detail.startswith("TLS 1.3, certified by trustme ")
    assert detail.endswith("until 3000-01-01")


async def test_a_certificate_that_nobody_checks_is_called_that(llama_tls: TLSServer) -> None:
    """A context of the caller's own may leave the certificate alone, which is worth telling."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = TLSSettings(ssl_context=context)
    report = await examine(provider_section(llama_tls.base_url, tls=tls))
    assert _finding(report, "tls").detail == "TLS 1.3, the certificate is not checked"


async def test_an_unknown_issuer_fails_at_tls(llama_tls: TLSServer) -> None:
    """What comes after it is not reached."""
    report = await examine(provider_section(llama_tls.base_url))
    assert _outcomes(report) == "oosfnnnn"
    assert report.failed == "tls"
    assert "tls.ca_file" in str(report.error)


async def test_a_name_that_does_not_exist_fails_at_dns() -> None:
    """The top-level domain `invalid` never exists (RFC 6761)."""
    report = await examine(provider_section("http://no-such-host.invalid/v1"))
    assert _outcomes(report) == "fnnnnnnn"


async def test_a_port_where_nobody_listens_fails_at_tcp() -> None:
    """The address was found all the same."""
    report = await examine(provider_section("http://127.0.0.1:1/v1"))
    assert _outcomes(report) == "ofnnnnnn"
    assert report.url == "http://127.0.0.1:1/v1/chat/completions"
    assert report.response.status is None


async def test_a_name_with_several_addresses_says_how_many(
    llama_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider's name has a dozen: the first one and their number suffice."""
    port = int(llama_url.removesuffix("/v1").rpartition(":")[2])
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*tcp, (host, port)) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")]

    async def getaddrinfo(*_: object, **__: object) -> Sequence[object]:
        await trio.lowlevel.checkpoint()
        return found

    monkeypatch.setattr(trio.socket, "getaddrinfo", getaddrinfo)
    report = await examine(provider_section(llama_url))
    assert _finding(report, "dns").detail == "127.0.0.1 and 2 more"


async def test_a_connection_that_breaks_at_once_has_no_peer_to_tell(
    llama_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system forgets whom a broken connection led to."""

    async def connect_tcp(_: object) -> trio.SocketStream:
        await trio.lowlevel.checkpoint()
        return trio.SocketStream(trio.socket.socket())

    monkeypatch.setattr(dialing, "connect_tcp", connect_tcp)
    report = await examine(provider_section(llama_url))
    assert _outcomes(report) == "oossfnnn"
    assert _finding(report, "tcp").detail == ""


async def test_a_refused_key_fails_at_auth(tiny_model: Path) -> None:
    """HTTP went well then: a status is an answer."""
    with running_llama(tiny_model, "--api-key", _KEY) as address:
        wrong = provider_section(f"{address}/v1", credential="sk-another-0123456789")
        right = provider_section(f"{address}/v1", credential=_KEY)
        refused, accepted = await examine(wrong), await examine(right)
    assert _outcomes(refused) == "oossofnn"
    assert _finding(refused, "http").detail == "status 401"
    assert isinstance(refused.error, AuthError)
    assert _outcomes(accepted) == "oossoooo"
    assert _finding(accepted, "auth").detail == "accepted"


async def test_a_key_refused_in_mid_stream_fails_at_auth() -> None:
    """Some gateways begin with a success and ask upstream for the answer only then."""
    error = {"error": {"message": "bad key", "code": 401}}
    handler = replies(STREAM_HEAD + chunk(event(error)) + LAST_CHUNK)
    report = await _examine_in_memory(handler, credential=_KEY)
    assert _outcomes(report) == "sossofnn"


@pytest.mark.parametrize("status", [404, 429, 500, 302])
async def test_any_other_refusal_fails_at_http(status: int) -> None:
    """Whether the key is good is not known then."""
    report = await _examine_in_memory(replies(refusal(status)))
    assert _outcomes(report) == "sossfnnn"
    assert report.response.status == status
    assert f"status {status}" in _finding(report, "http").detail


async def test_a_silent_end_fails_at_http() -> None:
    """There is no status then."""
    report = await _examine_in_memory(sends_and_closes())
    assert _outcomes(report) == "sossfnnn"
    assert _finding(report, "http").detail == ""


async def test_a_web_page_fails_at_the_first_token_and_says_nothing_of_the_key() -> None:
    """A login page comes with status 200 and never looks at the key."""
    page = b"<!doctype html><title>Welcome</title>"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % len(page)
    report = await _examine_in_memory(replies(head + page), credential=_KEY)
    assert _outcomes(report) == "sossosfn"
    assert _finding(report, "auth").detail == "what answers does not tell"


async def test_an_answer_that_is_cut_off_fails_after_its_first_token() -> None:
    """A stream that begins well need not end well."""
    handler = sends_and_closes(STREAM_HEAD + chunk(text_event("Hi")))
    report = await _examine_in_memory(handler)
    assert _outcomes(report) == "sossosof"
    assert isinstance(report.error, NetworkError)


async def test_an_answer_without_text_is_one_all_the_same() -> None:
    """A model may have nothing to say, or no tokens left for saying it."""
    handler = replies(STREAM_HEAD + chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)
    report = await _examine_in_memory(handler)
    assert _outcomes(report) == "sossosoo"


async def test_the_time_of_each_stage_is_its_own(autojump_clock: trio.testing.MockClock) -> None:
    """The first token's counts from the response head, the answer's from the first token."""

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await trio.sleep(1)
        await peer.send(STREAM_HEAD)
        await trio.sleep(2)
        await peer.send(chunk(text_event("Hi")))
        await trio.sleep(3)
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)
        await peer.wait_until_client_leaves()

    report = await _examine_in_memory(handler)
    seconds = [_finding(report, stage).seconds for stage in STAGES]
    assert seconds == [None, 0, None, None, 1, None, 2, 3]
    assert report.response.timings.first_token == 3


@pytest.mark.parametrize(
    ("deadlines", "named", "seconds"),
    [
        (Deadlines(), "first_token", 60),
        (Deadlines(first_token=5), "first_token", 5),
        (Deadlines(first_byte=90), "first_byte", 90),
        (Deadlines(total=300), "total", 300),
    ],
)
async def test_a_silent_server_cannot_hold_it(
    deadlines: Deadlines,
    named: str,
    seconds: float,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where the endpoint sets no deadline there is one of the doctor's own."""
    report = await _examine_in_memory(replies(), deadlines=deadlines)
    assert isinstance(report.error, NetworkError)
    assert report.error.timeout in (named, "first_token")
    assert _finding(report, "http").seconds == seconds


async def test_a_source_of_keys_that_does_not_answer_fails_at_auth(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It is asked before there is a connection."""

    async def source() -> Secret:
        await trio.sleep_forever()
        raise AssertionError

    deadlines = Deadlines(total=1)
    report = await _examine_in_memory(replies(), credential=source, deadlines=deadlines)
    assert _outcomes(report) == "nnnnnfnn"
    assert _finding(report, "auth").seconds == 1


async def test_a_key_that_had_expired_is_renewed_without_a_second_round() -> None:
    """The request is made twice, its stages are told once."""
    keys = iter([Secret("sk-expired-000"), Secret("sk-renewed-000")])

    async def source() -> Secret:
        await trio.lowlevel.checkpoint()
        return next(keys)

    async def handler(peer: ServerSide) -> None:
        request = await peer.read_request()
        await peer.send(answer("Hi") if b"renewed" in request else refusal(401, close=True))

    report = await _examine_in_memory(handler, credential=source)
    assert _outcomes(report) == "sossoooo"


async def _tunnel(peer: ServerSide) -> None:
    """Play an HTTP proxy."""
    while not peer.request.endswith(b"\r\n\r\n"):
        peer.request += await peer.stream.receive_some()
    host, _, port = peer.request.split()[1].decode().partition(":")
    async with await trio.open_tcp_stream(host, int(port)) as server:
        await peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        await pump_both_ways(peer.stream, server)


async def test_a_proxy_has_a_stage_between_tcp_and_tls(llama_tls: TLSServer) -> None:
    """TCP leads to the proxy, TLS to the server."""
    tls = TLSSettings(ca_file=str(llama_tls.ca_file))
    async with socket_server(_tunnel) as proxy_url:
        proxy = ProxySettings(url=proxy_url.removesuffix("/v1"), username="me", password=_KEY)
        report = await examine(provider_section(llama_tls.base_url, tls=tls, proxy=proxy))
    assert _outcomes(report) == "ooooosoo"
    address = proxy_url.removeprefix("http://").removesuffix("/v1")
    assert _finding(report, "proxy").detail == address
    assert _KEY not in repr(report)


async def test_tls_to_the_proxy_belongs_to_the_proxy(
    llama_tls: TLSServer, server_context: ssl.SSLContext
) -> None:
    """There are two handshakes then, and each has its stage."""
    tls = TLSSettings(ca_file=str(llama_tls.ca_file))
    async with socket_server(_tunnel, server_context) as proxy_url:
        proxy = proxy_url.removesuffix("/v1")
        report = await examine(provider_section(llama_tls.base_url, tls=tls, proxy=proxy))
    assert _outcomes(report) == "ooooosoo"
    assert "TLS 1.3, certified by" in _finding(report, "proxy").detail


async def test_a_proxy_that_refuses_fails_at_the_proxy(llama_url: str) -> None:
    """Nothing behind it is reached."""

    async def refuse(peer: ServerSide) -> None:
        await peer.stream.receive_some()
        await peer.send(b"HTTP/1.1 403 No\r\n\r\n")

    async with socket_server(refuse) as proxy_url:
        proxy = proxy_url.removesuffix("/v1")
        report = await examine(provider_section(llama_url, proxy=proxy))
    assert _outcomes(report) == "oofnnnnn"


async def test_a_proxy_left_to_the_environment_says_when_there_is_none(
    llama_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who expects one sees why none was used."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("all_proxy", raising=False)
    report = await examine(provider_section(llama_url, proxy="env"))
    assert _finding(report, "proxy").detail == "the environment names none for this host"


async def test_a_unix_socket_takes_no_look_up(tmp_path: Path) -> None:
    """TCP's place is the socket's."""
    path = str(tmp_path / "server")
    async with trio.open_nursery() as nursery:
        listening = trio.socket.socket(socket.AF_UNIX)
        await listening.bind(path)
        listening.listen()
        listener = trio.SocketListener(listening)

        async def serve(stream: trio.SocketStream) -> None:
            async with stream:
                await replies(answer("Hi"))(ServerSide(stream))

        nursery.start_soon(trio.serve_listeners, serve, [listener])
        report = await examine(provider_section(unix_socket=path))
        nursery.cancel_scope.cancel()
    assert _outcomes(report) == "sossosoo"
    assert _finding(report, "dns").detail == "a Unix socket has no name to look up"


async def test_every_finding_is_told_while_the_call_goes_on() -> None:
    """Whoever watches a call that hangs sees where it does."""
    seen = trio.Event()

    def tell(finding: Finding) -> None:
        if finding.stage == "http":
            seen.set()

    async def handler(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD)
        await seen.wait()
        await peer.send(chunk(text_event("Hi") + FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)
        await peer.wait_until_client_leaves()

    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, handler)
        report = await examine(provider_section(), tell=tell, dial=network)
        nursery.cancel_scope.cancel()
    assert report.error is None


async def test_what_the_listener_raises_is_no_failure_of_the_network(llama_url: str) -> None:
    """A closed standard output must not look like a broken connection."""

    def tell(finding: Finding) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await examine(provider_section(llama_url), tell=tell)


def _with_defaults(**defaults: Any) -> ProviderSection:
    return attrs.evolve(provider_section(), defaults=ProviderConfig(**defaults))


@pytest.mark.parametrize(
    ("section", "given", "sent"),
    [
        (_with_defaults(), None, 64),
        (_with_defaults(max_output_tokens=9000), None, 64),
        (_with_defaults(max_output_tokens=9000), 8, 8),
        (
            _with_defaults(max_output_tokens=9000, reasoning=ReasoningOptions(effort="high")),
            None,
            9000,
        ),
    ],
)
async def test_the_answer_is_asked_to_be_short(
    section: ProviderSection, given: int | None, sent: int
) -> None:
    """Unless the model is to reason, which takes its tokens from the same bound."""
    requests: list[bytes] = []

    async def handler(peer: ServerSide) -> None:
        requests.append(await peer.read_request())
        await peer.send(answer("Hi"))

    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery, handler)
        await examine(section, max_output_tokens=given, dial=network)
        nursery.cancel_scope.cancel()
    assert b'"max_completion_tokens":%d' % sent in requests[0]


async def test_a_server_that_echoes_the_key_cannot_get_it_into_the_report() -> None:
    """Neither as the model's name nor as anything else."""
    told = event({"model": f"model {_KEY}", "choices": [{"index": 0, "finish_reason": "stop"}]})
    handler = replies(STREAM_HEAD + chunk(told + DONE_EVENT) + LAST_CHUNK)
    report = await _examine_in_memory(handler, credential=_KEY)
    assert report.model == "model [redacted]"
    assert _KEY not in repr(report)
