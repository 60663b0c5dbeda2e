"""`tokenwire_trio.failures`: what networks, TLS and HTTP raise, told in our five kinds."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import get_args

import h11
import pytest
import trio

from tokenwire.errors import MalformedResponseError, NetworkError, Phase
from tokenwire_trio.deadlines import Limit
from tokenwire_trio.failures import timed_out, translate
from tokenwire_trio.http1 import PeerClosedError
from tokenwire_trio.progress import Progress
from tokenwire_trio.tcp import NoAddressError


def os_error(number: int) -> OSError:
    """Make the error that the system raises for an errno."""
    return OSError(number, os.strerror(number))


def broken_by(cause: Exception) -> trio.BrokenResourceError:
    """Make what trio raises where a socket or TLS failed."""
    error = trio.BrokenResourceError()
    error.__cause__ = cause
    return error


def caused_by(cause: Exception) -> OSError:
    """Make what trio raises where no address of a host could be connected to."""
    error = OSError("all attempts to connect failed")
    error.__cause__ = cause
    return error


def tls_error(reason: str) -> ssl.SSLError:
    """Make an error with OpenSSL's name for its reason."""
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def bad_certificate(code: int) -> ssl.SSLCertVerificationError:
    """Make the error for a certificate that OpenSSL refuses."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = "the reason"
    return error


def at(phase: Phase) -> Progress:
    """Stand somewhere in a call."""
    return Progress("host.example:443", phase, "nothing" if phase in ("dns", "tcp") else "partly")


NETWORK_FAILURES: list[tuple[Exception, Phase, Phase, bool, str]] = [
    # what is raised, where, the phase in the error, retryable, what the message says
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "dns", "dns", True, "the network"),
    (socket.gaierror(socket.EAI_NONAME, "Not known"), "dns", "dns", False, "host in base_url"),
    (UnicodeError("label too long"), "dns", "dns", False, "no host name"),
    (
        NoAddressError([("::1", os_error(errno.ECONNREFUSED)), ("127.0.0.1", OSError())]),
        "tcp",
        "tcp",
        True,
        r"\(::1: connection refused, 127\.0\.0\.1: oserror\): is it up",
    ),
    (NoAddressError([("::1", os_error(errno.EMFILE))]), "tcp", "tcp", True, "ulimit -n"),
    # What a program's own dial may raise, for instance by way of `trio.open_tcp_stream`.
    (UnicodeError("label too long"), "tcp", "tcp", False, "no host name"),
    (socket.gaierror(socket.EAI_NONAME, "Not known"), "tcp", "tcp", False, "host in base_url"),
    (
        os_error(errno.ENETUNREACH),
        "tcp",
        "tcp",
        True,
        r"cannot connect .*\(network is unreachable\)",
    ),
    (OSError("no such host"), "tcp", "tcp", True, r"cannot connect to .* \(oserror\)"),
    (
        caused_by(ExceptionGroup("", [os_error(errno.ECONNREFUSED), os_error(errno.EHOSTUNREACH)])),
        "tcp",
        "tcp",
        True,
        r"\(connection refused, no route to host\): is it up",
    ),
    (caused_by(ExceptionGroup("", [ValueError()])), "tcp", "tcp", True, r"\(oserror\)"),
    (caused_by(os_error(errno.EMFILE)), "tcp", "tcp", True, "ulimit -n"),
    (os_error(errno.ENFILE), "tcp", "tcp", True, "too many open files"),
    (bad_certificate(10), "tls", "tls", False, "has expired"),
    (bad_certificate(9), "tls", "tls", False, "clock"),
    (bad_certificate(18), "tls", "tls", False, r"tls\.ca_file"),
    (bad_certificate(20), "tls", "tls", False, r"tls\.ca_file"),
    (bad_certificate(62), "tls", "tls", False, "for another host"),
    (bad_certificate(99), "tls", "tls", False, r"not valid \(the reason\)"),
    (tls_error("WRONG_VERSION_NUMBER"), "tls", "tls", False, "does not speak TLS"),
    (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), "tls", "tls", False, r"tls\.minimum_version"),
    (tls_error("SOMETHING_NEW"), "tls", "tls", False, r"failed \(something new\)"),
    (ssl.SSLEOFError(), "tls", "tls", True, "during the TLS handshake"),
    (tls_error("UNEXPECTED_EOF_WHILE_READING"), "tls", "tls", True, "during the TLS handshake"),
    (
        broken_by(tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")),
        "head",
        "tls",
        False,
        r"tls\.client_cert_file",
    ),
    (broken_by(os_error(errno.EPIPE)), "send", "send", True, "broke: broken pipe"),
    (broken_by(os_error(errno.ECONNRESET)), "head", "head", True, "connection reset"),
    (broken_by(ssl.SSLEOFError()), "body", "body", True, "in mid-answer"),
    (broken_by(ValueError()), "body", "body", True, "the connection to .* broke$"),
    (trio.BrokenResourceError(), "body", "body", True, "in mid-answer"),
    (PeerClosedError(), "head", "head", True, "without an answer"),
    (PeerClosedError(), "body", "body", True, "in mid-answer"),
]


@pytest.mark.parametrize(("raised", "where", "phase", "retryable", "message"), NETWORK_FAILURES)
def test_a_network_failure_says_where_and_what_to_do(
    raised: Exception, where: Phase, phase: Phase, retryable: bool, message: str
) -> None:
    """Phase, retryability and a message with the next step, for each way to fail."""
    progress = at(where)
    error = translate(raised, progress)
    assert isinstance(error, NetworkError)
    assert (error.phase, error.retryable, error.timeout) == (phase, retryable, None)
    assert error.sent == progress.sent
    with pytest.raises(NetworkError, match=message):
        raise error


def test_broken_http_is_malformed() -> None:
    """A peer that does not speak HTTP is told apart from a network that fails."""
    error = translate(
        h11.RemoteProtocolError("illegal status line: bytearray(b'canary')"), at("head")
    )
    assert isinstance(error, MalformedResponseError)
    assert error.reason == "framing"
    assert "illegal status line" in error.message


@pytest.mark.parametrize(
    "message",
    [
        "illegal header line: bytearray(b'canary')",
        "Illegal header value b'canary'",
        'Illegal header name b"canary"',
        "malformed chunk footer: bytearray(b'canary') (expected b'x')",
    ],
)
def test_what_h11_quotes_is_cut_out(message: str) -> None:
    """The quoted bytes may echo a key."""
    error = translate(h11.RemoteProtocolError(message), at("body"))
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("phase", "what"), [("head", "the response head"), ("body", "the framing of the body")]
)
def test_framing_beyond_its_limit_names_the_limit(phase: Phase, what: str) -> None:
    """The caller can raise it."""
    error = translate(h11.RemoteProtocolError("too long", error_status_hint=431), at(phase))
    assert isinstance(error, MalformedResponseError)
    assert (error.reason, what in error.message) == ("limit", True)
    assert "limits.head_bytes" in error.message


@pytest.mark.parametrize(
    "raised",
    [
        MemoryError(),
        trio.ClosedResourceError(),
        trio.BusyResourceError(),
        ValueError(),
        UnicodeError(),
    ],
)
def test_what_is_not_the_peers_is_not_ours_to_tell(raised: Exception) -> None:
    """The caller's own mistakes, a full memory and bugs stay what they are."""
    assert translate(raised, at("body")) is None


@pytest.mark.parametrize("phase", get_args(Phase))
def test_a_deadline_is_named_with_what_it_interrupted(phase: Phase) -> None:
    """The error has the deadline's name, and the message what was being done."""
    error = timed_out(Limit("total", 1), at(phase))
    assert (error.phase, error.timeout, error.retryable) == (phase, "total", True)
    assert error.message.startswith("the total deadline ran out while ")
