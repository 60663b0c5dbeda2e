"""The same transport over real sockets: TCP, TLS, and what the operating system makes of them."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
import trustme

from tests.patience import HANGS_S
from tests.trio_backend.leaks import open_descriptors
from tests.trio_backend.providers import HELLO, provider_section, streaming
from tests.trio_backend.servers import (
    DONE_EVENT,
    FINISH_EVENT,
    LAST_CHUNK,
    STREAM_HEAD,
    ServerSide,
    alerts,
    answer,
    chunk,
    keeps_alive,
    refusal,
    replies,
    socket_server,
    text_event,
)
from tokenwire.config import ProviderSection
from tokenwire.endpoint import TLSSettings
from tokenwire.errors import NetworkError, OtherError
from tokenwire.messages import Message
from tokenwire.tokens import End
from tokenwire_trio import open_provider

LONG = [Message.user("x" * 20_000_000)]


@pytest.fixture(params=["tcp", "tls"])
def tls(request: pytest.FixtureRequest, server_context: ssl.SSLContext) -> ssl.SSLContext | None:
    """Give what a server needs for TLS, or nothing: each test runs over both."""
    return server_context if request.param == "tls" else None


Section: TypeAlias = Callable[[str], ProviderSection]


@pytest.fixture
def section(ca_file: Path) -> Section:
    """Give a maker of configurations that trust the suite's authority."""
    return partial(provider_section, tls=TLSSettings(ca_file=str(ca_file)))


async def test_an_answer_arrives(tls: ssl.SSLContext | None, section: Section) -> None:
    """From name look-up to the last token."""
    async with socket_server(replies(answer("a", "b")), tls) as url:
        async with streaming(section(url)) as stream:
            assert (await stream.collect()).text == "ab"
        timings = stream.response.timings
    assert None not in (timings.connect, timings.first_byte, timings.first_token, timings.total)


async def test_each_token_is_shown_before_the_next_is_sent(
    tls: ssl.SSLContext | None, section: Section
) -> None:
    """The server waits with token n+1 until the client has shown token n."""
    shown = {text: trio.Event() for text in "abc"}

    async def waits_for_each(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD)
        for text, event in shown.items():
            await peer.send(chunk(text_event(text)))
            await event.wait()
        await peer.send(chunk(FINISH_EVENT + DONE_EVENT) + LAST_CHUNK)

    async with socket_server(waits_for_each, tls) as url, streaming(section(url)) as stream:
        async for token in stream:
            if not isinstance(token, End):
                shown[token.text].set()


async def test_cancelling_in_mid_answer_closes_the_connection_for_the_server(
    tls: ssl.SSLContext | None, section: Section
) -> None:
    """The server sees the end at once, without a further read, write or garbage collection."""
    left = trio.Event()

    async def endless(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD + chunk(text_event("a")))
        await peer.wait_until_client_leaves()
        left.set()

    async with socket_server(endless, tls) as url, open_provider(section(url)) as provider:
        with trio.CancelScope() as scope:
            async with provider.complete(HELLO) as stream:
                async for _ in stream:
                    scope.cancel()
        assert scope.cancelled_caught
        with trio.fail_after(HANGS_S):
            await left.wait()


async def test_a_refusal_is_read_from_a_server_that_stopped_reading(
    tls: ssl.SSLContext | None, section: Section
) -> None:
    """A request too long for all buffers is given up for the answer to it."""

    async def refuses_early(peer: ServerSide) -> None:
        await peer.stream.receive_some(1000)
        await peer.send(refusal(413, "too long"))
        await trio.sleep_forever()

    async with socket_server(refuses_early, tls) as url:
        with pytest.raises(OtherError, match="too long") as caught:
            async with streaming(section(url), messages=LONG):
                pass
    assert (caught.value.status, caught.value.sent) == (413, "partly")


def reset(stream: trio.SocketStream) -> None:
    """Make closing a socket a reset instead of an orderly end."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_reset_in_mid_answer_is_a_network_error(section: Section) -> None:
    """It is told as what it was."""

    async def resets(peer: ServerSide) -> None:
        await peer.read_request()
        await peer.send(STREAM_HEAD + chunk(text_event("a")))
        await shown.wait()
        assert isinstance(peer.stream, trio.SocketStream)
        reset(peer.stream)

    shown = trio.Event()
    async with socket_server(resets) as url, streaming(section(url)) as stream:
        await anext(stream)
        shown.set()
        with pytest.raises(NetworkError, match="connection reset by peer") as caught:
            await anext(stream)
    assert (caught.value.phase, caught.value.retryable) == ("body", True)


async def test_a_port_where_nobody_listens_is_named(section: Section) -> None:
    """The message has what was tried, and what to look at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        async with open_provider(section(url)) as provider:
            with pytest.raises(
                NetworkError, match=r"\(127\.0\.0\.1: connection refused\).*base_url right"
            ) as caught:
                async with provider.complete(HELLO):
                    pass
    assert (caught.value.phase, caught.value.sent) == ("tcp", "nothing")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".invalid"])
async def test_a_name_that_leads_nowhere_is_named(section: Section, host: str) -> None:
    """Whether there is no such name, or it cannot be one."""
    async with open_provider(section(f"http://{host}/v1")) as provider:
        with pytest.raises(NetworkError, match=host) as caught:
            async with provider.complete(HELLO):
                pass
    assert (caught.value.phase, caught.value.sent) == ("dns", "nothing")


