"""Calls to a server that misbehaves, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import trio

from tests.trio_backend.providers import provider_section
from tokenwire.config import ProviderSection
from tokenwire.endpoint import Limits, TLSSettings
from tokenwire.errors import ProviderError
from tokenwire.messages import Message
from tokenwire_trio import HTTPProvider, HTTPTokenStream
from tokenwire_trio.testing import MisbehavingServer, Outcome, Scenario

#: More than the systems of both sides buffer.
LARGE: Final = 2_000_000

#: Smaller than the defaults, so that a flood is cut off sooner.
_LIMITS: Final = Limits(
    line_bytes=2**18, event_bytes=2**19, document_bytes=2**19, silent_bytes=2**19
)


def section_for(server: MisbehavingServer, ca_file: Path, **endpoint: Any) -> ProviderSection:
    """Describe a misbehaving server as a provider that is trusted.

    Args:
        server: The server.
        ca_file: Who issued its certificate.
        endpoint: Further fields of `Endpoint`.
    """
    tls = TLSSettings(ca_file=str(ca_file), replace_system_cas=True)
    return provider_section(server.base_url, **{"tls": tls, "limits": _LIMITS, **endpoint})


class Played(NamedTuple):
    """A call and what it came to."""

    outcome: Outcome
    error: ProviderError | None
    seconds: float


async def play(provider: HTTPProvider, scenario: Scenario, prompt: str = "Hello") -> Played:
    """Make the call that a scenario is for, and read its answer to the end."""
    if scenario.large_request:
        prompt *= LARGE // len(prompt)
    began = trio.current_time()
    stream: HTTPTokenStream | None = None
    error: ProviderError | None = None
    try:
        async with provider.complete([Message.user(prompt)]) as stream:
            await stream.collect()
    except ProviderError as caught:
        error = caught
    text = stream.partial().text if stream else ""
    return Played(Outcome.of(text, error), error, trio.current_time() - began)
