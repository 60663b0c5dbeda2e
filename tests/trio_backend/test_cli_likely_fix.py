"""What the doctor advises where no test has a server that fails in this way."""

from __future__ import annotations

import pytest

from tests.trio_backend.providers import provider_section
from tokenwire.errors import AuthError, NetworkError, OtherError, ProviderError, RateLimitError
from tokenwire.secret import Secret
from tokenwire_trio.cli.advice import advice
from tokenwire_trio.cli.likely_fix import likely_fix
from tokenwire_trio.cli.provider_section import Target


def _rejected(message: str) -> OtherError:
    return OtherError(message=message, kind="rejected", status=400)


def _not_found(message: str) -> OtherError:
    return OtherError(message=message, kind="not_found", status=404)


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (NetworkError(message="no", phase="dns", retryable=True), "this machine's network"),
        (NetworkError(message="no", phase="dns", timeout="connect"), "this machine's network"),
        (NetworkError(message="no", phase="tcp", timeout="connect"), "look for a firewall"),
        (NetworkError(message="is unix_socket right?", phase="tcp"), "correct unix_socket"),
        (NetworkError(message="is proxy.url right?", phase="tcp"), "start the proxy"),
        (NetworkError(message="HTTP 500", phase="proxy", retryable=True), "base_url"),
        (NetworkError(message="HTTP 407", phase="proxy"), "check proxy.url"),
        (NetworkError(message="no TLS there", phase="tls"), "check scheme, host and port"),
        (NetworkError(message="the certificate has expired", phase="tls"), "renewed"),
        (
            NetworkError(message="wants a client certificate", phase="tls"),
            "set tls.client_cert_file",
        ),
        (_rejected("400 The plain HTTP request was sent to HTTPS port"), "https://"),
        (_rejected("Client sent an HTTP request to an HTTPS server."), "https://"),
        (_rejected("400 No required SSL certificate was sent"), "set tls.client_cert_file"),
        (_rejected("400 Bad Request"), "compare the settings"),
        (RateLimitError(message="no", retry_after=7.0), "try again in 7 s"),
        (_not_found("no: /v1 stands there twice, take it out of base_url"), "correct base_url"),
        (_not_found("no"), "check base_url ('tokenwire presets' shows how they end)"),
    ],
)
def test_the_fix_fits_the_failure(error: ProviderError, fix: str) -> None:
    """It depends on where the call failed, and how."""
    assert fix in likely_fix(error, Target(section=provider_section(), key_variable=None))


@pytest.mark.parametrize(
    ("variable", "credential", "fix"),
    [
        (None, None, "name the variable that holds your key with --key-env"),
        (None, Secret("sk-0123456789"), "check the key, or make a new one"),
        ("SOME_KEY", Secret("sk-0123456789"), "SOME_KEY: check it, or make a new key"),
    ],
)
def test_a_refused_key_is_looked_for_where_it_came_from(
    variable: str | None, credential: Secret | None, fix: str
) -> None:
    """Where there is none, there is nothing to check yet."""
    target = Target(section=provider_section(credential=credential), key_variable=variable)
    assert likely_fix(AuthError(message="no", status=401), target).endswith(fix)


@pytest.mark.parametrize(
    ("error", "what_to_do"),
    [
        (NetworkError(message="no", phase="tls", timeout="connect"), "should base_url begin"),
        (NetworkError(message="no", phase="tls", timeout="total"), "should base_url begin"),
        (NetworkError(message="no", phase="body", timeout="gap"), "deadlines.gap of a --config"),
        (NetworkError(message="no", phase="body", timeout="total"), "--timeout sets the limit"),
        (_not_found("no"), "'tokenwire doctor' with"),
        (NetworkError(message="no", phase="head"), "'tokenwire doctor' with"),
        (NetworkError(message="no", phase="head", timeout="first_byte"), "deadlines.first_byte"),
    ],
)
def test_an_error_says_what_to_do(error: ProviderError, what_to_do: str) -> None:
    """As far as its facts tell."""
    assert what_to_do in str(advice(error, None))


def test_an_error_that_names_the_setting_needs_no_advice() -> None:
    """What stands in the URL twice is told by the error itself."""
    assert advice(_not_found("/v1 stands there twice, take it out of base_url"), None) is None


@pytest.mark.parametrize("message", ["the certificate has expired", "no TLS there: use http://"])
def test_no_authority_helps_against_other_failures_of_tls(message: str) -> None:
    """Where the certificate's authority is not what is wrong, another one is no way out."""
    assert advice(NetworkError(message=message, phase="tls"), None) is None
