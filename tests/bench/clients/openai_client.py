"""The official client, over its own HTTP client (under asyncio or trio) and over aiohttp."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

from tests.bench.clients import Read, Take, Target
from tests.bench.clients.floor_socket import floor_context

_openai: Final[Any] = import_module("openai")
_httpx: Final[Any] = import_module("httpx2")


@asynccontextmanager
async def open_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session with the HTTP client that comes with it."""
    # Its own limit is 1,000 connections, and it gives up connecting after five seconds.
    http_client = _openai.DefaultAsyncHttpxClient(
        limits=_httpx.Limits(max_connections=None),
        timeout=None,
        verify=floor_context(target.ca_file),
    )
    async with _session(target, http_client) as read:
        yield read


@asynccontextmanager
async def open_aiohttp_session(target: Target) -> AsyncGenerator[Read, None]:
    """Open a session over aiohttp."""
    http_client = _openai.DefaultAioHttpClient(
        limits=_httpx.Limits(max_connections=None),
        timeout=None,
        verify=floor_context(target.ca_file),
    )
    async with _session(target, http_client) as read:
        yield read


@asynccontextmanager
async def _session(target: Target, http_client: Any) -> AsyncGenerator[Read, None]:
    async with _openai.AsyncOpenAI(
        api_key="sk-bench", base_url=target.base_url, http_client=http_client, max_retries=0
    ) as client:

        async def read(model: str, take: Take) -> None:
            stream = await client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            async with stream:
                async for chunk in stream:
                    text = chunk.choices[0].delta.content if chunk.choices else None
                    if text:
                        take(text)

        yield read
