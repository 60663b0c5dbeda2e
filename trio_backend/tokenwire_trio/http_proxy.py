"""A tunnel through an HTTP proxy: the CONNECT method of RFC 9110 section 9.3.6."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

import h11
import trio

from tokenwire.connection_settings import ProxySettings
from tokenwire_trio.origin import Origin
from tokenwire_trio.proxy_refusal import ProxyRefusal

#: Most bytes before the proxy's answer is known, interim (1xx) responses included. Real answers
#: take a few hundred.
_MAX_ANSWER_BYTES: Final = 64 * 1024


async def connect_through_http(
    stream: trio.abc.Stream, proxy: ProxySettings, target: Origin
) -> None:
    """Have the proxy at the other end of a stream connect it to the target.

    Raises:
        ProxyRefusal: It does not.
        trio.BrokenResourceError: The stream broke.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_ANSWER_BYTES)
    # A view shows no password to a traceback that prints local variables.
    await stream.send_all(memoryview(_request(connection, proxy, target)))
    status = await _receive_status(stream, connection)
    if not 200 <= status < 300:
        raise _refusal(status, proxy, target)
    if connection.trailing_data[0]:
        # The server does not speak before it is asked.
        raise ProxyRefusal("sends something ahead of the server's answer", retryable=False)


def _request(connection: h11.Connection, proxy: ProxySettings, target: Origin) -> bytes:
    headers = [("host", str(target)), ("user-agent", "tokenwire")]
    if proxy.username is not None:
        login = b64encode(b":".join(proxy.login())).decode()  # RFC 7617 section 2
        headers.append(("proxy-authorization", f"Basic {login}"))
    request = h11.Request(method="CONNECT", target=str(target), headers=headers)
    return connection.send(request) + connection.send(h11.EndOfMessage())


async def _receive_status(stream: trio.abc.Stream, connection: h11.Connection) -> int:
    """Wait for the head of the final response; the rest of a refusal is of no interest."""
    received = 0
    while (status := _read_status(connection)) is None:
        data = await stream.receive_some(_MAX_ANSWER_BYTES)
        received += len(data)
        if not data:
            raise ProxyRefusal("closed the connection without an answer", retryable=True)
        if received > _MAX_ANSWER_BYTES:
            raise ProxyRefusal("sends an answer without end", retryable=False)
        connection.receive_data(bytes(data))
    return status


def _read_status(connection: h11.Connection) -> int | None:
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            break  # not chained: it quotes what came
        match event:
            case h11.Response():
                return event.status_code
            case h11.InformationalResponse():
                pass
            case _:
                return None
    raise ProxyRefusal("does not speak HTTP/1.1 there: check proxy.url", retryable=False)


def _refusal(status: int, proxy: ProxySettings, target: Origin) -> ProxyRefusal:
    match status:
        # tinyproxy says 401 to a wrong login.
        case 401 | 407 if proxy.username is None:
            what = f"wants a login (HTTP {status}): set proxy.username and proxy.password"
        case 401 | 407:
            what = (
                f"does not accept the login (HTTP {status}): check proxy.username and"
                " proxy.password"
            )
        case 403:
            what = f"does not allow connections to {target} (HTTP 403): ask its administrator"
        case _ if status >= 500:
            what = f"cannot connect to {target} (HTTP {status}): is base_url right?"
        case _:
            what = (
                f"does not connect to {target} (HTTP {status}): is it an HTTP proxy, and does it"
                " allow CONNECT to this port?"
            )
    return ProxyRefusal(what, retryable=status >= 500 or status in (408, 429))