@pytest.mark.parametrize(
    ("host", "message"),
    [("localhost:{port}", "connection refused"), ("x" * 64 + ".invalid", "no host name")],
)
async def test_what_a_dial_of_trios_own_raises_is_told_as_well(host: str, message: str) -> None:
    """`trio.open_tcp_stream` may be passed as it is; it raises an error with others below it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        section = provider_section(f"http://{host.format(port=taken.getsockname()[1])}/v1")
        with pytest.raises(NetworkError, match=message) as caught:
            async with streaming(section, dial=trio.open_tcp_stream):
                pass
    assert (caught.value.phase, caught.value.sent) == ("tcp", "nothing")


# Certificates


async def first_error(url: str, settings: TLSSettings) -> NetworkError:
    """Make a call that fails, and return its error."""
    async with open_provider(provider_section(url, tls=settings)) as provider:
        with pytest.raises(NetworkError) as caught:
            async with provider.complete(HELLO):
                pass
    assert caught.value.phase == "tls"
    return caught.value


async def test_an_unknown_authority_names_the_setting(server_context: ssl.SSLContext) -> None:
    """Nobody trusts the suite's authority without being told to."""
    async with socket_server(replies(answer("a")), server_context) as url:
        error = await first_error(url, TLSSettings())
    assert "tls.ca_file" in error.message
    assert (error.sent, error.retryable) == ("nothing", False)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl names files by their hashes")
async def test_authorities_may_be_in_a_directory(
    tmp_path: Path, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Where files are named by their hashes, as OpenSSL wants it."""
    shutil.copy(ca_file, tmp_path / "ours.pem")
    openssl = shutil.which("openssl") or ""
    await trio.run_process([openssl, "rehash", str(tmp_path)])
    async with socket_server(replies(answer("a")), server_context) as url:
        tls = TLSSettings(ca_dir=str(tmp_path), replace_system_cas=True)
        async with streaming(provider_section(url, tls=tls)) as stream:
            assert (await stream.collect()).text == "a"


async def test_a_certificate_for_another_host_is_refused(
    server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """The name in the URL must be the certificate's."""
    async with socket_server(replies(answer("a")), server_context) as url:
        other = url.replace("localhost", "127.0.0.1")
        error = await first_error(other, TLSSettings(ca_file=str(ca_file)))
    assert "for another host" in error.message


async def test_an_expired_certificate_is_called_expired(
    certificate_authority: trustme.CA, ca_file: Path
) -> None:
    """Not only invalid."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    expired = certificate_authority.issue_cert(
        "localhost",
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(2021, 1, 1, tzinfo=UTC),
    )
    expired.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # names pyOpenSSL's context too
    async with socket_server(replies(answer("a")), context) as url:
        error = await first_error(url, TLSSettings(ca_file=str(ca_file)))
    assert "expired" in error.message


async def test_a_server_without_tls_is_recognised(ca_file: Path) -> None:
    """https:// to a plain port is a common slip."""

    async def complains(peer: ServerSide) -> None:
        await peer.stream.receive_some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with socket_server(complains) as url:
        error = await first_error(url.replace("http:", "https:"), TLSSettings())
    assert "use http://" in error.message


@pytest.fixture
def demanding_context(certificate_authority: trustme.CA, ca_file: Path) -> ssl.SSLContext:
    """Give what a server needs that lets in only who has a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca_file))
    context.verify_mode = ssl.CERT_REQUIRED
    certificate_authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # names pyOpenSSL's context too
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_wants_a_client_certificate_names_the_setting(
    demanding_context: ssl.SSLContext, ca_file: Path, version: ssl.TLSVersion
) -> None:
    """With TLS 1.3 the refusal comes only after the handshake; it is told as the same."""
    demanding_context.maximum_version = version

    async with socket_server(alerts(demanding_context)) as url:
        secure = url.replace("http:", "https:")
        error = await first_error(secure, TLSSettings(ca_file=str(ca_file)))
    assert "tls.client_cert_file" in error.message


async def test_a_client_certificate_is_shown(
    certificate_authority: trustme.CA,
    demanding_context: ssl.SSLContext,
    ca_file: Path,
    tmp_path: Path,
) -> None:
    """A server that wants one lets its owner in."""
    client = tmp_path / "client.pem"
    identity = certificate_authority.issue_cert("client@host.example")
    identity.private_key_and_cert_chain_pem.write_to_path(str(client))
    settings = TLSSettings(ca_file=str(ca_file), client_cert_file=str(client))
    async with socket_server(replies(answer("a")), demanding_context) as url:
        section = provider_section(url, tls=settings)
        async with streaming(section) as stream:
            assert (await stream.collect()).text == "a"


# What is left


async def test_nothing_is_left_open(tls: ssl.SSLContext | None, section: Section) -> None:
    """A hundred calls, each left in another way, leave as many descriptors as there were."""
    async with socket_server(keeps_alive(answer(*"abc")), tls) as url:
        before = open_descriptors()
        async with open_provider(section(url)) as provider:
            for number in range(100):
                with trio.CancelScope() as scope:
                    async with provider.complete(HELLO) as stream:
                        if number % 3 == 0:
                            scope.cancel()
                        elif number % 3 == 1:
                            await anext(stream)
                        else:
                            await stream.collect()
        with trio.fail_after(HANGS_S):
            await trio.lowlevel.checkpoint()
            while open_descriptors() > before:  # noqa: ASYNC110  # the server's ends, a moment later
                await trio.sleep(0.01)
