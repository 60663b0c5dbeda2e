"""What a request on an open connection costs up to its first token, counted in calls.

Counted as in `test_cost_per_token`: what this library does. The answer comes along with its head.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.trio_backend.counted_calls import CountedCalls
from tests.trio_backend.providers import HELLO, provider_section
from tests.trio_backend.servers import answer, keeps_alive, socket_server
from tokenwire.endpoint import Deadlines, TLSSettings
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio import HTTPProvider, open_provider

#: So many calls a request may take: 3 in 100 more than it took when these were written down.
MOST_CALLS: Final = {"http": 530, "https": 555}

_REQUESTS: Final = 5
_DEADLINES: Final = Deadlines(**dict.fromkeys(attrs.fields_dict(Deadlines), 600))


async def calls_to_first_token(provider: HTTPProvider) -> int:
    """Make a request, and count the calls before its first token."""
    with CountedCalls() as calls:
        async with provider.complete(HELLO, ProviderConfig(temperature=0)) as stream:
            await stream.__anext__()
            calls.stop()
            await stream.collect()
    return calls.count


@pytest.mark.parametrize("scheme", MOST_CALLS)
async def test_a_request_takes_no_more_calls_than_it_may(
    scheme: str, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """Each takes the same, after the first one, which connects."""
    server = server_context if scheme == "https" else None
    async with socket_server(keeps_alive(answer("a", "b")), server) as url:
        section = provider_section(
            url,
            credential="sk-0123456789",
            deadlines=_DEADLINES,
            tls=TLSSettings(ca_file=str(ca_file)),
        )
        async with open_provider(section) as provider:
            counts = [await calls_to_first_token(provider) for _ in range(1 + _REQUESTS)]
    assert 0.9 * MOST_CALLS[scheme] < max(counts[1:]) <= MOST_CALLS[scheme], counts
