"""A tunnel through a SOCKS5 proxy: RFC 1928, with the user names and passwords of RFC 1929."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final

import trio

from tokenwire.config import ConfigError
from tokenwire.connection_settings import ProxySettings
from tokenwire_trio.proxy_refusal import ProxyRefusal

if TYPE_CHECKING:
    from socksio.socks5 import SOCKS5ReplyCode

#: The replies of RFC 1928 section 6 that will be the same next time.
_LASTING: Final = frozenset(
    {
        "CONNECTION_NOT_ALLOWED_BY_RULESET",
        "COMMAND_NOT_SUPPORTED",
        "ADDRESS_TYPE_NOT_SUPPORTED",
    }
)

#: What follows the address type in a reply, by type, up to the two bytes of the port (section 6).
#: That of a domain name begins with its length.
_ADDRESS_LENGTHS: Final = {1: 4, 4: 16}
_DOMAIN_NAME: Final = 3


def check_socks_available() -> None:
    """Check that the package for SOCKS is there.

    Raises:
        ConfigError: If it is not; says how to install it.
    """
    if importlib.util.find_spec("socksio") is None:
        raise ConfigError(
            "proxy.url: SOCKS takes one more package, install it with"
            ' pip install "tokenwire[socks]"'
        )


async def connect_through_socks(
    stream: trio.abc.Stream, proxy: ProxySettings, host: str, port: int
) -> None:
    """Have the proxy at the other end of a stream connect it to a host.

    Args:
        stream: The connection to the proxy.
        proxy: How to log in.
        host: A name, which the proxy looks up, or an IP address.
        port: The port.

    Raises:
        ProxyRefusal: It does not.
        trio.BrokenResourceError: The stream broke.
    """
    from socksio import ProtocolError

    try:
        await _log_in(stream, proxy)
        reply = await _ask_to_connect(stream, host, port)
    except ProtocolError:
        reply = None  # not chained: it has nothing to add
    if reply is None:
        raise ProxyRefusal("does not speak SOCKS5 there: check proxy.url", retryable=False)
    if reply.value != b"\0":
        reason = reply.name.replace("_", " ").lower()
        raise ProxyRefusal(
            f"does not connect to port {port} of {host} ({reason})",
            retryable=reply.name not in _LASTING,
            of_address=True,
        )


async def _log_in(stream: trio.abc.Stream, proxy: ProxySettings) -> None:
    from socksio.socks5 import SOCKS5AuthMethod, SOCKS5AuthMethodsRequest, SOCKS5AuthReply

    methods = [SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if proxy.username is not None:
        methods.append(SOCKS5AuthMethod.USERNAME_PASSWORD)
    await stream.send_all(SOCKS5AuthMethodsRequest(methods).dumps())
    reply = SOCKS5AuthReply.loads(await _receive_exactly(stream, 2))
    if reply.method is SOCKS5AuthMethod.USERNAME_PASSWORD and proxy.username is not None:
        await _send_password(stream, proxy)
    elif reply.method is not SOCKS5AuthMethod.NO_AUTH_REQUIRED:
        raise ProxyRefusal(
            "wants a login: set proxy.username and proxy.password"
            if proxy.username is None
            else "does not take a user name and password",
            retryable=False,
        )


async def _send_password(stream: trio.abc.Stream, proxy: ProxySettings) -> None:
    from socksio.socks5 import SOCKS5UsernamePasswordReply, SOCKS5UsernamePasswordRequest

    # A view shows no password to a traceback that prints local variables.
    await stream.send_all(memoryview(SOCKS5UsernamePasswordRequest(*proxy.login()).dumps()))
    reply = SOCKS5UsernamePasswordReply.loads(await _receive_exactly(stream, 2))
    if not reply.success:
        raise ProxyRefusal(
            "does not accept the login: check proxy.username and proxy.password", retryable=False
        )


async def _ask_to_connect(stream: trio.abc.Stream, host: str, port: int) -> SOCKS5ReplyCode:
    from socksio.socks5 import SOCKS5Command, SOCKS5CommandRequest, SOCKS5Reply

    request = SOCKS5CommandRequest.from_address(SOCKS5Command.CONNECT, (host, port))
    if len(request.addr) > 255:
        raise ProxyRefusal("takes no host name of that length: check base_url", retryable=False)
    await stream.send_all(request.dumps())
    return SOCKS5Reply.loads(await _receive_reply(stream)).reply_code


async def _receive_reply(stream: trio.abc.Stream) -> bytes:
    """Read one reply and not a byte more: what follows is the server's."""
    head = await _receive_exactly(stream, 4)
    length = _ADDRESS_LENGTHS.get(head[3], 0)
    if head[3] == _DOMAIN_NAME:
        head += await _receive_exactly(stream, 1)
        length = head[4]
    return head + await _receive_exactly(stream, length + 2)


async def _receive_exactly(stream: trio.abc.Stream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await stream.receive_some(count - len(data))
        if not piece:
            raise ProxyRefusal("closed the connection without an answer", retryable=True)
        data += piece
    return data
