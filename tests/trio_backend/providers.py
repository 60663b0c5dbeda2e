"""Configurations and calls for tests, with nothing in them that a test does not name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from tokenwire.config import ProviderSection
from tokenwire.endpoint import Endpoint
from tokenwire.messages import Message
from tokenwire.provider_config import ProviderConfig
from tokenwire_trio import HTTPTokenStream, open_provider
from tokenwire_trio.dialing import Dial

NO_SETTINGS: Final = ProviderConfig()
HELLO: Final = [Message.user("Hello")]


def provider_section(base_url: str = "http://localhost/v1", **endpoint: Any) -> ProviderSection:
    """Describe a provider of chat completions.

    Args:
        base_url: Where it is; with a dial of the test's own it leads nowhere.
        endpoint: Further fields of `Endpoint`.
    """
    return ProviderSection(
        kind="openai-chat",
        endpoint=Endpoint(base_url=base_url, **endpoint),
        defaults=ProviderConfig(model="tiny-chat"),
    )


@asynccontextmanager
async def streaming(
    section: ProviderSection,
    dial: Dial | None = None,
    messages: Sequence[Message] = HELLO,
    config: ProviderConfig = NO_SETTINGS,
) -> AsyncGenerator[HTTPTokenStream, None]:
    """Open a provider for one answer, and give its stream."""
    async with (
        open_provider(section, dial=dial) as provider,
        provider.complete(messages, config) as stream,
    ):
        yield stream
