"""What most likely helps a configuration with which a call failed."""

import re
from typing import Final, assert_never, cast

from tokenwire.errors import (
    AnyProviderError,
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire_trio.cli.advice import NAME_THE_KEY, advice
from tokenwire_trio.cli.provider_section import Target

_CHECK_ADDRESS: Final = "check scheme, host and port of base_url"
_CHECK_PROTOCOL: Final = f"{_CHECK_ADDRESS}: what listens there may speak another protocol"
_COMPARE_SETTINGS: Final = (
    "compare the settings with the provider's documentation: model, extra, quirks"
)
_SET_CLIENT_CERTIFICATE: Final = (
    "set tls.client_cert_file and tls.client_key_file in a configuration file"
)

#: What servers answer at their port for TLS to a request without it: nginx, Go and Apache.
_TLS_PORT: Final = re.compile("sent to HTTPS port|to an HTTPS server|to an SSL-enabled server port")
#: What nginx answers, in place of a failed handshake, to a client without a certificate.
_NO_CLIENT_CERTIFICATE: Final = "No required SSL certificate was sent"


def likely_fix(error: ProviderError, target: Target) -> str:
    """Say what to try first.

    Args:
        error: Why the call failed.
        target: Whom it was made to.
    """
    known = cast("AnyProviderError", error)  # every error is one of the five
    match known:
        case NetworkError():
            return _fix_network(known, target)
        case AuthError():
            return _fix_auth(known, target)
        case RateLimitError():
            return advice(known, target.key_variable) or "wait a moment, then ask less at a time"
        case MalformedResponseError():
            return _fix_malformed(known, target)
        case OtherError():
            return _fix_other(known, target)
        case _:
            assert_never(known)


def _fix_auth(error: AuthError, target: Target) -> str:
    if error.status == 403:
        return "the key may not do this: check its permissions, project and region"
    if target.key_variable is not None:
        return f"{advice(error, target.key_variable)}: check it, or make a new key"
    if target.section.endpoint.credential is not None:
        return "check the key, or make a new one"
    return NAME_THE_KEY


def _fix_network(error: NetworkError, target: Target) -> str:
    if error.timeout is not None:
        return _fix_timeout(error)
    match error.phase:
        case "dns" if error.retryable:
            fix = "check this machine's network and its DNS server"
        case "dns":
            fix = "check the spelling of the host"
        case "tcp":
            fix = _fix_connection(error)
        case "proxy" if error.retryable:
            fix = "check host and port of base_url, and that the proxy may reach them"
        case "proxy":
            fix = "check proxy.url, proxy.username and proxy.password, or take the proxy out"
        case "tls":
            fix = _fix_tls(error, target)
        case "body":
            fix = "look for what cuts the answer short: a proxy's time limit, the server's log"
        case _:
            fix = _CHECK_PROTOCOL
    return fix


def _fix_connection(error: NetworkError) -> str:
    # The message names the setting that leads there.
    if "unix_socket" in error.message:
        return "start the server, or correct unix_socket"
    if "proxy.url" in error.message:
        return "start the proxy, correct proxy.url, or take the proxy out"
    return "start the server, or correct host and port"


def _fix_tls(error: NetworkError, target: Target) -> str:
    if "tls.ca_file" in error.message:
        return f"{advice(error, target.key_variable)}; in a file it is tls.ca_file"
    if "client certificate" in error.message:
        return _SET_CLIENT_CERTIFICATE
    if "certificate" in error.message:
        return "check the host and this machine's clock, or have the certificate renewed"
    return _CHECK_PROTOCOL


def _fix_timeout(error: NetworkError) -> str:
    raising = f"raise deadlines.{error.timeout}"
    match error.phase:
        case "dns":
            return "check this machine's network and its DNS server"
        case "tcp":
            return "look for a firewall; where a network wants a proxy, set proxy.url"
        case "proxy" | "tls":
            return f"{_CHECK_ADDRESS}, or {raising} if it is just slow"
        case _:
            return f"{raising} if the model is slow or still loading, else look at the server's log"


def _fix_malformed(error: MalformedResponseError, target: Target) -> str:
    match error.reason:
        case "content_type" | "empty":
            return (
                "correct base_url, it leads to a web page and not to the API (most end in /v1);"
                " or log in to the network that you are in"
            )
        case "framing":
            return _CHECK_PROTOCOL
        case "json" | "schema":
            return f"check the wire format: does the server speak {target.section.kind}?"
        case "limit":
            return "check base_url; raise the limit only if you know the server"
        case "truncated" | "utf8" | "content_encoding":
            return "look for a proxy in between that cuts or changes the answer"
        case _:
            assert_never(error.reason)


def _fix_other(error: OtherError, target: Target) -> str:
    match error.kind:
        case "not_found" if "base_url" in error.message:
            return "correct base_url as the error says"
        case "not_found":
            return (
                "check base_url ('tokenwire presets' shows how they end), the wire format and the"
                " name of the model"
            )
        case "redirect":
            return "set base_url to where the API is"
        case "rejected":
            return _fix_rejected(error, target)
        case "context_length" | "content_filter":
            return _COMPARE_SETTINGS
        case "overloaded" | "server" | "timeout" | "conflict" | "unknown":
            return "try again later; the server's log or its support knows more"
        case _:
            assert_never(error.kind)


def _fix_rejected(error: OtherError, target: Target) -> str:
    if _TLS_PORT.search(error.message):
        return "begin base_url with https://"
    if _NO_CLIENT_CERTIFICATE in error.message:
        return _SET_CLIENT_CERTIFICATE
    if target.section.defaults.model is None:
        return "name a model with --model"
    return _COMPARE_SETTINGS
