"""This library as users get it, with every deadline set."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from tests.bench.clients import Read, Take, Target
from tokenwire import (
    Deadlines,
    Endpoint,
    Message,
    ProviderConfig,
    ProviderSection,
    Secret,
    TLSSettings,
)
from tokenwire_trio import open_provider

_DEADLINES: Final = Deadlines(
    pool=600, connect=600, send=600, first_byte=600, first_token=600, gap=600, total=600
)
_CONVERSATION: Final = [Message.user("Hi")]


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session, which connects when it is first used."""
    endpoint = Endpoint(
        base_url=target.base_url,
        credential=Secret("sk-bench"),
        deadlines=_DEADLINES,
        tls=TLSSettings(ca_file=target.ca_file, replace_system_cas=True),
    )
    async with open_provider(ProviderSection(kind="openai-chat", endpoint=endpoint)) as provider:

        async def read(model: str, take: Take) -> None:
            async with provider.complete(_CONVERSATION, ProviderConfig(model=model)) as stream:
                async for token in stream:
                    if token.text:
                        take(token.text)

        yield read
