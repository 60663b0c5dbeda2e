"""What most likely helps a configuration with which a call failed."""

from typing import assert_never, cast

from tokenwire.errors import (
    AnyProviderError,
    AuthError,
    MalformedResponseError,
    NetworkError,
    OtherError,
    ProviderError,
    RateLimitError,
)
from tokenwire_trio.cli.advice import advice
from tokenwire_trio.cli.provider_section import Target

_CHECK_ADDRESS = "check scheme, host and port of base_url"


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
        case AuthError(status=403):
            return "the key may not do this: check its permissions, project and region"
        case AuthError():
            return f"{advice(known, target.key_variable)}: check it, or make a new key"
        case RateLimitError():
            return advice(known, target.key_variable) or "wait a moment, then ask less at a time"
        case MalformedResponseError():
            return _fix_malformed(known, target)
        case OtherError():
            return _fix_other(known, target)
        case _:
            assert_never(known)


def _fix_network(error: NetworkError, target: Target) -> str:
    if error.timeout is not None:
        return _fix_timeout(error)
    match error.phase:
        case "dns" if error.retryable:
            fix = "check this machine's network and its DNS server"
        case "dns":
            fix = "check the spelling of the host"
        case "tcp":
            fix = "start the server, or correct host and port"
        case "proxy":
            fix = "check proxy.url, proxy.username and proxy.password, or take the proxy out"
        case "tls" if "tls.ca_file" in error.message:
            fix = f"{advice(error, target.key_variable)}; in a file it is tls.ca_file"
        case "body":
            fix = "look for what cuts the answer short: a proxy's time limit, the server's log"
        case _:
            fix = f"{_CHECK_ADDRESS}: what listens there may speak another protocol"
    return fix


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
            return f"{_CHECK_ADDRESS}: what listens there may speak another protocol"
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
        case "not_found":
            return "check base_url (most end in /v1) and the name of the model"
        case "redirect":
            return "set base_url to where the API is"
        case "rejected" if target.section.defaults.model is None:
            return "name a model with --model"
        case "rejected" | "context_length" | "content_filter":
            return "compare the settings with the provider's documentation: model, extra, quirks"
        case "overloaded" | "server" | "timeout" | "conflict" | "unknown":
            return "try again later; the server's log or its support knows more"
        case _:
            assert_never(error.kind)
