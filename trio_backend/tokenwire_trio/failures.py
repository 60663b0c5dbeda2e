"""The one place that turns what networks, TLS and HTTP raise into a `ProviderError`.

An error is built from the exception but never chained to it: the frames behind a foreign exception
hold the request, and with it the key and the conversation. So `translate` returns a value, and its
caller raises it after the ``except`` block is left: see `attempt`.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Final, TypeVar, assert_never, cast

import h11
import trio

from tokenwire.errors import MalformedResponseError, NetworkError
from tokenwire_trio.deadlines import Limit
from tokenwire_trio.http1 import PeerClosedError
from tokenwire_trio.progress import Progress
from tokenwire_trio.proxy_refusal import ProxyRefusal
from tokenwire_trio.tcp import NoAddressError

T = TypeVar("T")

TransportError = NetworkError | MalformedResponseError

#: What OpenSSL calls an end without a goodbye. Early releases of Python 3.11 have no class for it.
_CUT: Final = "UNEXPECTED_EOF_WHILE_READING"

#: How many addresses an error lists: a big provider's name has a dozen.
_MAX_LISTED_ADDRESSES: Final = 4


async def attempt(
    step: Callable[[], Awaitable[T]], limit: Limit, progress: Progress
) -> T | TransportError:
    """Do a step until it succeeds, fails or its deadline runs out.

    Args:
        step: What to do.
        limit: Its deadline.
        progress: Where it is done; the step may move it on.

    Returns:
        What the step returns, or the error. What is not the transport's is raised as it was.
    """
    try:
        if limit.at == inf:  # a scope costs as much as the whole parsing of a token
            return await step()
        with trio.CancelScope(deadline=limit.at):
            return await step()
        return timed_out(limit, progress)
    except Exception as error:
        failure = translate(error, progress)
        if failure is None:
            raise
        return failure


def translate(  # noqa: PLR0911  # one for each kind of exception
    error: Exception, progress: Progress
) -> TransportError | None:
    """Return what an exception means for the call, None if it is not the transport's.

    Args:
        error: What was raised.
        progress: Where it was raised.
    """
    match error:
        case h11.RemoteProtocolError():
            return _broken_framing(error, progress)
        case PeerClosedError():
            return _network_error(progress, _closed_message(progress))
        case trio.BrokenResourceError():
            return _broken_connection(error, progress)
        case OSError():
            return _system_error(error, progress)
        case ProxyRefusal():
            return _network_error(progress, f"{progress.peer} {error}", retryable=error.retryable)
        case UnicodeError() if progress.phase in ("dns", "tcp"):  # the latter from a `dial`
            return _impossible_name(progress)
        case _:
            return None


def timed_out(limit: Limit, progress: Progress) -> NetworkError:
    """Return the error for a deadline that ran out."""
    match progress.phase:
        case "pool":
            doing = f"waiting for a free connection to {progress.peer}"
        case "dns":
            doing = f"looking up the name of {progress.peer}"
        case "tcp":
            doing = f"connecting to {progress.peer}"
        case "proxy":
            doing = f"waiting for {progress.peer} to connect to the server"
        case "tls":
            doing = f"agreeing on TLS with {progress.peer}"
        case "send":
            doing = f"sending the request to {progress.peer}"
        case "head":
            doing = f"waiting for {progress.peer} to answer"
        case "body":
            doing = "waiting for the next token"
        case _:
            assert_never(progress.phase)
    return NetworkError(
        message=f"the {limit.name} deadline ran out while {doing}",
        phase=progress.phase,
        timeout=limit.name,
        sent=progress.sent,
        retryable=True,
    )


def _network_error(progress: Progress, message: str, *, retryable: bool = True) -> NetworkError:
    return NetworkError(
        message=message, phase=progress.phase, sent=progress.sent, retryable=retryable
    )


def _closed_message(progress: Progress) -> str:
    how = "in mid-answer" if progress.phase == "body" else "without an answer"
    return f"{progress.peer} closed the connection {how}"


def _broken_framing(error: h11.RemoteProtocolError, progress: Progress) -> MalformedResponseError:
    if error.error_status_hint == 431:  # h11's word for its own size limit
        what = "the framing of the body" if progress.phase == "body" else "the response head"
        return MalformedResponseError(
            reason="limit",
            message=f"{what} is longer than limits.head_bytes allows",
            sent=progress.sent,
        )
    return MalformedResponseError(
        reason="framing",
        message=f"{progress.peer} does not send valid HTTP/1.1 ({_without_quotes(str(error))}):"
        f" check scheme and port of {progress.setting}",
        sent=progress.sent,
    )


def _without_quotes(message: str) -> str:
    """Cut what h11 quotes from the peer, which may have echoed a key."""
    return re.split(r":|\(?bytearray|\bb['\"]", message, maxsplit=1)[0].strip().lower()


def _broken_connection(error: trio.BrokenResourceError, progress: Progress) -> NetworkError:
    match error.__cause__:
        case ssl.SSLEOFError() | None:
            return _network_error(progress, _closed_message(progress))
        case OSError() as cause:
            return _system_error(cause, progress)
        case _:
            return _network_error(progress, f"the connection to {progress.peer} broke")


def _system_error(error: OSError, progress: Progress) -> NetworkError:
    match error:
        case socket.gaierror():
            return _unknown_name(error, progress)
        case ssl.SSLError():
            return _tls_error(error, progress)
        case NoAddressError():
            return _unreachable(error.attempts, progress)
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return _network_error(
                progress, "too many open files: raise the limit (ulimit -n) or do less at a time"
            )
        case _ if progress.phase == "tcp":  # from a `dial`, maybe with a group of errors in it
            return _unreachable([("", one) for one in _numbered(error)], progress)
        case _:
            return _network_error(
                progress, f"the connection to {progress.peer} broke: {_reason(error)}"
            )


def _impossible_name(progress: Progress) -> NetworkError:
    return _network_error(
        progress,
        f"{progress.peer} is no host name: a part of it is empty or too long; check"
        f" {progress.setting}",
        retryable=False,
    )


def _unknown_name(error: socket.gaierror, progress: Progress) -> NetworkError:
    temporary = error.errno == socket.EAI_AGAIN
    return _network_error(
        progress,
        f"cannot find the address of {progress.peer} ({_reason(error)}): check the network"
        + ("" if temporary else f" and the host in {progress.setting}"),
        retryable=temporary,
    )


def _numbered(error: BaseException | None) -> list[OSError]:
    """Return the system's own errors below one without a number, such as trio's for all addresses.

    Where there are none, that is the error itself.
    """
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [one for part in group.exceptions for one in _numbered(part)]
    if not isinstance(error, OSError):
        return []
    return (_numbered(error.__cause__) if error.errno is None else []) or [error]


def _unreachable(attempts: Sequence[tuple[str, OSError]], progress: Progress) -> NetworkError:
    for _, failure in attempts:
        if failure.errno in (errno.EMFILE, errno.ENFILE):
            return _system_error(failure, progress)
    reasons = ", ".join(
        f"{address}: {_reason(failure)}" if address else _reason(failure)
        for address, failure in attempts[:_MAX_LISTED_ADDRESSES]
    )
    return _network_error(
        progress,
        f"cannot connect to {progress.peer} ({reasons}): is it up, and is {progress.setting}"
        " right?",
    )


def _reason(error: OSError) -> str:
    # gaierror has numbers of its own; trio's text for a refused connection repeats the address.
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return (error.strerror or type(error).__name__).lower()


def _tls_error(error: ssl.SSLError, progress: Progress) -> NetworkError:
    peer = progress.peer
    setting = progress.setting
    reason = getattr(error, "reason", None) or ""  # only OpenSSL's own errors have one
    words = reason.replace("_", " ").lower() or "unknown reason"
    match error:
        case _ if isinstance(error, ssl.SSLEOFError) or reason == _CUT:
            return _network_error(
                progress, f"{peer} closed the connection during the TLS handshake"
            )
        case ssl.SSLCertVerificationError():
            message = _bad_certificate(error, peer, setting)
        case _ if reason in _NOT_TLS:
            message = f"{peer} does not speak TLS there: use http:// in {setting}, or another port"
        case _ if reason in _NO_COMMON_VERSION:
            message = f"no TLS version in common with {peer}: check tls.minimum_version"
        case _ if reason in _CLIENT_CERTIFICATE_REFUSED:
            # With TLS 1.3 this comes after the handshake, in place of an answer.
            progress.phase = "tls"
            help_ = (
                "load one that it knows into proxy.ssl_context"
                if setting == "proxy.url"
                else "set tls.client_cert_file to one that it knows"
            )
            message = f"{peer} wants a client certificate, or another one ({words}): {help_}"
        case _:
            message = f"TLS with {peer} failed ({words})"
    return _network_error(progress, message, retryable=False)


#: What OpenSSL says, by version, about bytes that are no TLS record.
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
_NO_COMMON_VERSION: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)
#: The alerts of RFC 8446 section 6.2 with which servers refuse a client's certificate.
_CLIENT_CERTIFICATE_REFUSED: Final = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)

# OpenSSL's x509_vfy.h; the ssl module does not name them.
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_UNKNOWN_ISSUER: Final = frozenset({2, 18, 19, 20, 21})
_WRONG_NAME: Final = frozenset({62, 64})


def _bad_certificate(error: ssl.SSLCertVerificationError, peer: str, setting: str) -> str:
    match error.verify_code:
        case code if code == _EXPIRED:
            return f"the certificate of {peer} has expired: its owner must renew it"
        case code if code == _NOT_YET_VALID:
            return f"the certificate of {peer} is not valid yet: check this machine's clock"
        case code if code in _UNKNOWN_ISSUER:
            return (
                f"the certificate of {peer} was issued by an authority that is not trusted here:"
                " set tls.ca_file to that authority's certificate if you trust it"
            )
        case code if code in _WRONG_NAME:
            return f"the certificate of {peer} is for another host: check the host in {setting}"
        case _:
            return f"the certificate of {peer} is not valid ({error.verify_message})"
