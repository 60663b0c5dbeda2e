"""Opens the byte stream to a provider, by the way that its endpoint describes.

The direct way is a name look-up and TCP (see `tcp`), then TLS where the URL says https. A proxy
makes a tunnel between the two (see `http_proxy` and `socks_proxy`); a Unix socket takes the place
of the former. Each step is told to a `Progress`, so that an error or a deadline can name the one it
met.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, final

import trio

from tokenwire.config import ConfigError
from tokenwire.connection_settings import ProxySettings
from tokenwire.endpoint import Endpoint
from tokenwire_trio.closing import close_now
from tokenwire_trio.http_proxy import connect_through_http
from tokenwire_trio.origin import Origin
from tokenwire_trio.patient_stream import patient
from tokenwire_trio.progress import Progress
from tokenwire_trio.proxy_refusal import ProxyRefusal
from tokenwire_trio.socks_proxy import check_socks_available, connect_through_socks
from tokenwire_trio.tcp import NoAddressError, connect_tcp, resolve
from tokenwire_trio.tls import build_context, build_proxy_context
from tokenwire_trio.tls_stream import TLSStream

#: Opens a stream to a host and port, in place of name look-up and TCP. TLS is put on top of it
#: where the URL says https.
Dial: TypeAlias = Callable[[str, int], Awaitable[trio.abc.Stream]]

HAS_UNIX_SOCKETS: Final = hasattr(socket, "AF_UNIX")

#: How many TLS handshakes of a provider may be under way at a time. OpenSSL keeps 40 KiB for one
#: that waits for the server, and half as much from then on; the rest stays with the process. What
#: handshakes need most is this thread, which does some 500 a second: with more of them at a time
#: the first ones would be later, and the last one no sooner.
HANDSHAKES_AT_ONCE: Final = 256

#: How long the next one waits for its turn. Some servers never answer, and must not hold up others.
HANDSHAKE_TURN_S: Final = 5.0


@final
class Dialer:
    """Opens streams to one provider.

    Args:
        endpoint: Where it is, and how to get there.
        proxy: What to go through; the endpoint's own settings may leave that to the environment.
        dial: Opens the stream to the provider, or to the proxy, in place of name look-up and TCP.
        trio_tls: Put trio's `SSLStream` on top of streams, in place of our own.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        proxy: ProxySettings | None = None,
        dial: Dial | None = None,
        *,
        trio_tls: bool = False,
    ) -> None:
        self.origin: Origin = Origin.from_url(endpoint.base_url)
        self._endpoint = endpoint
        self._proxy = proxy
        self._dial = dial
        self._trio_tls = trio_tls
        self._handshakes = trio.CapacityLimiter(HANDSHAKES_AT_ONCE)
        self._context: ssl.SSLContext | None = None
        self._proxy_context: ssl.SSLContext | None = None

    def prepare(self) -> None:
        """Build what connecting needs and can fail without a byte moving.

        Raises:
            ConfigError: If the settings cannot be used.
        """
        if self._endpoint.unix_socket and not HAS_UNIX_SOCKETS:
            raise ConfigError("unix_socket: this system has none")
        if self._context is None and self.origin.scheme == "https":
            self._context = build_context(self._endpoint.tls)
        if self._proxy is not None:
            self._prepare_proxy(self._proxy)

    def _prepare_proxy(self, proxy: ProxySettings) -> None:
        if proxy.is_socks:
            check_socks_available()
        if self._proxy_context is None and proxy.scheme == "https":
            self._proxy_context = build_proxy_context(proxy, self._endpoint.tls)

    async def open(self, progress: Progress) -> trio.abc.Stream:
        """Open a stream, ready for a request.

        Raises:
            OSError: The name, the address or the certificate was no good.
            UnicodeError: The name is none.
            ProxyRefusal: The proxy does not connect us.
            trio.BrokenResourceError: The peer went away meanwhile.
        """
        self.prepare()
        stream = await self._reach(progress)
        if self.origin.scheme == "http":
            return stream
        return await self._secure(stream, self._context, self.origin.host, progress)

    async def _secure(
        self,
        stream: trio.abc.Stream,
        context: ssl.SSLContext | None,
        host: str,
        progress: Progress,
    ) -> trio.abc.Stream:
        assert context is not None  # see `prepare`
        progress.phase = "tls"
        name = host.rstrip(".")  # a dot makes it absolute for DNS; certificates name it without
        make_secure = trio.SSLStream[trio.abc.Stream] if self._trio_tls else TLSStream
        async with _closed_on_failure(stream), self._turn():
            secure = make_secure(stream, context, server_hostname=name)
            await secure.do_handshake()
        if isinstance(secure, TLSStream):
            progress.found(secure)
        return secure

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        """Wait for a turn, and have it until the block is done."""
        with trio.move_on_after(HANDSHAKE_TURN_S) as waiting:
            await self._handshakes.acquire()
        try:
            yield
        finally:
            if not waiting.cancelled_caught:
                self._handshakes.release()

    async def _reach(self, progress: Progress) -> trio.abc.Stream:
        """Open a stream to the provider, without its TLS."""
        if self._endpoint.unix_socket:
            return await _connect_unix(self._endpoint.unix_socket, progress)
        if self._proxy is not None:
            return await self._tunnel(self._proxy, progress)
        return await self._connect(self.origin.host, self.origin.port, progress)

    async def _connect(self, host: str, port: int, progress: Progress) -> trio.abc.Stream:
        if self._dial is not None:
            progress.phase = "tcp"
            return await self._dial(host, port)
        progress.phase = "dns"
        addresses = await resolve(host, port)
        progress.found(addresses)
        progress.phase = "tcp"
        stream = await connect_tcp(addresses)
        progress.found(stream)
        return patient(stream)

    async def _tunnel(self, proxy: ProxySettings, progress: Progress) -> trio.abc.Stream:
        hosts = await self._hosts_for(proxy, progress)
        refusals: list[ProxyRefusal] = []
        with progress.towards(f"the proxy {Origin.of_proxy(proxy)}", "proxy.url"):
            for host in hosts:
                try:
                    return await self._tunnel_to(host, proxy, progress)
                except ProxyRefusal as refusal:
                    refusals.append(refusal)
                    if not refusal.of_address:
                        break
            raise ProxyRefusal.all_of(refusals)

    async def _hosts_for(self, proxy: ProxySettings, progress: Progress) -> Sequence[str]:
        """Return what to call the provider's host when talking to the proxy, the best one first."""
        if proxy.scheme != "socks5" or self._dial is not None:
            return [self.origin.host]
        progress.phase = "dns"
        addresses = await resolve(self.origin.host, self.origin.port)
        return [str(address.socket_address[0]) for address in addresses]

    async def _tunnel_to(
        self, host: str, proxy: ProxySettings, progress: Progress
    ) -> trio.abc.Stream:
        # Each on a connection of its own: RFC 1928 section 6 ends those that were refused.
        stream = await self._connect(proxy.host, proxy.port, progress)
        if proxy.scheme == "https":
            stream = await self._secure(stream, self._proxy_context, proxy.host, progress)
        progress.phase = "proxy"
        async with _closed_on_failure(stream):
            if proxy.is_socks:
                await connect_through_socks(stream, proxy, host, self.origin.port)
            else:
                await connect_through_http(stream, proxy, self.origin)
        return stream


@asynccontextmanager
async def _closed_on_failure(stream: trio.abc.Stream) -> AsyncGenerator[None, None]:
    try:
        yield
    except BaseException:
        await close_now(stream)  # noqa: ASYNC102  # shields itself, and waits for nobody
        raise


async def _connect_unix(path: str, progress: Progress) -> trio.abc.Stream:
    with progress.towards(f"the Unix socket {path}", "unix_socket"):
        progress.phase = "tcp"  # what takes its place
        try:
            return patient(await trio.open_unix_socket(path))
        except OSError as error:
            failure = NoAddressError([(path, error)])
        raise failure
