"""What the doctor advises where no test has a server that fails in this way."""

from __future__ import annotations

import pytest

from tests.trio_backend.providers import provider_section
from tokenwire.errors import NetworkError, ProviderError, RateLimitError
from tokenwire_trio.cli.likely_fix import likely_fix
from tokenwire_trio.cli.provider_section import Target


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (NetworkError(message="no", phase="dns", retryable=True), "this machine's network"),
        (NetworkError(message="no", phase="dns", timeout="connect"), "this machine's network"),
        (NetworkError(message="no", phase="tcp", timeout="connect"), "look for a firewall"),
        (NetworkError(message="expired", phase="tls"), "check scheme, host and port"),
        (RateLimitError(message="no", retry_after=7.0), "try again in 7 s"),
    ],
)
def test_the_fix_fits_the_failure(error: ProviderError, fix: str) -> None:
    """It depends on where the call failed, and how."""
    assert fix in likely_fix(error, Target(section=provider_section(), key_variable=None))
